"""How the search for duplicates of approved rows stands, and where some wait to be looked at.

What they are is read with the request (`desk.ReviewCase.offered`); here are counts alone.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from removal.audit import subject_tag
from removal.custody.shred import KeyShredded
from removal.lifecycle import STEPS
from removal.models import (
    AuditEntry,
    Candidate,
    ErrandKind,
    ErrandState,
    ErrandUnit,
    RemovalRequest,
    Verdict,
)

APPROVED_ACT: Final = "duplicates_approved"
_OFFERED: Final = Candidate.objects.filter(offered=True, verdict=Verdict.PENDING)


def with_unreleased() -> Exists:
    """The condition on a request that a duplicate of it was approved and is in no release yet."""
    return Exists(Candidate.objects.filter(request=OuterRef("pk"), unreleased=True))


def copies_unreleased(request: RemovalRequest) -> QuerySet[Candidate]:
    """Return the approved duplicates of a request that no release told to it carries yet."""
    return Candidate.objects.filter(request=request, unreleased=True)


@dataclass(frozen=True, slots=True)
class CopiesSearch:
    """The last search for duplicates of a request's approved rows.

    Attributes:
        state: where it stands.
        fault: a code, where it failed.
        ended_on: the day on which it ended.
        groups, groups_done: how many index groups are asked, and how many have answered.
    """

    state: ErrandState
    fault: str
    ended_on: dt.date | None
    groups: int
    groups_done: int

    @property
    def underway(self) -> bool:
        """Whether it goes on, or waits for a worker."""
        return self.state in {ErrandState.ASKED, ErrandState.SEARCHING}


@dataclass(frozen=True, slots=True)
class MoreFound:
    """Duplicates that were approved on a day.

    Attributes:
        day: which.
        rows: those that hold the subject's own picture; duplicates of look-alikes left out.
    """

    day: dt.date
    rows: int


def copies_search(request: RemovalRequest) -> CopiesSearch | None:
    """Return how the last search for duplicates stands; None where there was none."""
    asked = Q(units__stage=ErrandUnit.Stage.SEARCH)
    done = asked & Q(units__state=ErrandUnit.State.DONE)
    errands = request.errands.filter(kind=ErrandKind.DUPLICATES)
    counted = errands.annotate(
        groups=Count("units", filter=asked), done=Count("units", filter=done)
    )
    last = counted.order_by("-asked_at").first()
    if last is None:
        return None
    return CopiesSearch(
        state=ErrandState(last.state),
        fault=last.fault,
        ended_on=last.ended_at.date() if last.ended_at else None,
        groups=last.groups,
        groups_done=last.done,
    )


def copies_offered(request: RemovalRequest) -> QuerySet[Candidate]:
    """Return the copies of a request that wait for a maintainer."""
    return _OFFERED.filter(request=request)


def copies_waiting(requests: QuerySet[RemovalRequest]) -> QuerySet[RemovalRequest]:
    """Narrow requests to those with copies that a maintainer could approve now."""
    standing = Q(state__in=STEPS[APPROVED_ACT].sources, held_on__isnull=True)
    offered = Exists(_OFFERED.filter(request=OuterRef("pk")))
    return requests.filter(standing, offered, escalated_on__isnull=True)


def more_found(request: RemovalRequest) -> list[MoreFound]:
    """Return when duplicates were approved, and how many; none once the case is deleted."""
    if request.case_deleted_on is not None:
        return []
    try:
        tag = subject_tag(request)
    except KeyShredded:
        return []
    entries = AuditEntry.objects.filter(subject=tag, act=APPROVED_ACT).order_by("seq")
    facts = entries.values_list("day", "detail")
    return [MoreFound(day, detail["copies"]) for day, detail in facts]
