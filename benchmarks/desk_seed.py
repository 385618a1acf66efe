"""Requests by the thousand and rows by the million, put into PostgreSQL as the service has them.

Most are sealed in looks only: random bytes of the right length, which no page of many requests
opens. A few are real, so that the page of one can be opened: sent through the intake, with real
candidates under their `case` key.
"""

import datetime as dt
import io
import os
import random
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from django.db import connection
from django.utils import timezone
from PIL import Image

from catalog.models import Dataset, Group, WorkerStore
from releases.models import ListEntry, Release
from removal.custody import secrets
from removal.custody.content import FoundRow
from removal.intake.submission import request_submit
from removal.models import (
    AuditEntry,
    AuditTip,
    Author,
    Candidate,
    Category,
    Flag,
    Kind,
    Message,
    Photo,
    RemovalRequest,
    SearchUnit,
    State,
    Verdict,
    today,
)
from removal.search.candidates import candidates_make
from removal.selectors import request_open

STATES: Final = {
    State.IN_REVIEW: 60,
    State.SEARCHING: 5,
    State.NEEDS_INFO: 5,
    State.RELEASED: 15,
    State.DENIED: 8,
    State.NO_MATCH: 5,
    State.WITHDRAWN: 2,
}
DECIDED: Final = (State.RELEASED, State.DENIED, State.NO_MATCH)
GROUPS: Final = 4
ENTRIES: Final = 6
_CATEGORIES: Final = list(Category)
_ROW_BYTES: Final = 700
_BATCH: Final = 1000


def seed(*, requests: int, each: int, real: int) -> list[uuid.UUID]:
    """Fill an empty database; return the ids of the requests that can be opened.

    Args:
        requests: how many in all but the real ones.
        each: candidates of each.
        real: how many are real.
    """
    chance = random.Random(5)  # a seed, so that two runs measure the same
    groups = _catalog()
    made = _requests(requests, chance)
    _around(made, groups, chance)
    _candidates(made, each, chance)
    _log(requests * ENTRIES)
    _lists()
    opened = [_real(n, each) for n in range(real)]
    _vacuum()
    return opened


def _vacuum() -> None:
    """Do at once what PostgreSQL does by itself soon after."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _catalog() -> list[Group]:
    dataset = Dataset.objects.create(
        name="sample",
        title="Sample",
        format="img2dataset",
        path="nowhere",
        encoder="efficientnet-lite0/imagenet",
        rows=2_000_000,
        facts={"signals": []},
    )
    WorkerStore.objects.create(store="local", seen_at=timezone.now())
    numbered = (
        Group(
            dataset=dataset,
            number=n,
            rows=500_000,
            rows_indexed=490_000,
            state=Group.State.READY,
            indexed_on=timezone.now(),
            manifest_sha256="ab" * 32,
        )
        for n in range(GROUPS)
    )
    return Group.objects.bulk_create(numbered)


def _requests(number: int, chance: random.Random) -> list[RemovalRequest]:
    states = chance.choices(list(STATES), list(STATES.values()), k=number)
    return RemovalRequest.objects.bulk_create(
        (_request(state, chance) for state in states), batch_size=_BATCH
    )


def _request(state: State, chance: random.Random) -> RemovalRequest:
    day = today()
    decided = state in DECIDED
    received = day - dt.timedelta(
        days=chance.randrange(20, 110) if decided else chance.randrange(35)
    )
    refused = state in {State.DENIED, State.NO_MATCH}
    return RemovalRequest(
        state=state,
        category=chance.choice(_CATEGORIES),
        receipt_tag=os.urandom(32),
        subject_salt=os.urandom(32),
        subject_public=os.urandom(32),
        audit_shred=uuid.uuid4(),
        received_on=received,
        due_on=received + dt.timedelta(days=30),
        decided_on=received + dt.timedelta(days=chance.randrange(20)) if decided else None,
        closed_on=received + dt.timedelta(days=20) if decided else None,
        photos_delete_on=received + dt.timedelta(days=120),
        outcome={State.RELEASED: State.APPROVED}.get(state, state) if decided else "",
        reason=("not_found" if state == State.NO_MATCH else "unfounded") if refused else "",
        tier="exact" if state == State.RELEASED else "",
        released_in=[1] if state == State.RELEASED else [],
        proof_sealed=os.urandom(900) if state == State.RELEASED else b"",
        content_sealed=os.urandom(300),
        state_seq=chance.randrange(10**6),
    )


def _around(made: Sequence[RemovalRequest], groups: Sequence[Group], chance: random.Random) -> None:
    """Give requests photos, units of search, messages and signs of abuse."""
    photos = (Photo(request=one, n=1, blob=uuid.uuid4()) for one in made)
    Photo.objects.bulk_create(photos, batch_size=_BATCH)
    units = (
        SearchUnit(
            request=one,
            group=group,
            state="pending" if one.state == State.SEARCHING else "done",
        )
        for one in made
        for group in groups
    )
    SearchUnit.objects.bulk_create(units, batch_size=_BATCH)
    some = chance.sample(made, len(made) // 20)
    Message.objects.bulk_create(
        Message(
            request=one,
            n=n,
            author=Author.SUBJECT if n % 2 else Author.MAINTAINER,
            day=one.received_on,
            sealed=os.urandom(200),
        )
        for one in some
        for n in range(1, chance.randrange(2, 5))
    )
    Flag.objects.bulk_create(
        Flag(request=one, code="crops", raised_on=one.received_on) for one in some[::3]
    )


_COLUMNS: Final = ("id", "request_id", "kind", "verdict", "row_tag", "row_sealed")
"""Those of a row that differ; the others have what a new row has."""


def _candidates(made: Sequence[RemovalRequest], each: int, chance: random.Random) -> None:
    """Copy rows in as PostgreSQL takes them fastest; a tenth of the rows is hit by several."""
    shared = [os.urandom(32) for _ in range(max(10, len(made)))]
    table = Candidate._meta  # noqa: SLF001  # Django's own name for it
    others = [field for field in table.concrete_fields if field.column not in _COLUMNS]
    columns = ", ".join((*_COLUMNS, *(str(field.column) for field in others)))
    usual = tuple(field.get_default() for field in others)
    with connection.cursor() as cursor:
        sql = f"COPY {table.db_table} ({columns}) FROM STDIN"
        with cursor.cursor.copy(sql) as copy:
            for one in made:
                for row in _rows(one, each, chance, shared):
                    copy.write_row((*row, *usual))


def _rows(
    one: RemovalRequest, each: int, chance: random.Random, shared: Sequence[bytes]
) -> Iterator[tuple[Any, ...]]:
    decided = {State.RELEASED: Verdict.APPROVED, State.DENIED: Verdict.DENIED}
    verdict = decided.get(State(one.state), Verdict.PENDING)
    if one.state in {State.NO_MATCH, State.SEARCHING}:
        return
    weights = chance.choice([(1, 9, 0), (1, 4, 15), (0, 0, 1)])
    kinds = chance.choices(list(Kind), weights, k=each)
    common = chance.sample(shared, each // 10)
    for n, kind in enumerate(kinds):
        tag = common[n] if n < len(common) else os.urandom(32)
        yield uuid.uuid4(), one.pk, kind.value, verdict.value, tag, os.urandom(_ROW_BYTES)


def _log(number: int) -> None:
    """Write a log of the right length; its digests are none, for nothing here verifies them."""
    now = timezone.now()
    acts = ("submitted", "search_begun", "search_concluded", "photo_revealed", "row_revealed")
    entries = (
        AuditEntry(
            seq=seq,
            day=(now - dt.timedelta(days=(number - seq) * 100 // number)).date(),
            at=now if seq % 5 > 2 else None,
            actor="staff:1" if seq % 5 > 2 else "worker",
            act=acts[seq % 5],
            subject=seq.to_bytes(32, "big"),
            detail={"state": "in_review"},
            previous=bytes(32),
            digest=bytes(32),
        )
        for seq in range(1, number + 1)
    )
    AuditEntry.objects.bulk_create(entries, batch_size=_BATCH)
    AuditTip.objects.update_or_create(pk=1, defaults={"seq": number, "digest": bytes(32)})


def _lists() -> None:
    day = today()
    entries = (
        ListEntry(list_name="public", tier="exact", kind="url", key=os.urandom(16), added_on=day)
        for _ in range(100 * _BATCH)
    )
    ListEntry.objects.bulk_create(entries, batch_size=_BATCH)
    Release.objects.bulk_create(
        Release(
            list_name="public",
            number=n,
            state=Release.State.SETTLED,
            created_on=day,
            published_on=day,
            audit_seq=n,
            manifest_sha256="ab" * 32,
            keyset_sha256="ab" * 32,
            tree_root="ab" * 32,
            entries=n * 1000,
            added=1000,
            withdrawn=0,
        )
        for n in range(1, 60)
    )


def _real(n: int, each: int) -> uuid.UUID:
    """Return a request that waits for a decision and whose page opens."""
    list(secrets.secrets_make())
    pixels = np.random.default_rng(n).integers(0, 256, (64, 64, 3), np.uint8)
    photo = io.BytesIO()
    Image.fromarray(pixels).save(photo, "JPEG")
    sent = request_submit(photos=[photo.getvalue()], urls=[], note="A note.", category="personal")
    request = request_open(receipt=sent.receipt).request
    kinds = [Kind.EXACT, Kind.COPY, Kind.SIMILAR]
    found = [(kinds[at % 3], _row(n, at)) for at in range(each)]
    Candidate.objects.bulk_create(candidates_make(request, found))
    RemovalRequest.objects.filter(pk=request.pk).update(
        state=State.IN_REVIEW, searched_on=today(), due_on=today() - dt.timedelta(days=9)
    )
    return request.pk


def _row(n: int, at: int) -> FoundRow:
    """Return a row; every tenth is the same in all real requests."""
    index = at if at % 10 == 0 else 1000 * (n + 1) + at
    evidence = {"digest": at % 3 == 0, "pdq": 12, "phash": 4, "cosine": 0.91, "inliers": 40}
    return FoundRow(
        dataset="sample",
        group=0,
        shard="00000",
        key=f"{index:09d}",
        index=index,
        offset=None,
        url=f"https://example.org/{index}.jpg",
        sha256=f"{index:064x}",
        md5=None,
        score=0.9,
        evidence=evidence,
        photos=(1,),
    )
