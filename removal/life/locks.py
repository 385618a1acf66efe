"""A staff account locks itself after a few wrong tries, whoever makes them and from wherever.

No address is stored: the account alone is counted. A try is counted before it is judged, so that
many at once cannot outrun the lock; the right password takes its own try back, and both steps done
forget all. While an account is locked the right password does not open it either.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from removal import audit
from removal.models import StaffLock

TRIES: Final = 5
FIRST_LOCK: Final = dt.timedelta(minutes=1)
LONGEST_LOCK: Final = dt.timedelta(hours=1)


class AccountLocked(Exception):
    """The account is locked, or another try just locked it."""


@dataclass(frozen=True, slots=True)
class Try:
    """A try that was counted.

    Attributes:
        user_id: the account.
        failures: how many in a row, with this one.
        locked: for how long the account is locked if this one is wrong; None: not at all.
    """

    user_id: int
    failures: int
    locked: dt.timedelta | None


def lock_after(failures: int) -> dt.timedelta | None:
    """Return for how long so many wrong tries in a row lock an account."""
    if failures < TRIES:
        return None
    doublings = min(failures - TRIES, 10)  # far beyond the longest, and no overflow
    return min(FIRST_LOCK * int(2**doublings), LONGEST_LOCK)


def try_begin(user: User) -> Try:
    """Count a try, before anybody looks whether it is right.

    Raises:
        AccountLocked: the account is locked; the try was not counted.
    """
    now = timezone.now()
    with transaction.atomic():
        StaffLock.objects.get_or_create(user=user)
        lock = StaffLock.objects.select_for_update().get(user=user)
        if lock.locked_until is not None and lock.locked_until > now:
            raise AccountLocked
        failures = lock.failures + 1
        locked = lock_after(failures)
        until = None if locked is None else now + locked
        StaffLock.objects.filter(pk=lock.pk).update(failures=failures, locked_until=until)
    return Try(user.pk, failures, locked)


def try_right(tried: Try) -> None:
    """Take back the try that gave the right password; those before it still count."""
    locks = StaffLock.objects.filter(user=tried.user_id, failures__gt=0)
    if tried.locked is None:
        locks.update(failures=F("failures") - 1)
    else:
        locks.update(failures=F("failures") - 1, locked_until=None)


def try_wrong(tried: Try) -> None:
    """Note in the audit log that a wrong try locked the account; others are counted alone."""
    if tried.locked is None:
        return
    minutes = int(tried.locked.total_seconds()) // 60
    with transaction.atomic():
        audit.audit_append(
            act="staff_locked",
            actor=audit.staff(tried.user_id),
            detail={"failures": tried.failures, "minutes": minutes},
        )


def tries_forget(user: User) -> None:
    """Begin the count anew: both steps were right."""
    StaffLock.objects.filter(user=user).update(failures=0, locked_until=None)


def locked_until(user: User) -> dt.datetime | None:
    """Return until when an account is locked; None where it is not."""
    lock = StaffLock.objects.filter(user=user, locked_until__gt=timezone.now()).first()
    return lock.locked_until if lock else None


def account_unlock(*, user: User, actor: str) -> bool:
    """Open a locked account and begin its count anew; tell whether there was anything to do."""
    with transaction.atomic():
        opened = StaffLock.objects.filter(user=user, failures__gt=0).update(
            failures=0, locked_until=None
        )
        if opened:
            audit.audit_append(act="staff_unlocked", actor=actor, detail={"account": user.pk})
    return bool(opened)
