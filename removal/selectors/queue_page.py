"""What the queue's page says beside the requests themselves: a line of each, and all in short.

The number of queries depends neither on how many requests there are nor on how many are shown.
"""

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import User
from django.db.models import Count, Min, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from removal.lifecycle import OPEN
from removal.models import (
    PROPOSAL_OPEN,
    Author,
    Claim,
    Message,
    Proposal,
    ProposalState,
    RemovalRequest,
    State,
    today,
)
from removal.selectors.duplicates import copies_waiting
from removal.selectors.queue import LAST_AUTHOR, UNDERWAY, Found, found_of
from removal.selectors.sight import requests_seen

SOON_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class Line:
    """What the queue says of a request beside the request's own fields."""

    found: Found
    last_author: str
    """Who wrote last; empty where nobody has."""
    claimed_by: str
    proposal: str
    """State of its open proposal; empty where there is none."""


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """The queue in short.

    Attributes:
        waiting: requests that wait for a decision.
        oldest: days since the oldest of them came in.
        overdue, soon: open requests past their day, or due within `SOON_DAYS`.
        asked: requests that wait for their subject.
        underway: requests that are being searched.
        second: proposals that wait for a second person.
        claimed: requests that somebody works on.
        written: requests whose subject wrote last.
        copies: decided requests with copies of approved rows to look at.
    """

    waiting: int
    oldest: int
    overdue: int
    soon: int
    asked: int
    underway: int
    second: int
    claimed: int
    written: int
    copies: int


def lines_of(request_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Line]:
    """Return what the queue says of some requests, in as many queries however many they are."""
    found = found_of(request_ids)
    named = RemovalRequest.objects.filter(pk__in=request_ids).annotate(last_author=LAST_AUTHOR)
    authors = dict(named.values_list("pk", "last_author"))
    claims = Claim.objects.filter(request__in=request_ids, until__gt=timezone.now())
    holders = dict(claims.values_list("request", "reviewer__username"))
    proposals = Proposal.objects.filter(request__in=request_ids, state__in=PROPOSAL_OPEN)
    states = dict(proposals.values_list("request", "state"))
    return {
        pk: Line(found[pk], authors.get(pk) or "", holders.get(pk, ""), states.get(pk, ""))
        for pk in request_ids
    }


def queue_counts(reviewer: User) -> QueueCounts:
    """Count the queue, as far as a reviewer may know of it."""
    requests = requests_seen(reviewer).filter(escalated_on__isnull=True)
    day = today()
    soon = (day, day + dt.timedelta(days=SOON_DAYS))
    waiting = Q(state=State.IN_REVIEW)
    counts = requests.filter(state__in=OPEN).aggregate(
        waiting=Count("pk", filter=waiting),
        oldest=Min("received_on", filter=waiting),
        overdue=Count("pk", filter=Q(due_on__lt=day)),
        soon=Count("pk", filter=Q(due_on__range=soon)),
        asked=Count("pk", filter=Q(state=State.NEEDS_INFO)),
        underway=Count("pk", filter=Q(state__in=UNDERWAY)),
    )
    oldest = counts.pop("oldest")
    proposals = Proposal.objects.filter(state=ProposalState.WAITING, request__in=requests)
    claims = Claim.objects.filter(until__gt=timezone.now(), request__in=requests)
    return QueueCounts(
        **counts,
        oldest=(day - oldest).days if oldest else 0,
        second=proposals.count(),
        claimed=claims.count(),
        written=_written(requests),
        copies=copies_waiting(requests).count(),
    )


def _written(requests: QuerySet[RemovalRequest]) -> int:
    """Count the requests whose subject wrote last: few have any message, so begin with those."""
    last = Message.objects.filter(request=OuterRef("request")).order_by("-n").values("n")[:1]
    theirs = Message.objects.filter(author=Author.SUBJECT, n=Subquery(last))
    return theirs.filter(request__in=requests).count()
