"""What a request's page says of copies of its approved rows that were found after the decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import User

from removal import permissions
from removal.desk import words
from removal.desk.forms import DecisionForm, TalkForm
from removal.desk.grouping import RowGroup, rows_grouped
from removal.desk.tiles import tile_shown
from removal.life.errands import PARTIAL
from removal.lifecycle import STEPS
from removal.models import ErrandState, Kind, State
from removal.selectors import CandidateView, ReviewCase
from removal.selectors.duplicates import CopiesSearch, copies_search
from removal.templatetags.unlist_text import day

_DECIDED: Final = STEPS["duplicates_approved"].sources
_FAULTS: Final[Mapping[str, str]] = {
    "too_old": "no worker came to it for two weeks",
    "replaced": "another search took its place",
    "key_gone": "its key was destroyed",
}


@dataclass(frozen=True, slots=True)
class CopiesShown:
    """The part of the page about copies.

    Attributes:
        search: how the search for them stands, in a sentence; empty where there is nothing to say.
        summary: how many rows wait, and where.
        parts: the tiles, copies of the person's picture apart from copies of look-alikes.
        rows: how many rows could be approved.
        shown: the ids of all that wait, those that no list could name included.
        unnameable: the rows that no list could name.
        aside: how many were set aside.
        choosable: whether this reader can approve or set aside some now.
    """

    search: str
    summary: str
    parts: Sequence[Mapping[str, Any]]
    rows: int
    shown: Sequence[str]
    unnameable: Sequence[CandidateView]
    aside: int
    choosable: bool

    @property
    def anything(self) -> bool:
        """Whether there is anything to say."""
        return bool(self.search or self.shown or self.aside)


def copies_grouped(case: ReviewCase) -> list[RowGroup]:
    """Return the copies that could be approved, as tiles; what no list can name is left out."""
    return rows_grouped([row for row in case.offered if row.nameable])


def copies_shown(
    case: ReviewCase, reader: User, *, proposed: bool, form: DecisionForm | None
) -> CopiesShown:
    """Return what the page says of copies.

    Args:
        case: the request.
        reader: who reads the page.
        proposed: something is proposed about the request.
        form: what they chose, where they did; at first all are chosen.
    """
    state = State(case.request.state)
    groups = copies_grouped(case)
    chosen = form or DecisionForm(tiles=frozenset(str(one.first.id) for one in groups))
    open_to = reader.has_perm(permissions.REVIEW) and not proposed
    return CopiesShown(
        search=_search_words(copies_search(case.request), state),
        summary=_summary(case.offered, state),
        parts=[
            {"kind": kind, "tiles": [tile_shown(one, case, chosen, TalkForm()) for one in theirs]}
            for kind in (Kind.COPY, Kind.SIMILAR)
            if (theirs := [one for one in groups if (one.kind == Kind.SIMILAR) == (kind != "copy")])
        ],
        rows=sum(len(group.rows) for group in groups),
        shown=[str(row.id) for row in case.offered],
        unnameable=[row for row in case.offered if not row.nameable],
        aside=case.set_aside,
        choosable=open_to and state in _DECIDED and case.request.escalated_on is None,
    )


def _summary(offered: Sequence[CandidateView], state: State) -> str:
    if not offered:
        return ""
    datasets = len({row.dataset for row in offered})
    found = f"{words.counted(len(offered), 'row')} in {words.counted(datasets, 'dataset')}"
    if state in _DECIDED:
        return f"{found}: copies of rows that were approved, found after the decision."
    return f"{found} wait until the appeal is decided: copies of rows that were approved before."


def _search_words(search: CopiesSearch | None, state: State) -> str:
    """Say how the search for copies stands, while that is of use."""
    if search is None or state not in _DECIDED:
        return ""
    if search.underway:
        so_far = (
            f": {search.groups_done} of {words.counted(search.groups, 'group')} so far"
            if search.groups
            else ""
        )
        return f"Copies of the approved rows are being looked for in all datasets{so_far}."
    when = day(search.ended_on) if search.ended_on else "an unknown day"
    if search.state == ErrandState.DONE and search.fault == PARTIAL:
        return (
            f"Copies of the approved rows were looked for until {when}, but not in all parts of "
            "the datasets: some could not be searched for a week."
        )
    if search.fault:
        why = _FAULTS.get(search.fault, f"the worker says “{search.fault}”")
        return f"Copies of the approved rows could not be looked for ({when}): {why}."
    return f"Copies of the approved rows were looked for in all datasets until {when}."
