"""Matching: fingerprint a request, search every group, verify, conclude. The database is the queue.

Each step takes its work by a lease (`leases.py`) and hands its result in by one transaction that
asks whether the lease still holds, so that a worker killed at any point loses nothing and a worker
thought dead writes nothing. Evidence is kept per query (a photo or a URL) and sealed under
`print`; what is concluded is sealed under `case`, which the worker can write and not read. When
the search is over, the worker's own keys to the request are destroyed, and the probes with them.
"""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from catalog.selectors import datasets_pictured
from removal import audit
from removal.custody import content
from removal.custody.sealing import NotReadable, Place, publics_of, seal_to
from removal.custody.shred import KeyShredded
from removal.life import retention
from removal.life.abuse import flags_raise
from removal.life.destroying import worker_keys_destroy
from removal.lifecycle import TransitionRefused, step_taken, unless_due
from removal.models import (
    Candidate,
    Kind,
    Photo,
    Purpose,
    RemovalRequest,
    SearchUnit,
    State,
    today,
)
from removal.search.candidates import (
    EvidenceOpened,
    Found,
    candidates_make,
    evidence_open,
    rows_shortlist,
)
from removal.search.draining import units_release, units_waiting
from removal.search.fingerprinting import UNREADABLE, to_fingerprint
from removal.search.found import Held, rows_found, rows_held, urls_to_follow
from removal.search.queues import GroupWaiting
from removal.search.searching import FOLLOWED, CatalogSearcher, Searcher

TOO_PLAIN: Final = "too_plain"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Work that nobody holds."""

    to_fingerprint: tuple[uuid.UUID, ...]
    to_search: tuple[GroupWaiting, ...]
    to_conclude: tuple[uuid.UUID, ...]


def work_waiting() -> Waiting:
    """Return what was never begun, or was begun by a worker that did not live to finish it."""
    units_release()
    oldest = ("received_on", "pk")
    return Waiting(
        tuple(to_fingerprint().order_by(*oldest).values_list("pk", flat=True)),
        tuple(groups_waiting()),
        tuple(to_conclude().order_by(*oldest).values_list("pk", flat=True)),
    )


def groups_waiting(**which: object) -> list[GroupWaiting]:
    """Return the groups that units wait for, those with a person behind them first."""
    units = units_waiting().filter(**which).order_by("priority", "group")
    facts = units.values_list("group", "group__dataset__store", "priority").distinct()
    best: dict[int, GroupWaiting] = {}
    for group_id, store, priority in facts:
        best.setdefault(group_id, GroupWaiting(group_id, store, priority))
    return list(best.values())


# --- the groups are searched by `draining.group_drain`; then: verification, conclusion ---------


def request_conclude(request_id: str | uuid.UUID, *, searcher: Searcher | None = None) -> bool:
    """Turn the evidence of all groups into candidates; tell whether this call did it.

    It does nothing while a group has not answered, and nothing the second time. The first time
    that every group has, the pictures of the best rows are to be verified: units are made for
    that, and the conclusion waits for them.
    """
    request = to_conclude().filter(pk=request_id).first()
    if request is None:
        return False
    searcher = searcher or CatalogSearcher()
    try:
        evidence = evidence_open(request)
        held = rows_held(evidence, searcher)
        if not request.verifying and _verification_begun(request, evidence, held, searcher):
            return False
        _concluded(request, rows_found(held, evidence, searcher))
    except (NotReadable, KeyShredded, TransitionRefused):
        log.info("request %s: withdrawn or concluded by another worker", request.pk)
        return False
    worker_keys_destroy([request.pk])
    return True


def requests_answered(request_ids: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    """Return those of the requests that every group has answered."""
    answered = set(to_conclude().filter(pk__in=request_ids).values_list("pk", flat=True))
    return [name for name in dict.fromkeys(request_ids) if name in answered]


def to_conclude() -> QuerySet[RemovalRequest]:
    """Return the requests of which no group that is still there is unanswered."""
    units = SearchUnit.objects.filter(request=OuterRef("pk"))
    open_units = units.filter(group__isnull=False).exclude(state=SearchUnit.State.DONE)
    return RemovalRequest.objects.filter(
        Exists(units), ~Exists(open_units), state=State.SEARCHING, photos_deleted_on__isnull=True
    )


def _verification_begun(
    request: RemovalRequest, evidence: EvidenceOpened, held: Held, searcher: Searcher
) -> bool:
    """Make the units that verify the best rows and follow the addresses of those found.

    Tells whether the conclusion must wait for them.
    """
    listed = _rows_pictured(request, evidence, searcher)
    addresses = searcher.fingerprint_urls(urls_to_follow(held, evidence))
    if not listed and addresses is None:
        return False
    public = publics_of([request.pk], Purpose.PRINT).get(request.pk)
    if public is None:
        raise NotReadable("The request was erased.")
    followed = [] if addresses is None else [(FOLLOWED, addresses.to_bytes())]
    searched = request.units.filter(group__isnull=False).select_related("group__dataset")
    units = []
    for unit in searched.defer("hits_sealed", "rows_sealed"):
        group = unit.group
        if group is None:
            continue
        rows = listed.get((group.dataset.name, group.number), {})
        parts = [(n, content.rows_to_bytes(one)) for n, one in rows.items()] + followed
        if parts:
            place = Place(request.pk, Purpose.PRINT, content.rows_item(group.pk))
            units.append(_verify_unit(unit, seal_to(public, content.hits_pack(parts), place)))
    return bool(units) and _units_made(request, units)


def _rows_pictured(
    request: RemovalRequest, evidence: EvidenceOpened, searcher: Searcher
) -> dict[tuple[str, int], dict[int, list[content.RowToVerify]]]:
    """Return the rows whose pictures are worth comparing, where there are probes and pictures."""
    probed = request.photos.exclude(probe_sealed=b"").values_list("n", flat=True)
    datasets = datasets_pictured()
    if not probed or not datasets:
        return {}
    return rows_shortlist(evidence, searcher, datasets=datasets, photos=set(probed))


def _verify_unit(searched: SearchUnit, rows_sealed: bytes) -> SearchUnit:
    return SearchUnit(
        request_id=searched.request_id,
        group_id=searched.group_id,
        stage=SearchUnit.Stage.VERIFY,
        priority=searched.priority,
        rows_sealed=rows_sealed,
    )


def _units_made(request: RemovalRequest, units: list[SearchUnit]) -> bool:
    """Store the units, once; another worker may have been first, which is as good."""
    with transaction.atomic():
        taken = RemovalRequest.objects.filter(
            pk=request.pk, state=State.SEARCHING, verifying=False, photos_deleted_on__isnull=True
        ).update(verifying=True)
        if taken:
            SearchUnit.objects.bulk_create(units)
    return True


def _concluded(request: RemovalRequest, found: list[Found]) -> None:
    candidates = candidates_make(request, found)
    flags = [photo.flags for photo in request.photos.all()]
    gone = request.units.filter(group__isnull=True).count()
    unread = request.units.filter(stage=SearchUnit.Stage.VERIFY, rows_unread__gt=0).exists()
    # What could not be searched was not found missing, nor was a row whose picture could not be
    # compared, though it was among the likeliest, nor what a group that is gone may have
    # found, which opens no more: a maintainer looks at it.
    unsure = bool(gone) or unread or any(UNREADABLE in flag for flag in flags)
    to = State.IN_REVIEW if found or unsure else State.NO_MATCH
    day = today()
    changes: dict[str, object] = {"searched_on": day}
    if to == State.NO_MATCH:
        plain = bool(flags) and all(TOO_PLAIN in flag for flag in flags)
        changes |= {
            "outcome": State.NO_MATCH.value,
            "reason": "too_plain" if plain else "not_found",
            "decided_on": day,
            "closed_on": day,
            "photos_delete_on": unless_due(retention.photos_delete_on(request, decided_on=day)),
        }
    counts = {kind.value: sum(k == kind for k, _ in found) for kind in Kind}
    detail = {**counts, "groups_gone": gone} if gone else counts
    with step_taken(
        request.pk, "search_concluded", to, actor=audit.WORKER, detail=detail, changes=changes
    ):
        Candidate.objects.bulk_create(candidates)
        SearchUnit.objects.filter(request=request).update(hits_sealed=b"", rows_sealed=b"")
        Photo.objects.filter(request=request).update(probe_sealed=b"")
        flags_raise(request, [(kind, row.evidence) for kind, row in found])
