"""What is deleted when. How is said in `destroying`.

Photo and fingerprints go 14 days after the decision (or the decided appeal), at once when the
subject withdraws or asks for it, and after 120 days whatever happens; the case 90 days after
closing; the tombstone after 12 months. (The numbers are settings.) Every step is idempotent: a run
that dies is completed by the next.
"""

import datetime as dt
import logging
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Final

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from removal import audit, blobs, rotation, shred
from removal.closing import case_may_end
from removal.conversation import requests_expire
from removal.destroying import (
    PURGING,
    case_destroy,
    photos_destroy,
    request_erase,
    request_purge,
    sessions_forget,
    worker_keys_destroy,
)
from removal.lifecycle import CLOSED, TransitionRefused, step_taken
from removal.models import (
    Photo,
    RemovalRequest,
    RetentionRun,
    SearchUnit,
    SpentTicket,
    State,
    SubjectSession,
    Wrap,
    today,
)
from removal.sessions import IDLE

# Files without a row are left by a transaction that was rolled back. A day is far longer than any
# transaction takes, and leaves time to put a wrongly restored database right.
ORPHAN_SECONDS: Final = 24 * 60 * 60
LATE: Final = dt.timedelta(hours=25)
"""How old the last run may be before `doctor` and the health page alarm."""
_BATCH: Final = 500

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
    done["sessions"] = sessions_destroy()
    done["expired"] = requests_expire()
    for request_id in _tombstones_due():
        done["tombstones"] += request_purge(request_id, act="purged", actor=audit.RETENTION)
    for request_id in _photos_due():
        done["photos"] += photos_destroy(request_id)
    for request_id in _unsearched():
        done["given_up"] += _search_given_up(request_id)
    for request_id in _cases_due():
        done["cases"] += case_may_end(request_id) and case_destroy(request_id)
    done["worker_keys"] = worker_keys_destroy()
    done["orphan_keys"] = shred.keys_destroy(list(_orphan_keys()))
    done["orphan_blobs"] = _orphan_blobs_delete()
    done["tickets"] = SpentTicket.objects.filter(expires_at__lt=timezone.now()).delete()[0]
    RetentionRun.objects.update_or_create(pk=1, defaults={"ran_at": timezone.now()})
    done.update(rotation.rotations_continue())
    log.info("retention: %s", ", ".join(f"{what} {count}" for what, count in done.items()))
    return done


def retention_late() -> str | None:
    """Return when retention last ran, in words, where that is too long ago; else None.

    As long as there is nothing to delete, nothing is late.
    """
    if not RemovalRequest.objects.exists():
        return None
    run = RetentionRun.objects.first()
    if run is not None and timezone.now() - run.ran_at < LATE:
        return None
    return f"last ran at {run.ran_at:%Y-%m-%d %H:%M} UTC" if run else "never ran"


def sessions_destroy() -> int:
    """Destroy the sessions that have ended; return how many there were."""
    now = timezone.now()
    ended = Q(expires_at__lte=now) | Q(used_at__lte=now - IDLE)
    return sessions_forget(SubjectSession.objects.filter(ended))


def _search_given_up(request_id: uuid.UUID) -> bool:
    """Hand a request that can not be searched any more to the maintainers; tell whether it went."""
    try:
        with step_taken(request_id, "search_given_up", State.IN_REVIEW, actor=audit.RETENTION):
            SearchUnit.objects.filter(request_id=request_id).update(lease_token=None)
    except (TransitionRefused, shred.KeyShredded) as refused:
        log.warning("request %s stays as it is: %s", request_id, type(refused).__name__)
        return False
    return True


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
    return _due(Q(state__in=CLOSED, closed_on__lte=limit) | Q(closed_on=PURGING))


def _orphan_keys() -> Iterator[uuid.UUID]:
    """Yield shred keys that no row names."""
    for names in _in_batches(shred.keys_older_than(ORPHAN_SECONDS)):
        wraps = Wrap.objects.filter(shred__in=names).values_list("shred", flat=True)
        sessions = SubjectSession.objects.filter(shred__in=names).values_list("shred", flat=True)
        requests = RemovalRequest.objects.filter(audit_shred__in=names)
        audits = requests.values_list("audit_shred", flat=True)
        yield from names - {*wraps, *sessions, *audits}


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


__all__ = [
    "LATE",
    "ORPHAN_SECONDS",
    "case_destroy",
    "photos_delete_on",
    "photos_destroy",
    "request_erase",
    "request_purge",
    "retention_late",
    "retention_run",
    "sessions_destroy",
    "worker_keys_destroy",
]
