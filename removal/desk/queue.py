"""The queue's page: what can be filtered, and what each line and the head of the page say."""

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from removal.desk import saved_views
from removal.desk.access import reviewer_of
from removal.lifecycle import OPEN
from removal.models import Author, ProposalState, RemovalRequest, State, today
from removal.permissions import DECIDE, ESCALATED, REVIEW
from removal.selectors.duplicates import copies_waiting
from removal.selectors.queue import (
    LAST_AUTHOR,
    SURE,
    UNDERWAY,
    UNSURE,
    claims_of,
    in_turn,
    unclaimed,
)
from removal.selectors.queue_page import SOON_DAYS, lines_of, queue_counts

if TYPE_CHECKING:
    Requests = QuerySet[RemovalRequest]


class Choices(admin.SimpleListFilter):
    """A filter with a name for its default."""

    default = "All"

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Call the default what it is."""
        first, *others = super().choices(changelist)
        yield {**first, "display": self.default}
        yield from others


class WaitingFilter(Choices):
    """Which part of the queue: what waits for a decision, unless a state is asked for."""

    title = "what to show"
    parameter_name = "show"
    default = "Waiting for a decision"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Name the parts; the default one has no name in the address."""
        del model_admin
        parts = [
            ("free", "Waiting, nobody works on it"),
            ("mine", "Yours"),
            ("second", "Waiting for a second person"),
            ("overdue", "Overdue"),
            ("soon", f"Due within {SOON_DAYS} days"),
            ("asked", "Waiting for the person"),
            ("written", "With a message to answer"),
            ("copies", "Copies of approved rows to look at"),
            ("underway", "Being searched"),
            ("closed", "Decided or closed"),
            ("all", "All"),
        ]
        escalated = [("escalated", "Escalated")] if request.user.has_perm(ESCALATED) else []
        return parts + escalated

    def queryset(self, request: HttpRequest, queryset: "Requests") -> "Requests":
        """Narrow the list; escalated requests are in a part of their own."""
        if self.value() == "escalated":
            return queryset.filter(escalated_on__isnull=False)
        if self.value() == "copies":
            return copies_waiting(queryset)
        if self.value() == "written":
            queryset = queryset.annotate(last_author=LAST_AUTHOR)
        day = today()
        conditions = {
            None: Q() if "state__exact" in request.GET else Q(state=State.IN_REVIEW),
            "free": Q(unclaimed(), state=State.IN_REVIEW),
            "mine": Q(pk__in=claims_of(reviewer_of(request)).values("request")),
            "second": Q(proposals__state=ProposalState.WAITING),
            "overdue": Q(state__in=OPEN, due_on__lt=day),
            "soon": Q(state__in=OPEN, due_on__range=(day, day + dt.timedelta(days=SOON_DAYS))),
            "asked": Q(state=State.NEEDS_INFO),
            "written": Q(last_author=Author.SUBJECT),
            "underway": Q(state__in=UNDERWAY),
            "closed": ~Q(state__in=OPEN),
        }
        return queryset.filter(conditions.get(self.value(), Q()), escalated_on__isnull=True)


class EvidenceFilter(Choices):
    """How certain what was found is."""

    title = "evidence"
    parameter_name = "evidence"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Name the ways."""
        del request, model_admin
        return [
            ("sure", "Exact and copies alone"),
            ("mixed", "Look-alikes too"),
            ("unsure", "Look-alikes alone"),
            ("none", "Nothing found"),
        ]

    def queryset(self, request: HttpRequest, queryset: "Requests") -> "Requests":
        """Narrow the list."""
        del request
        conditions = {
            "sure": Q(SURE) & ~Q(UNSURE),
            "mixed": Q(SURE) & Q(UNSURE),
            "unsure": ~Q(SURE) & Q(UNSURE),
            "none": ~Q(SURE) & ~Q(UNSURE),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


class FlagFilter(Choices):
    """Signs of abuse."""

    title = "signs of abuse"
    parameter_name = "flagged"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """One choice beside all."""
        del request, model_admin
        return [("new", "Not looked at yet")]

    def queryset(self, request: HttpRequest, queryset: "Requests") -> "Requests":
        """Narrow the list."""
        del request
        if self.value() != "new":
            return queryset
        return queryset.filter(flags__seen_by__isnull=True, flags__isnull=False).distinct()


class QueueList(ChangeList):
    """A page of the queue: what its lines say is counted for all of them at once."""

    def get_results(self, request: HttpRequest) -> None:
        """Bring along what the lines say beside the request itself."""
        super().get_results(request)
        # The ids first: the database then sorts narrow rows, however many there are.
        ids = list(self.result_list.values_list("pk", flat=True))
        found = self.root_queryset.order_by().in_bulk(ids)
        lines = lines_of(ids)
        for pk, item in found.items():
            item.line = lines[pk]
        self.result_list = [found[pk] for pk in ids if pk in found]


def ordering(request: HttpRequest) -> list[Any]:
    """Return the order of a page; where nobody decides, or all are alike, evidence has no part."""
    alike = "evidence" in request.GET or request.GET.get("show", "") in _UNDECIDED
    return in_turn(sure_first=not alike)


_UNDECIDED = frozenset({"all", "asked", "closed", "copies", "underway", "written"})


def head(request: HttpRequest) -> dict[str, Any]:
    """Return what stands above the list: counts and ages, one's own, saved views."""
    reader = reviewer_of(request)
    query = saved_views.query_kept(request.GET.urlencode())
    return {
        "title": "Requests",
        "counts": queue_counts(reader),
        "mine": list(claims_of(reader).values_list("request", "until")),
        "views": list(saved_views.views_for(reader.pk)),
        "view_query": query,
        "may_review": reader.has_perm(REVIEW),
        "may_share": reader.has_perm(DECIDE),
    }
