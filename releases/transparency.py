"""What the service tells the public about its work: counts, too coarse to follow one person.

A count that moves by one when somebody sends a photo would tell a watcher that somebody did.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Count

from removal.models import RemovalRequest, State

STEP = 10
_GROUPS: Mapping[str, frozenset[str]] = {
    "Being searched or reviewed": frozenset(
        {State.RECEIVED, State.SEARCHING, State.IN_REVIEW, State.NEEDS_INFO}
    ),
    "Approved, in whole or in part": frozenset(
        {State.APPROVED, State.PARTLY_APPROVED, State.RELEASED}
    ),
    "Denied": frozenset({State.DENIED}),
    "Not found in any dataset": frozenset({State.NO_MATCH}),
    "Taken back or run out": frozenset({State.WITHDRAWN, State.EXPIRED}),
}


@dataclass(frozen=True)
class CoarseCount:
    """How many requests stand somewhere; `at_least` is a multiple of `STEP`."""

    label: str
    at_least: int

    @property
    def words(self) -> str:
        """The count as the page shows it."""
        if self.at_least == 0:
            return f"fewer than {STEP}"
        return f"{self.at_least:,} or more".replace(",", "\N{NARROW NO-BREAK SPACE}")


def request_counts() -> list[CoarseCount]:
    """Count the requests of the last year by where they stand, rounded down to tens."""
    counted = RemovalRequest.objects.order_by().values_list("state").annotate(Count("pk"))
    by_state = dict(counted)
    return [
        CoarseCount(label, sum(by_state.get(state, 0) for state in states) // STEP * STEP)
        for label, states in _GROUPS.items()
    ]
