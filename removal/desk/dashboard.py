"""The admin's front: how the work stands, in panels, each a chart with its table.

A panel is made by a function that its app registers here, for whoever has one of its rights; apps
above this one (the releases) put theirs in that way. The number of queries is the same however
many requests there are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.http import HttpRequest

from removal.desk.charts import Chart, Series
from removal.models import State
from removal.permissions import REVIEW, SEE
from removal.selectors import dashboard
from removal.selectors.dashboard import AGES, DECISIONS
from removal.templatetags.unlist_text import day


@dataclass(frozen=True, slots=True)
class Panel:
    """One part of the dashboard.

    Attributes:
        title: its heading.
        chart: with its table; None where words are enough.
        facts: names and values besides.
        bad: sentences that call for somebody to do something.
        note: what the figures are of.
        link: where to go on: an address and its name.
    """

    title: str
    chart: Chart | None = None
    facts: Sequence[tuple[str, str]] = field(default=())
    bad: Sequence[str] = field(default=())
    note: str = ""
    link: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class _Source:
    rights: frozenset[str]
    make: Callable[[], Panel]


_SOURCES: Final[dict[str, _Source]] = {}


def panel_register(name: str, make: Callable[[], Panel], *, rights: Sequence[str]) -> None:
    """Show a panel to whoever has one of the rights; the same name again replaces it."""
    _SOURCES[name] = _Source(frozenset(rights), make)


def panels(request: HttpRequest) -> list[Panel]:
    """Return the panels that somebody may see, in the order they were registered in."""
    return [
        source.make()
        for source in _SOURCES.values()
        if any(request.user.has_perm(right) for right in source.rights)
    ]


def _open() -> Panel:
    counts = dashboard.open_by_age()
    edges = ["up to a week", *(f"up to {age} days" for age in AGES[1:]), f"over {AGES[-1]} days"]
    ages = [Series(name, [counts[state][n] for state in counts]) for n, name in enumerate(edges)]
    chart = Chart(
        title="Open requests by state and age",
        head="State",
        labels=[state.label for state in counts],
        series=ages,
        shape="bars",
    )
    return Panel("Open requests by state and age", chart)


def _due() -> Panel:
    overdue, days = dashboard.due_by_day()
    chart = Chart(
        title="Open requests due within 7 days",
        head="Due",
        labels=["late", *(f"{when:%a %d}" for when, _ in days)],
        long_labels=["Overdue", *(f"{when:%A}, {day(when)}" for when, _ in days)],
        series=[Series("Requests", [overdue, *(n for _, n in days)])],
    )
    late = f"{overdue} overdue: the law gives a month, or three where it was extended."
    return Panel("Due within 7 days", chart, bad=[late] if overdue else [])


def _decided() -> Panel:
    weeks = dashboard.decided_by_week()
    outcomes = (State.APPROVED, State.PARTLY_APPROVED, State.DENIED)
    chart = Chart(
        title="Decisions per week",
        head="Week of",
        labels=[f"{monday:%d/%m}" for monday, _ in weeks],
        long_labels=[day(monday) for monday, _ in weeks],
        series=[
            Series(outcome.label, [counts[outcome] for _, counts in weeks]) for outcome in outcomes
        ],
    )
    return Panel("Decided per week", chart)


def _quality() -> Panel:
    kinds = dashboard.match_quality()
    chart = Chart(
        title="Rows approved, of a hundred decided",
        head="Kind",
        labels=[one.kind.label for one in kinds],
        series=[
            Series(
                "Approved",
                [one.share for one in kinds],
                [
                    f"{one.share:.0f} % ({one.approved:,} of {one.decided:,})"
                    if one.decided
                    else "none decided"
                    for one in kinds
                ],
            )
        ],
        shape="bars",
        full=100,
    )
    note = f"Of the rows of the last {DECISIONS} decisions whose cases are still held."
    return Panel("Match quality", chart, note=note)


for _name, _make in {"open": _open, "due": _due, "decided": _decided, "quality": _quality}.items():
    panel_register(_name, _make, rights=(SEE, REVIEW))
