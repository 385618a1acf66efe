"""Which other requests hit the rows of one: told by the rows' tags, nothing of them is opened."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import User
from django.db.models import Count, Max, Q

from removal.models import Candidate, Category, RemovalRequest, State, Verdict
from removal.selectors.sight import requests_seen

OTHERS_MOST: Final = 50


@dataclass(frozen=True, slots=True)
class OtherRequest:
    """Another request that hit some of the same rows.

    Attributes:
        id: which.
        state, category, due_on: as in the queue.
        rows: how many rows both hit.
        approved: how many of them its decision removed.
    """

    id: uuid.UUID
    state: State
    category: Category | None
    due_on: dt.date
    rows: int
    approved: int


@dataclass(frozen=True, slots=True)
class Others:
    """The other requests of one.

    Attributes:
        by_row: per row tag, how many hit it.
        listed: those that the reviewer may see, the most rows in common first.
        unlisted: how many there are beside those.
    """

    by_row: dict[bytes, int]
    listed: tuple[OtherRequest, ...]
    unlisted: int


def others_of(request: RemovalRequest, reviewer: User) -> Others:
    """Return the requests that hit rows which a request hit."""
    own = request.candidates.filter(offered=False)
    tags = [bytes(tag) for tag in own.values_list("row_tag", flat=True)]
    hits = Candidate.objects.filter(row_tag__in=tags, offered=False)
    shared = hits.exclude(request=request)
    shared = shared.filter(request__in=requests_seen(reviewer))
    by_row = shared.values_list("row_tag").annotate(requests=Count("request", distinct=True))
    counted = shared.values("request").annotate(
        rows=Count("row_tag", distinct=True),
        approved=Count("row_tag", distinct=True, filter=Q(verdict=Verdict.APPROVED)),
        state=Max("request__state"),
        category=Max("request__category"),
        due_on=Max("request__due_on"),
    )
    found = list(counted.order_by("-rows", "due_on", "request")[: OTHERS_MOST + 1])
    total = len(found)
    if total > OTHERS_MOST:
        total = shared.values("request").distinct().count()
    return Others(
        by_row={bytes(tag): count for tag, count in by_row},
        listed=tuple(
            OtherRequest(
                id=fact["request"],
                state=State(fact["state"]),
                category=Category(fact["category"]) if fact["category"] else None,
                due_on=fact["due_on"],
                rows=fact["rows"],
                approved=fact["approved"],
            )
            for fact in found[:OTHERS_MOST]
        ),
        unlisted=max(0, total - OTHERS_MOST),
    )
