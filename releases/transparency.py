"""What the service tells the public about its work: counts, too coarse to follow one person.

A count that moves by one when somebody sends a photo would tell a watcher that somebody did.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from removal.models import RemovalRequest, State

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

STEP = 10
_GROUPS: Mapping["StrPromise", frozenset[str]] = {
    gettext_lazy("Being searched or reviewed"): frozenset(
        {State.RECEIVED, State.SEARCHING, State.IN_REVIEW, State.NEEDS_INFO}
    ),
    gettext_lazy("Approved, in whole or in part"): frozenset(
        {State.APPROVED, State.PARTLY_APPROVED, State.RELEASED}
    ),
    gettext_lazy("Refused"): frozenset({State.DENIED}),
    gettext_lazy("Not found in any dataset"): frozenset({State.NO_MATCH}),
    gettext_lazy("Taken back or run out"): frozenset({State.WITHDRAWN, State.EXPIRED}),
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
            return _("fewer than %(number)s") % {"number": number_format(STEP)}
        number = number_format(self.at_least, force_grouping=True)
        return _("%(number)s or more") % {"number": number}


def request_counts() -> list[CoarseCount]:
    """Count the requests of the last year by where they stand, rounded down to tens."""
    counted = RemovalRequest.objects.order_by().values_list("state").annotate(Count("pk"))
    by_state = dict(counted)
    return [
        CoarseCount(str(label), sum(by_state.get(state, 0) for state in states) // STEP * STEP)
        for label, states in _GROUPS.items()
    ]
