"""Figures of the dashboard: each one query, however many requests there are.

Escalated requests are in none of them, whoever looks.
"""

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncWeek

from removal.lifecycle import OPEN
from removal.models import Candidate, Kind, RemovalRequest, State, Verdict, today

AGES: Final = (7, 14, 31)
"""The last day of each age that open requests are counted by; one more has no end."""
DUE_DAYS: Final = 7
WEEKS: Final = 12
DECISIONS: Final = 500
"""Over how many of the latest decisions the quality of matches is taken."""
_WEEK: Final = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Quality:
    """How often rows of a kind were approved, of those that were decided."""

    kind: Kind
    decided: int
    approved: int

    @property
    def share(self) -> float:
        """The approved of a hundred."""
        return 100 * self.approved / self.decided if self.decided else 0.0


def _requests() -> QuerySet[RemovalRequest]:
    return RemovalRequest.objects.filter(escalated_on__isnull=True).order_by()


def open_by_age() -> dict[State, list[int]]:
    """Count the open requests by state, and by how long ago they came in."""
    day = today()
    edges = [day - dt.timedelta(days=age) for age in AGES]
    spans = [Q(received_on__gte=edges[0])]
    spans += [Q(received_on__lt=new, received_on__gte=old) for new, old in pairwise(edges)]
    spans.append(Q(received_on__lt=edges[-1]))
    counts = {f"age{n}": Count("pk", filter=span) for n, span in enumerate(spans)}
    opened = _requests().filter(state__in=OPEN)
    by_state = {state: found for state, *found in opened.values_list("state").annotate(**counts)}
    return {state: by_state.get(state, [0] * len(spans)) for state in State if state in OPEN}


def due_by_day() -> tuple[int, list[tuple[dt.date, int]]]:
    """Count the open requests that are overdue, and those due on each day of the next week."""
    day = today()
    last = day + dt.timedelta(days=DUE_DAYS)
    due = _requests().filter(state__in=OPEN, due_on__lte=last)
    counts = Counter(dict(due.values_list("due_on").annotate(Count("pk"))))
    days = [day + dt.timedelta(days=n) for n in range(DUE_DAYS + 1)]
    overdue = sum(n for when, n in counts.items() if when < day)
    return overdue, [(when, counts[when]) for when in days]


def decided_by_week() -> list[tuple[dt.date, Counter[str]]]:
    """Count the decisions of the last weeks by outcome; weeks go by their Monday."""
    day = today()
    monday = day - dt.timedelta(days=day.weekday())
    weeks = [monday - n * _WEEK for n in reversed(range(WEEKS))]
    decided = _requests().filter(decided_on__gte=weeks[0]).exclude(outcome=State.NO_MATCH)
    counts: dict[dt.date, Counter[str]] = {week: Counter() for week in weeks}
    by_week = decided.annotate(week=TruncWeek("decided_on")).values_list("week", "outcome")
    for week, outcome, n in by_week.annotate(Count("pk")):
        counts[week][outcome] += n
    return list(counts.items())


def match_quality() -> list[Quality]:
    """Say how often each kind of row was approved in the latest decisions."""
    latest = _requests().filter(decided_on__isnull=False, case_deleted_on__isnull=True)
    latest = latest.exclude(outcome=State.NO_MATCH).order_by("-decided_on")[:DECISIONS]
    rows = Candidate.objects.filter(
        request__in=latest.values("pk"),
        verdict__in=(Verdict.APPROVED, Verdict.DENIED),
        offered=False,
    )
    approved = Count("verdict", filter=Q(verdict=Verdict.APPROVED))
    counted = rows.order_by().values_list("kind").annotate(n=Count("*"), good=approved)
    by_kind = {kind: (decided, good) for kind, decided, good in counted}
    return [Quality(kind, *by_kind.get(kind, (0, 0))) for kind in Kind]
