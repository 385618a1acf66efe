"""What the service tells the public about its work, as `/transparency/` and its JSON show it.

All of it comes from what was stored when each month closed (`months`, by the rules of
`suppression`), and from the releases, which are public anyway. Nothing is read here that moves
when somebody sends a photo.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from releases.models import MonthTold, Release
from releases.months import SPANS, tables_empty
from releases.suppression import STEP, Table, Tables

FORMAT: Final = "unlist-transparency/1"
RECENT: Final = 12
"""How many months the times to an answer are taken over: a year."""
ENOUGH: Final = 50
"""Of fewer answers no share is told: ten more or fewer would turn it over."""


@dataclass(frozen=True, slots=True)
class Span:
    """A span of days; the last has no end."""

    first: int
    last: int | None

    @classmethod
    def read(cls, name: str) -> Self:
        """Return the span of a cell's name, one of `months.SPANS`."""
        first, _, last = name.partition("-")
        return cls(int(first), int(last) if last else None)


@dataclass(frozen=True, slots=True)
class Month:
    """What was told of one month: the tens that were filled in it."""

    month: dt.date
    tables: Tables


@dataclass(frozen=True, slots=True)
class Report:
    """All that is told.

    Attributes:
        months: every closed month, the latest first.
        total: running totals at the end of the latest.
        recent: what the last `RECENT` months added to them.
        median, ninth: the spans of days by whose end half, and nine in ten, of the recent answers
            had come; None where too few were told.
        within_month: about which share of them came within the legal month; None likewise.
    """

    months: Sequence[Month]
    total: Tables
    recent: Tables
    median: Span | None
    ninth: Span | None
    within_month: float | None


def report() -> Report:
    """Return what is told now; it changes when a month closes, and at no other time."""
    stored = list(MonthTold.objects.order_by("month"))
    totals = [tables_empty(), *(one.tables for one in stored)]
    pairs = zip(stored, totals, totals[1:], strict=False)
    months = [Month(one.month, _difference(before, after)) for one, before, after in pairs]
    recent = _difference(totals[max(0, len(stored) - RECENT)], totals[-1])
    return Report(
        months=months[::-1],
        total=totals[-1],
        recent=recent,
        median=percentile(recent["days"], 0.5),
        ninth=percentile(recent["days"], 0.9),
        within_month=_share(recent["clock"]),
    )


def percentile(days: Table, share: float) -> Span | None:
    """Return the span by whose end a share of the told answers had come."""
    wanted, came = sum(days.values()) * share, 0
    for name in SPANS:
        came += days[name]
        if came and came >= wanted:
            return Span.read(name)
    return None


def report_facts(told: Report, releases: Sequence[Release]) -> dict[str, Any]:
    """Return a report as JSON tells it; `releases` are those that clients can see."""
    return {
        "format": FORMAT,
        "step": STEP,
        "closed_through": f"{told.months[0].month:%Y-%m}" if told.months else None,
        "totals": told.total,
        "months": [{"month": f"{one.month:%Y-%m}", **one.tables} for one in told.months],
        "last_year": {
            "median_days": _span_facts(told.median),
            "p90_days": _span_facts(told.ninth),
            "within_legal_month": told.within_month,
        },
        "releases": [
            {
                "release": one.number,
                "published_on": one.published_on and one.published_on.isoformat(),
                "entries": one.entries,
                "added": one.added,
                "withdrawn": one.withdrawn,
            }
            for one in releases
        ],
    }


def _difference(before: Mapping[str, Table], after: Mapping[str, Table]) -> Tables:
    return {
        name: {cell: count - before.get(name, {}).get(cell, 0) for cell, count in table.items()}
        for name, table in after.items()
    }


def _share(clock: Table) -> float | None:
    answers = sum(clock.values())
    return round(clock["within_month"] / answers, 2) if answers >= ENOUGH else None


def _span_facts(span: Span | None) -> dict[str, int | None] | None:
    return {"from": span.first, "to": span.last} if span else None
