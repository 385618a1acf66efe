"""The maintainers' queue: counts and days of requests, the most urgent first; nothing is opened."""

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count, OuterRef, Q, Subquery

from removal.models import Author, Kind, Message, RemovalRequest, State, today

LAST_AUTHOR: Final = Subquery(
    Message.objects.filter(request=OuterRef("pk")).order_by("-n").values("author")[:1]
)
"""Who wrote last, for requests that are annotated with it."""


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
    tier: str
    outcome: str


def queue(*, states: Collection[str] = (State.IN_REVIEW,)) -> list[QueueItem]:
    """Return the requests in the given states, the most urgent first."""
    kinds = {
        kind.value: Count("candidates", filter=Q(candidates__kind=kind), distinct=True)
        for kind in Kind
    }
    requests = (
        RemovalRequest.objects.filter(state__in=states)
        .annotate(photo_count=Count("photos", distinct=True), **kinds)
        .order_by("due_on", "received_on", "pk")
    )
    return [_queue_item(request) for request in requests]


def requests_written() -> int:
    """Count the requests whose subject wrote last."""
    last = RemovalRequest.objects.annotate(last_author=LAST_AUTHOR)
    return last.filter(last_author=Author.SUBJECT).count()


def _queue_item(request: Any) -> QueueItem:
    return QueueItem(
        request_id=request.pk,
        state=request.state,
        category=request.category,
        received_on=request.received_on,
        due_on=request.due_on,
        days_left=(request.due_on - today()).days,
        extended=request.extended_on is not None,
        photos=request.photo_count,
        urls=request.link_count,
        exact=request.exact,
        copy=request.copy,
        similar=request.similar,
        tier=request.tier,
        outcome=request.outcome,
    )
