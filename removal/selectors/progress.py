"""How far a search has come, group by group: what answered, what has not, and why.

Counts alone: what was found is told to nobody before the search concludes.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from django.db.models import Count, Max, Sum

from catalog.models import Group
from catalog.stores import stores_served
from removal.models import RemovalRequest, SearchUnit, State

Reason = Literal["waiting", "unavailable", "no_worker", "not_indexed", "given_up", "added_later"]
REASONS: Final[tuple[Reason, ...]] = (
    "waiting",
    "unavailable",
    "no_worker",
    "not_indexed",
    "given_up",
    "added_later",
)
_UNDERWAY: Final = frozenset({State.RECEIVED, State.SEARCHING})


@dataclass(slots=True)
class SearchProgress:
    """A request's search.

    Attributes:
        searched: by dataset, the groups that answered.
        rows: by dataset, the rows of these groups that could be searched.
        searched_on: by dataset, the day of the latest answer.
        waiting: by dataset, why how many others have not (`waiting` for their turn, `unavailable`
            just now, `no_worker` serves their store).
        gone: groups that were taken out of the catalog while it ran.
        comparing, compared: groups whose best rows are compared by their pictures; of these, the
            finished.
        unread: pictures that could not be read for that.
    """

    searched: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    searched_on: dict[str, dt.date] = field(default_factory=dict)
    waiting: dict[str, Counter[Reason]] = field(default_factory=lambda: defaultdict(Counter))
    gone: int = 0
    comparing: int = 0
    compared: int = 0
    unread: int = 0

    @property
    def parts(self) -> int:
        """All groups that are waited for or answered."""
        return self.parts_searched + sum(self.total(reason) for reason in REASONS)

    @property
    def parts_searched(self) -> int:
        """The groups that answered."""
        return self.searched.total()

    def total(self, reason: Reason) -> int:
        """The groups that have not answered for one reason, of all datasets."""
        return sum(counts[reason] for counts in self.waiting.values())


def search_progress(request: RemovalRequest) -> SearchProgress:
    """Return how far the search of a request has come, as the database has it now."""
    progress = SearchProgress()
    units = SearchUnit.objects.filter(request=request)
    served = stores_served() if request.state in _UNDERWAY else set()
    facts = units.values(
        "stage",
        "state",
        "error",
        "group__state",
        "group__dataset__name",
        "group__dataset__store",
    ).annotate(
        units=Count("pk"),
        rows=Sum("group__rows_indexed"),
        unread=Sum("rows_unread"),
        on=Max("searched_on"),
    )
    for fact in facts.order_by():
        if fact["stage"] == SearchUnit.Stage.VERIFY:
            progress.comparing += fact["units"]
            done = fact["state"] == SearchUnit.State.DONE or fact["group__state"] is None
            progress.compared += fact["units"] if done else 0
            progress.unread += fact["unread"]
        else:
            _count(progress, fact, served)
    return progress


def _count(progress: SearchProgress, fact: Mapping[str, Any], served: set[str]) -> None:
    dataset, units = fact["group__dataset__name"], fact["units"]
    if fact["group__state"] is None:
        progress.gone += units
    elif fact["state"] == SearchUnit.State.DONE:
        progress.searched[dataset] += units
        progress.rows[dataset] += fact["rows"]
        progress.searched_on[dataset] = max(
            fact["on"], progress.searched_on.get(dataset, fact["on"])
        )
    else:
        progress.waiting[dataset][_reason(fact, served)] += units


def _reason(fact: Mapping[str, Any], served: set[str]) -> Reason:
    if fact["group__state"] != Group.State.READY or fact["error"]:
        return "unavailable"
    return "waiting" if fact["group__dataset__store"] in served else "no_worker"
