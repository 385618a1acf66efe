"""What is deleted when, and how: the key first, then what it opened, then the row that names it.

Photo and fingerprints go 14 days after the decision, at once when the subject withdraws, and
after 120 days whatever happens; the case 90 days after closing; the tombstone after 12 months.
(The numbers are settings.) Every step is idempotent: a run that dies is completed by the next.
"""

import datetime as dt
import logging
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from removal import audit, blobs, shred
from removal.lifecycle import CLOSED, TransitionRefused, step_taken
from removal.models import (
    Candidate,
    Photo,
    Purpose,
    Recipient,
    RemovalRequest,
    RetentionRun,
    SearchUnit,
    SpentTicket,
    State,
    Wrap,
    today,
)

# Files without a row are left by a transaction that was rolled back. A day is far longer than any
# transaction takes, and leaves time to put a wrongly restored database right.
ORPHAN_SECONDS: Final = 24 * 60 * 60
_BATCH: Final = 500
# Stands as closing day while a request is purged: a purge that dies is completed by the next run.
_PURGING: Final = dt.date(1970, 1, 1)
_PHOTO_KEYS: Final = (Purpose.PHOTO, Purpose.PRINT)

log = logging.getLogger(__name__)


def photos_delete_on(request: RemovalRequest, *, decided_on: dt.date) -> dt.date:
    """Return the day on which the photos of a decided request go."""
    kept = settings.UNLIST
    return min(
        decided_on + dt.timedelta(days=kept.keep_photo_days),
        request.received_on + dt.timedelta(days=kept.keep_photo_max_days),
    )


def retention_run() -> Counter[str]:
    """Delete what is due, and return how much of each."""
    done: Counter[str] = Counter()
    for request_id in _tombstones_due():
        done["tombstones"] += request_purge(request_id, act="purged", actor=audit.RETENTION)
    for request_id in _photos_due():
        done["photos"] += photos_destroy(request_id)
    for request_id in _unsearched():
        done["given_up"] += _search_given_up(request_id)
    for request_id in _cases_due():
        done["cases"] += case_destroy(request_id)
    done["worker_keys"] = worker_keys_destroy()
    done["orphan_keys"] = shred.keys_destroy(list(_orphan_keys()))
    done["orphan_blobs"] = _orphan_blobs_delete()
    done["tickets"] = SpentTicket.objects.filter(expires_at__lt=timezone.now()).delete()[0]
    RetentionRun.objects.update_or_create(pk=1, defaults={"ran_at": timezone.now()})
    log.info("retention: %s", ", ".join(f"{what} {count}" for what, count in done.items()))
    return done


def photos_destroy(request_id: uuid.UUID) -> bool:
    """Destroy photos and fingerprints of a request; tell whether any were left."""
    shred.keys_destroy(_shreds(request_id, _PHOTO_KEYS))
    day = today()
    with transaction.atomic():
        taken = RemovalRequest.objects.filter(pk=request_id, photos_deleted_on__isnull=True).update(
            photos_deleted_on=day, links_sealed=b""
        )
        if not taken:
            return False
        request = RemovalRequest.objects.get(pk=request_id)
        names = list(request.photos.values_list("blob", flat=True))
        Wrap.objects.filter(key__request_id=request_id, key__purpose__in=_PHOTO_KEYS).delete()
        request.photos.update(
            state=Photo.State.DELETED, deleted_on=day, fingerprint_sealed=b"", probe_sealed=b""
        )
        SearchUnit.objects.filter(request_id=request_id).update(hits_sealed=b"", rows_sealed=b"")
        transaction.on_commit(lambda: blobs.blobs_delete(names), robust=True)
        audit.audit_append(
            act="photos_destroyed",
            actor=audit.RETENTION,
            tag=_tag_left(request),
            detail={"photos": len(names)},
        )
    return True


def _search_given_up(request_id: uuid.UUID) -> bool:
    """Hand a request that can not be searched any more to the maintainers; tell whether it went."""
    try:
        with step_taken(request_id, "search_given_up", State.IN_REVIEW, actor=audit.RETENTION):
            SearchUnit.objects.filter(request_id=request_id).update(lease_token=None)
    except (TransitionRefused, shred.KeyShredded) as refused:
        log.warning("request %s stays as it is: %s", request_id, type(refused).__name__)
        return False
    return True


def case_destroy(request_id: uuid.UUID) -> bool:
    """Destroy words and rows of a closed request; its tombstone stays."""
    photos_destroy(request_id)
    shred.keys_destroy(_shreds(request_id, (Purpose.CASE,)))
    with transaction.atomic():
        taken = RemovalRequest.objects.filter(pk=request_id, case_deleted_on__isnull=True).update(
            case_deleted_on=today(),
            category="",
            link_count=0,
            content_sealed=b"",
            extension_sealed=b"",
            statement_sealed=b"",
        )
        if not taken:
            return False
        request = RemovalRequest.objects.get(pk=request_id)
        Wrap.objects.filter(key__request_id=request_id, key__purpose=Purpose.CASE).delete()
        Candidate.objects.filter(request_id=request_id).delete()
        SearchUnit.objects.filter(request_id=request_id).delete()
        audit.audit_append(act="case_destroyed", actor=audit.RETENTION, tag=_tag_left(request))
    return True


def request_purge(request_id: uuid.UUID, *, act: str, actor: str) -> bool:
    """Destroy every trace of a request but its audit entries, which then name nobody."""
    request = RemovalRequest.objects.filter(pk=request_id).first()
    if request is None:
        return False
    RemovalRequest.objects.filter(pk=request_id).update(closed_on=_PURGING)
    names = list(request.photos.values_list("blob", flat=True))
    tag = _tag_left(request)
    shred.keys_destroy([*_shreds(request_id, tuple(Purpose)), request.audit_shred])
    with transaction.atomic():
        deleted, _ = RemovalRequest.objects.filter(pk=request_id).delete()
        if not deleted:
            return False
        transaction.on_commit(lambda: blobs.blobs_delete(names), robust=True)
        audit.audit_append(act=act, actor=actor, tag=tag)
    return True


def request_erase(request_id: uuid.UUID) -> bool:
    """Erase a request at its subject's own wish, tombstone included."""
    return request_purge(request_id, act="erased", actor=audit.SUBJECT)


def worker_keys_destroy(request_ids: Iterable[uuid.UUID] | None = None) -> int:
    """Destroy the worker's wraps of requests whose search is over; return how many there were."""
    over = Wrap.objects.filter(recipient=Recipient.WORKER).exclude(
        key__request__state__in=(State.RECEIVED, State.SEARCHING)
    )
    if request_ids is not None:
        over = over.filter(key__request_id__in=request_ids)
    wraps = list(over.values_list("pk", "shred"))
    shred.keys_destroy([name for _, name in wraps])
    Wrap.objects.filter(pk__in=[pk for pk, _ in wraps]).delete()
    return len(wraps)


def _shreds(request_id: uuid.UUID, purposes: tuple[Purpose, ...]) -> list[uuid.UUID]:
    wraps = Wrap.objects.filter(key__request_id=request_id, key__purpose__in=purposes)
    return list(wraps.values_list("shred", flat=True))


def _tag_left(request: RemovalRequest) -> bytes:
    """Return what names a request in the log; nothing once a purge destroyed its audit key."""
    try:
        return audit.subject_tag(request)
    except shred.KeyShredded:
        return b""


def _due(*conditions: Q, **more: object) -> list[uuid.UUID]:
    requests: QuerySet[RemovalRequest] = RemovalRequest.objects.filter(*conditions, **more)
    return list(requests.order_by("received_on").values_list("pk", flat=True))


def _photos_due() -> list[uuid.UUID]:
    return _due(photos_deleted_on__isnull=True, photos_delete_on__lte=today())


def _unsearched() -> list[uuid.UUID]:
    return _due(photos_deleted_on__isnull=False, state__in=(State.RECEIVED, State.SEARCHING))


def _cases_due() -> list[uuid.UUID]:
    limit = today() - dt.timedelta(days=settings.UNLIST.keep_case_days)
    return _due(case_deleted_on__isnull=True, state__in=CLOSED, closed_on__lte=limit)


def _tombstones_due() -> list[uuid.UUID]:
    limit = today() - dt.timedelta(days=settings.UNLIST.keep_tombstone_days)
    return _due(Q(state__in=CLOSED, closed_on__lte=limit) | Q(closed_on=_PURGING))


def _orphan_keys() -> Iterator[uuid.UUID]:
    """Yield shred keys that no row names."""
    for names in _in_batches(shred.keys_older_than(ORPHAN_SECONDS)):
        known = set(Wrap.objects.filter(shred__in=names).values_list("shred", flat=True))
        known |= set(
            RemovalRequest.objects.filter(audit_shred__in=names).values_list(
                "audit_shred", flat=True
            )
        )
        yield from names - known


def _orphan_blobs_delete() -> int:
    """Unlink blobs that no held photo names."""
    orphans: list[uuid.UUID] = []
    for names in _in_batches(shred.files_older_than(blobs.folder(), ORPHAN_SECONDS)):
        held = Photo.objects.filter(blob__in=names, state=Photo.State.HELD)
        orphans.extend(names - set(held.values_list("blob", flat=True)))
    blobs.blobs_delete(orphans)
    return len(orphans)


def _in_batches(names: Iterator[uuid.UUID]) -> Iterator[set[uuid.UUID]]:
    batch: set[uuid.UUID] = set()
    for name in names:
        batch.add(name)
        if len(batch) == _BATCH:
            yield batch
            batch = set()
    if batch:
        yield batch
