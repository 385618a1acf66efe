"""Leases: work that a process holds for seconds, renews while it lives, and loses when it dies.

A lease is a random token with a time on the row of the work itself. Taking it, renewing it and
handing in the result are each one UPDATE with the token in its WHERE, so that a worker that was
thought dead and was not can neither renew nor write.
"""

import datetime as dt
import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.db import DatabaseError, connections
from django.db.models import F, Q, QuerySet
from django.utils import timezone

LEASE: Final = dt.timedelta(seconds=20)
RENEW_SECONDS: Final = 5.0
# Work that its worker did not survive this often is tried once an hour, so that it cannot keep
# every worker from everything else.
FRAIL: Final = 5
_FRAIL_PAUSE: Final = dt.timedelta(hours=1)

log = logging.getLogger(__name__)


def lease_free() -> Q:
    """The condition that nobody holds the row."""
    now = timezone.now()
    never = Q(lease_until__isnull=True)
    over = Q(lease_until__lt=now, attempts__lt=FRAIL)
    return never | over | Q(lease_until__lt=now - _FRAIL_PAUSE)


def lease_claim(rows: QuerySet[Any], token: uuid.UUID) -> int:
    """Take a lease on rows (restrict them by ``lease_free``); returns how many were taken."""
    return rows.update(
        lease_token=token, lease_until=timezone.now() + LEASE, attempts=F("attempts") + 1
    )


@contextmanager
def lease_kept(
    renew: Callable[[], int], *, every: float = RENEW_SECONDS
) -> Iterator[threading.Event]:
    """Renew a lease from a thread while the body works.

    Args:
        renew: does the UPDATE and returns its row count; 0 means that the lease is lost, and the
            renewing ends. The body is not interrupted: its result will find no row to go to.
        every: seconds between renewals.

    Yields:
        What is set once the lease is lost, for a body that wants to stop early.
    """
    stop, lost = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=_renewing, args=(renew, stop, lost, every), name="lease", daemon=True
    )
    thread.start()
    try:
        yield lost
    finally:
        stop.set()
        thread.join()


def _renewing(
    renew: Callable[[], int], stop: threading.Event, lost: threading.Event, every: float
) -> None:
    try:
        while not stop.wait(every):
            try:
                if not renew():
                    lost.set()
                    return
            except DatabaseError as error:  # the database was away: the next beat tries again
                log.warning("a lease could not be renewed: %s", type(error).__name__)
                connections.close_all()
    finally:
        connections.close_all()  # this thread's own
