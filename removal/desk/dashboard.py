"""The admin's front: how the work stands, in panels, each a chart with its table.

A panel is made by a function that its app registers here, for whoever has one of its rights; apps
above this one (the releases) put theirs in that way. The number of queries is the same however
many requests there are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.conf import settings
from django.http import HttpRequest

from removal.desk.charts import Chart, Series
from removal.models import State
from removal.permissions import REVIEW, SEE
from removal.selectors import dashboard
from removal.selectors.dashboard import AGES, DECISIONS
from removal.selectors.decided import rules_by_day
from removal.templatetags.unlist_text import day

RULE_DAYS: Final = 7


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
    make: Callable[[], Panel | None]


_SOURCES: Final[dict[str, _Source]] = {}


def panel_register(name: str, make: Callable[[], Panel | None], *, rights: Sequence[str]) -> None:
    """Show a panel to whoever has one of the rights; the same name again replaces it.

    Where `make` returns None there is nothing to show.
    """
    _SOURCES[name] = _Source(frozenset(rights), make)


def panels(request: HttpRequest) -> list[Panel]:
    """Return the panels that somebody may see, in the order they were registered in."""
    made = (
        source.make()
        for source in _SOURCES.values()
        if any(request.user.has_perm(right) for right in source.rights)
    )
    return [panel for panel in made if panel is not None]


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


def _ruled() -> Panel | None:
    """Show what rules approved; nothing where none is on and none was lately."""
    on = settings.UNLIST
    days = rules_by_day(RULE_DAYS)
    if not on.rule_categories and not any(n for _, n in days):
        return None
    chart = Chart(
        title="Requests approved by a rule",
        head="Day",
        labels=[f"{when:%a %d}" for when, _ in days],
        long_labels=[f"{when:%A}, {day(when)}" for when, _ in days],
        series=[Series("Requests", [n for _, n in days])],
    )
    note = (
        f"On for {', '.join(on.rule_categories)}: up to {on.rules_rows} rows, all the very file "
        f"that was sent, and {on.rules_per_day} requests a day."
        if on.rule_categories
        else "No rule is on any more."
    )
    return Panel("Approved by a rule", chart, note=note)


_PANELS: Final = {
    "open": _open,
    "due": _due,
    "decided": _decided,
    "quality": _quality,
    "ruled": _ruled,
}
for _name, _make in _PANELS.items():
    panel_register(_name, _make, rights=(SEE, REVIEW))
