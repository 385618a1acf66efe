"""The maintainers' queue: counts and days of requests, in the order they need a person.

First comes what may miss its legal day: overdue, or due within `URGENT_DAYS`. Then requests go by
their due day, pictures of children and intimate ones as if due two weeks sooner, medical ones one
week; nobody is passed over for long, for the day comes nearer for all. Among those of one day the
certain ones (with an exact row or a copy) come first, for they take the least time.

Nothing is opened here. The number of queries depends neither on how many requests there are nor
on how many are shown: what belongs to requests is counted for those of one page at once.
"""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import User
from django.db.models import (
    Case,
    Count,
    DurationField,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.utils import timezone

from removal.models import (
    Candidate,
    Category,
    Claim,
    Kind,
    Message,
    Photo,
    Proposal,
    ProposalState,
    RemovalRequest,
    State,
    today,
)
from removal.permissions import DECIDE
from removal.selectors.sight import requests_seen

UNDERWAY: Final = (State.RECEIVED, State.SEARCHING)
URGENT_DAYS: Final = 3
LEAD_DAYS: Final[Mapping[str, int]] = {
    Category.CHILD: 14,
    Category.INTIMATE: 14,
    Category.MEDICAL: 7,
}
"""How many days sooner than due a category counts."""

LAST_AUTHOR: Final = Subquery(
    Message.objects.filter(request=OuterRef("pk")).order_by("-n").values("author")[:1]
)
"""Who wrote last, for requests that are annotated with it."""
_OF_REQUEST: Final = Candidate.objects.filter(request=OuterRef("pk"), offered=False)
SURE: Final = Exists(_OF_REQUEST.filter(kind__in=(Kind.EXACT, Kind.COPY)))
"""The condition that an exact row or a copy was found."""
UNSURE: Final = Exists(_OF_REQUEST.filter(kind=Kind.SIMILAR))
"""The condition that a look-alike was found."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a request holds, in counts."""

    exact: int = 0
    copy: int = 0
    similar: int = 0
    photos: int = 0
    flags: int = 0

    @property
    def words(self) -> str:
        """The rows by kind, as the pages write them."""
        counts = ((self.exact, "exact"), (self.copy, "copy"), (self.similar, "similar"))
        return ", ".join(f"{count:,} {kind}" for count, kind in counts if count) or "nothing"


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One line of the queue."""

    request_id: uuid.UUID
    state: str
    category: str
    received_on: dt.date
    due_on: dt.date
    days_left: int
    """Negative when overdue."""
    extended: bool
    photos: int
    urls: int
    exact: int
    copy: int
    similar: int
    flags: int
    tier: str
    outcome: str
    found_words: str


def in_turn(*, sure_first: bool = True) -> list[Combinable | str]:
    """Return the order in which requests need a person, for `order_by`.

    Without `sure_first` it is the same but among those of one day, and no candidate is asked for.
    """
    urgent = today() + dt.timedelta(days=URGENT_DAYS)
    lead = Case(
        *(When(category=one, then=Value(dt.timedelta(days=n))) for one, n in LEAD_DAYS.items()),
        default=Value(dt.timedelta()),
        output_field=DurationField(),
    )
    return [
        _first(Q(due_on__lte=urgent)),
        (F("due_on") - lead).asc(),
        *([_first(Q(SURE))] if sure_first else []),
        "received_on",
        "pk",
    ]


def _first(condition: Q) -> Case:
    """Sort what fulfills a condition before the rest."""
    return Case(When(condition, then=0), default=1, output_field=IntegerField())


def unclaimed() -> Q:
    """Return the condition that nobody works on a request."""
    return Q(claim__isnull=True) | Q(claim__until__lte=timezone.now())


def needing(reviewer: User) -> QuerySet[RemovalRequest]:
    """Return the requests that this reviewer could decide now, claimed ones included.

    Left out is what is decided already, as long as it can be undone, and what waits for a second
    person where this one proposed it or may not confirm.
    """
    theirs = Proposal.objects.filter(request=OuterRef("pk"))
    waiting = Q(state=ProposalState.WAITING)
    if reviewer.has_perm(DECIDE):
        waiting &= Q(proposed_by=reviewer)
    held_back = Exists(theirs.filter(Q(state=ProposalState.COUNTING) | waiting))
    requests = requests_seen(reviewer).filter(state=State.IN_REVIEW, escalated_on__isnull=True)
    return requests.filter(~held_back)


def queue(
    *, states: Collection[str] = (State.IN_REVIEW,), first: int | None = None
) -> list[QueueItem]:
    """Return the requests in the given states in turn, or the first of them."""
    requests = RemovalRequest.objects.filter(state__in=states, escalated_on__isnull=True)
    return queue_items(requests.order_by(*in_turn())[:first])


def queue_items(requests: Iterable[RemovalRequest]) -> list[QueueItem]:
    """Return the lines of some requests, in their order."""
    listed = list(requests)
    found = found_of([request.pk for request in listed])
    return [_queue_item(request, found[request.pk]) for request in listed]


def found_of(request_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Found]:
    """Count what some requests hold, in three queries however many they are."""
    counts: dict[uuid.UUID, Counter[str]] = {one: Counter() for one in request_ids}
    theirs = Candidate.objects.filter(request__in=counts, offered=False).order_by()
    for pk, kind, n in theirs.values_list("request", "kind").annotate(n=Count("*")):
        counts[pk][kind] = n
    photos = Photo.objects.filter(request__in=counts).order_by()
    for pk, n in photos.values_list("request").annotate(Count("pk")):
        counts[pk]["photos"] = n
    flags = _flags(counts)
    return {pk: Found(**some, flags=flags[pk]) for pk, some in counts.items()}


def _flags(request_ids: Collection[uuid.UUID]) -> Counter[uuid.UUID]:
    """Count the signs of abuse that nobody has seen yet."""
    flagged = RemovalRequest.objects.filter(pk__in=request_ids, flags__seen_by__isnull=True)
    counted = flagged.filter(flags__isnull=False).order_by().values_list("pk")
    return Counter(dict(counted.annotate(Count("flags"))))


def claims_of(reviewer: User) -> QuerySet[Claim]:
    """Return what somebody works on now, what ends first first."""
    return Claim.objects.filter(reviewer=reviewer, until__gt=timezone.now()).order_by("until")


def _queue_item(request: Any, found: Found) -> QueueItem:
    return QueueItem(
        request_id=request.pk,
        state=request.state,
        category=request.category,
        received_on=request.received_on,
        due_on=request.due_on,
        days_left=(request.due_on - today()).days,
        extended=request.extended_on is not None,
        photos=found.photos,
        urls=request.link_count,
        exact=found.exact,
        copy=found.copy,
        similar=found.similar,
        flags=found.flags,
        tier=request.tier,
        outcome=request.outcome,
        found_words=found.words,
    )
