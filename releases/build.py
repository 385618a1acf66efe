"""Building a release: freeze the input, make the files from it, rename the whole into place.

The folder of a release appears in one step, complete or not at all; its row in the database
follows. A build that was killed in between is finished by the next one, which takes the folder
that has no row yet into the books instead of making another of the same number.
"""

import hashlib
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from catalog.selectors import DatasetCoverage, datasets_covered
from releases import freeze, locks, places, produce
from releases.models import ListEntry, Release
from removal.audit import AuditHead, audit_head_locked
from removal.selectors import requests_awaiting_release
from unlist import durable
from unlist.manifest import manifest_load

VALID_DAYS = 30  # informs readers of the manifest; TUF's timestamp decides


class NothingToRelease(Exception):
    """Nothing has changed since the last release, and nobody waits for one."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the next release of a list would be."""

    frozen: freeze.FrozenInput
    ledger: bytes
    waiting: int


def release_build(*, list_name: str = places.PUBLIC_LIST) -> Release:
    """Make the next release of a list.

    Raises:
        NothingToRelease: nothing is new.
        locks.AlreadyRunning: another build or publication is under way.
    """
    with locks.held(places.lock_path()):
        adopted = _adopt(list_name)
        if adopted:
            return adopted[-1]
        plan = release_plan(list_name=list_name)
        _folder_make(plan)
        return _record(list_name, plan.frozen.release)


def release_plan(*, list_name: str = places.PUBLIC_LIST) -> Plan:
    """Read from the database what the next release holds, without making it.

    The head of the audit chain is locked while the ledger is read, so that the entries are those
    of all decisions up to that head and of no other.

    Raises:
        NothingToRelease: nothing is new.
    """
    places.list_name_check(list_name)
    last = Release.objects.filter(list_name=list_name).order_by("-number").first()
    before = _entries_of(last)
    with transaction.atomic():
        head = audit_head_locked()
        entries = sorted(_ledger(list_name))
        waiting = _newly_waiting(head, last)
        datasets = [_covered(dataset) for dataset in datasets_covered()]
    added, withdrawn = freeze.ledger_changes(before, entries)
    if not (added or withdrawn or waiting):
        raise NothingToRelease(
            f"Nothing to release: the list {list_name!r} holds what release {last.number} holds."
            if last
            else f"Nothing to release: no row is on the list {list_name!r} yet."
        )
    today = timezone.now().date()
    ledger = freeze.ledger_dump(entries)
    frozen = freeze.FrozenInput(
        list=list_name,
        release=last.number + 1 if last else 1,
        created_on=today,
        valid_until=today + timedelta(days=VALID_DAYS),
        previous=_previous(last),
        audit_head=freeze.AuditPoint(seq=head.seq, digest=head.digest),
        datasets=tuple(sorted(datasets, key=lambda dataset: dataset.name)),
        ledger=freeze.LedgerFacts(
            rows=len(entries),
            sha256=hashlib.sha256(ledger).hexdigest(),
            added=added,
            withdrawn=withdrawn,
        ),
        writers=freeze.writers_now(),
    )
    return Plan(frozen=frozen, ledger=ledger, waiting=waiting)


def _ledger(list_name: str) -> Iterator[freeze.Entry]:
    rows = ListEntry.objects.filter(list_name=list_name).values_list("tier", "kind", "key")
    for tier, kind, key in rows.order_by().iterator(chunk_size=10_000):
        yield tier, kind, bytes(key)


def _newly_waiting(head: AuditHead, last: Release | None) -> int:
    """Count the requests decided since the last release; theirs may be keys listed before."""
    waiting = set(requests_awaiting_release(up_to_seq=head.seq))
    if last:
        waiting -= set(requests_awaiting_release(up_to_seq=last.audit_seq))
    return len(waiting)


def _previous(last: Release | None) -> freeze.Previous | None:
    if last is None:
        return None
    return freeze.Previous(release=last.number, manifest_sha256=last.manifest_sha256)


def _covered(dataset: DatasetCoverage) -> freeze.DatasetCovered:
    return freeze.DatasetCovered(
        name=dataset.name, revision=dataset.revision or None, rows=dataset.rows
    )


def _entries_of(last: Release | None) -> list[freeze.Entry]:
    if last is None:
        return []
    return freeze.input_read(places.release_dir(last.list_name, last.number))[1]


def _folder_make(plan: Plan) -> None:
    """Make the release's folder under a temporary name, then give it its own in one step."""
    final = places.release_dir(plan.frozen.list, plan.frozen.release)
    durable.folder_make(final.parent)
    for left in final.parent.glob(".*.tmp"):  # of a build that was killed
        shutil.rmtree(left)
    made = final.with_name(f".{final.name}.{secrets.token_hex(8)}.tmp")
    made.mkdir()
    freeze.input_write(made, plan.frozen, plan.ledger)
    produce.files_make(*freeze.input_read(made), made)
    durable.folder_place(made, final)


def _record(list_name: str, number: int) -> Release:
    """Take the folder of a release into the books."""
    folder = places.release_dir(list_name, number)
    data = (folder / places.MANIFEST_NAME).read_bytes()
    manifest = manifest_load(data)
    return Release.objects.create(
        list_name=list_name,
        number=number,
        created_on=manifest.created_on,
        audit_seq=freeze.input_read(folder)[0].audit_head.seq,
        manifest_sha256=hashlib.sha256(data).hexdigest(),
        keyset_sha256=manifest.keyset_sha256,
        tree_root=manifest.tree.root,
        entries=manifest.counts.entries,
        added=manifest.counts.added,
        withdrawn=manifest.counts.withdrawn,
    )


def _adopt(list_name: str) -> list[Release]:
    """Take in the releases whose folders are complete but have no row: a killed build's."""
    known = Release.objects.filter(list_name=list_name).order_by("-number").first()
    number = known.number + 1 if known else 1
    adopted = []
    while places.release_dir(list_name, number).is_dir():
        adopted.append(_record(list_name, number))
        number += 1
    return adopted
