"""Months that are over, as the audit log would have them."""

import datetime as dt
from collections.abc import Sequence

from releases.months import month_of
from removal.lifecycle import months_added
from removal.models import AuditEntry, today


def a_month_ago(day: int, *, months: int = 1) -> dt.date:
    """Return a day of a month before this one."""
    return months_added(month_of(today()), -months).replace(day=day)


def noted(entries: Sequence[tuple[str, bytes, dt.date, str | None]]) -> None:
    """Write entries of the log: act, tag, day, state."""
    last = 100_000 + AuditEntry.objects.count()
    AuditEntry.objects.bulk_create(
        AuditEntry(
            seq=last + n,
            day=day,
            actor="subject",
            act=act,
            subject=tag,
            detail={"state": state} if state else {},
            previous=b"",
            digest=b"",
        )
        for n, (act, tag, day, state) in enumerate(entries, 1)
    )


def answered(number: int, *, days: int = 5, months: int = 1, state: str = "approved") -> None:
    """Let requests come in on the first of a month and be answered so many days later."""
    begun = a_month_ago(1, months=months)
    tags = [f"{months}/{days}/{state}/{n}".encode() for n in range(number)]
    noted([("submitted", tag, begun, None) for tag in tags])
    noted([("decided", tag, begun + dt.timedelta(days=days), state) for tag in tags])
