"""What happened in each month, counted from the audit log once the month is over, and kept.

The audit log is the only record that outlives a request's own, cannot change, and names nobody:
so a month can be counted at any time later and gives the same. What is stored is what may be told
(`suppression`), never an exact count; the rows put on a list are the exception (`RowsListed`), for
the log does not name datasets.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from django.db import transaction
from django.db.models import Sum

from releases.models import MonthTold, RowsListed
from releases.suppression import Tables, told
from removal.audit import audit_head_locked
from removal.lifecycle import months_added
from removal.models import AuditEntry, State, today

OUTCOMES: Final = {
    State.APPROVED: "approved",
    State.PARTLY_APPROVED: "partly_approved",
    State.DENIED: "denied",
    State.NO_MATCH: "no_match",
}
DAYS: Final = (1, 3, 7, 14, 21, 31, 62, 93)
"""The last day of each span of days to an answer; one more span has no end."""
SPANS: Final = tuple(
    f"{first}-{last}" for first, last in zip((0, *(n + 1 for n in DAYS)), (*DAYS, ""), strict=True)
)
CLOCK: Final = ("within_month", "later")
ANSWERS: Final = ("outcomes", "days", "clock")
"""The tables that divide the same answers."""
_ACTS: Final = ("submitted", "appealed", "decided", "search_concluded", "withdrawn", "expired")


def tables_empty() -> Tables:
    """Return every cell that is always told of, at zero."""
    return {
        "requests": {"received": 0, "ended": 0},
        "outcomes": dict.fromkeys(OUTCOMES.values(), 0),
        "days": dict.fromkeys(SPANS, 0),
        "clock": dict.fromkeys(CLOCK, 0),
        "rows": {},
    }


@dataclass(slots=True)
class _Tally:
    """Running totals, and since when each request waits for its answer."""

    tables: Tables = field(default_factory=tables_empty)
    asked: dict[bytes, dt.date] = field(default_factory=dict)

    def heard(self, act: str, tag: bytes, day: dt.date, state: str | None) -> None:
        """Count one entry of the log."""
        if act in {"submitted", "appealed"}:
            self.asked[tag] = day
            self.tables["requests"]["received"] += act == "submitted"
        elif act in {"withdrawn", "expired"}:
            self.tables["requests"]["ended"] += 1
        elif state in OUTCOMES:
            self._answered(OUTCOMES[State(state)], self.asked.get(tag, day), day)

    def _answered(self, outcome: str, since: dt.date, day: dt.date) -> None:
        self.tables["outcomes"][outcome] += 1
        self.tables["days"][span_of((day - since).days)] += 1
        self.tables["clock"][CLOCK[day > months_added(since, 1)]] += 1


def span_of(days: int) -> str:
    """Return the span that a number of days lies in."""
    return SPANS[sum(days > last for last in DAYS)]


def month_of(day: dt.date) -> dt.date:
    """Return the first day of a day's month."""
    return day.replace(day=1)


def months_close() -> int:
    """Store what may be told of every month that is over and not stored yet; return how many.

    The head of the audit log is held meanwhile, so that two processes close a month once.
    """
    if _closed_all():
        return 0
    with transaction.atomic():
        audit_head_locked()
        last = MonthTold.objects.order_by("-month").first()
        before = last.tables if last else tables_empty()
        made = 0
        for month, counts in _running_totals():
            if last and month <= last.month:
                continue
            before = told(before, counts, ANSWERS)
            MonthTold.objects.create(month=month, tables=before)
            made += 1
    return made


def _closed_all() -> bool:
    """Tell whether the month before this one is stored, or there is nothing to store."""
    newest = MonthTold.objects.order_by("-month").values_list("month", flat=True).first()
    if newest is not None and months_added(newest, 1) == month_of(today()):
        return True
    return not AuditEntry.objects.filter(day__lt=month_of(today())).exists()


def _running_totals() -> Iterator[tuple[dt.date, Tables]]:
    """Yield each closed month from the first that the log knows, with the totals at its end."""
    rows = _rows_by_month()
    tally, month = _Tally(), None
    entries = AuditEntry.objects.filter(day__lt=month_of(today()), act__in=_ACTS).order_by("seq")
    facts = entries.values_list("act", "subject", "day", "detail__state")
    for act, tag, day, state in facts.iterator(chunk_size=5000):
        while month is not None and month < month_of(day):
            yield month, _with_rows(tally, rows, month)
            month = months_added(month, 1)
        month = month or month_of(day)
        tally.heard(act, bytes(tag), day, state)
    while month is not None and month < month_of(today()):
        yield month, _with_rows(tally, rows, month)
        month = months_added(month, 1)


def _rows_by_month() -> dict[dt.date, Counter[str]]:
    counted = RowsListed.objects.values_list("month", "dataset").annotate(n=Sum("rows"))
    found: dict[dt.date, Counter[str]] = {}
    for month, dataset, n in counted.order_by("month"):
        found.setdefault(month, Counter())[dataset] += n
    return found


def _with_rows(tally: _Tally, rows: dict[dt.date, Counter[str]], month: dt.date) -> Tables:
    """Return the totals at the end of a month; the next months count on."""
    listed = sum((some for of, some in rows.items() if of <= month), Counter[str]())
    tables = {name: dict(table) for name, table in tally.tables.items()}
    return {**tables, "rows": dict(sorted(listed.items()))}
