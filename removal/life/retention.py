"""What is deleted when. How is said in `destroying`.

Photo and fingerprints go 14 days after the decision (or the decided appeal), at once when the
subject withdraws or asks for it, and after 120 days whatever happens; the case 90 days after
closing; the tombstone after 12 months. (The numbers are settings.) Every step is idempotent: a run
that dies is completed by the next. What a legal hold lies on is never due: it goes once the hold
has ended, by the same clock.
"""

import datetime as dt
import logging
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from removal import audit
from removal.custody import blobs, rotation, shred
from removal.life.closing import case_may_end
from removal.life.destroying import (
    PURGING,
    case_destroy,
    photos_destroy,
    request_purge,
    sessions_forget,
    worker_keys_destroy,
)
from removal.life.errands import errands_give_up
from removal.life.questions import requests_expire
from removal.life.sessions import IDLE
from removal.life.sweep_ends import sweeps_end
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

# Files without a row are left by a transaction that was rolled back. A day is far longer than any
# transaction takes, and leaves time to put a wrongly restored database right.
ORPHAN_SECONDS: Final = 24 * 60 * 60
LATE: Final = dt.timedelta(hours=25)
"""How old the last run may be before `doctor` and the health page alarm."""
_BATCH: Final = 500

log = logging.getLogger(__name__)


class RetentionIncomplete(Exception):
    """Something that is due could not be deleted; all else was, and the next run tries again."""

    def __init__(self, faults: Iterable[str]) -> None:
        told = ", ".join(f"{kind} {count}" for kind, count in sorted(Counter(faults).items()))
        super().__init__(
            f"Not everything that is due could be deleted ({told}): see that this process may "
            "write the shred store and the data folder, then run shred_expired."
        )


def photos_delete_on(request: RemovalRequest, *, decided_on: dt.date) -> dt.date:
    """Return the day on which the photos of a decided request go."""
    kept = settings.UNLIST
    return min(
        decided_on + dt.timedelta(days=kept.keep_photo_days),
        request.received_on + dt.timedelta(days=kept.keep_photo_max_days),
    )


def retention_run() -> Counter[str]:
    """Delete what is due, and return how much of each.

    Raises:
        RetentionIncomplete: something could not be deleted; it held up nothing else.
    """
    run = _Run()
    run.take("sessions", sessions_destroy)
    run.take("expired", requests_expire)
    run.each("tombstones", _tombstones_due(), _purged)
    run.each("photos", _photos_due(), photos_destroy)
    run.each("given_up", _unsearched(), _search_given_up)
    run.each("cases", _cases_due(), _case_ended)
    run.take("worker_keys", worker_keys_destroy)
    run.take("errands", errands_give_up)
    run.take("sweeps", sweeps_end)
    run.take("orphan_keys", lambda: shred.keys_destroy(list(_orphan_keys())))
    run.take("orphan_blobs", _orphan_blobs_delete)
    run.take("tickets", _tickets_forget)
    run.done.update(rotation.rotations_continue())
    log.info("retention: %s", ", ".join(f"{what} {count}" for what, count in run.done.items()))
    if run.faults:
        raise RetentionIncomplete(run.faults)
    RetentionRun.objects.update_or_create(pk=1, defaults={"ran_at": timezone.now()})
    return run.done


class _Run:
    """What a run has deleted, and the kinds of the errors it met."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.faults: list[str] = []

    def take(self, what: str, act: Callable[[], int]) -> None:
        """Count what `act` deletes. Its error is logged by its kind alone: the text names files."""
        self.done[what] += 0
        try:
            self.done[what] += act()
        except Exception as error:  # noqa: BLE001  # whatever it is, the next in line goes on time
            self.faults.append(type(error).__name__)
            log.warning("retention of %s failed: %s", what, type(error).__name__)

    def each(self, what: str, due: Iterable[uuid.UUID], act: Callable[[uuid.UUID], int]) -> None:
        """Take the requests that are due, one by one."""
        for request_id in due:
            self.take(what, partial(act, request_id))


def _purged(request_id: uuid.UUID) -> bool:
    return request_purge(request_id, act="purged", actor=audit.RETENTION)


def _case_ended(request_id: uuid.UUID) -> bool:
    return case_may_end(request_id) and case_destroy(request_id, where=_case_due())


def _tickets_forget() -> int:
    return SpentTicket.objects.filter(expires_at__lt=timezone.now()).delete()[0]


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
    unheld: QuerySet[RemovalRequest] = RemovalRequest.objects.filter(held_on__isnull=True)
    requests = unheld.filter(*conditions, **more)
    return list(requests.order_by("received_on").values_list("pk", flat=True))


def _photos_due() -> list[uuid.UUID]:
    return _due(photos_deleted_on__isnull=True, photos_delete_on__lte=today())


def _unsearched() -> list[uuid.UUID]:
    return _due(photos_deleted_on__isnull=False, state__in=(State.RECEIVED, State.SEARCHING))


def _cases_due() -> list[uuid.UUID]:
    return _due(_case_due(), case_deleted_on__isnull=True)


def _case_due() -> Q:
    limit = today() - dt.timedelta(days=settings.UNLIST.keep_case_days)
    return Q(state__in=CLOSED, closed_on__lte=limit)


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
