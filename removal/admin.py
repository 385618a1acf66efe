"""What maintainers can open in the admin: the queue of requests, and the audit log, read-only.

Nothing is edited through Django's generic forms: a request changes by the verbs of `review` alone.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalog.readonly import ReadOnly
from removal.custody.secrets import SecretUnavailable
from removal.desk import review, talk, words
from removal.desk.site import UNDERWAY
from removal.lifecycle import OPEN
from removal.models import AuditEntry, Author, Kind, RemovalRequest, State, today
from removal.selectors.queue import LAST_AUTHOR
from removal.site.pages import error_page

if TYPE_CHECKING:  # generic in the stubs alone
    RequestAdmin = admin.ModelAdmin[RemovalRequest]
    EntryAdmin = admin.ModelAdmin[AuditEntry]
else:
    RequestAdmin = EntryAdmin = admin.ModelAdmin


class WaitingFilter(admin.SimpleListFilter):
    """Which part of the queue: what waits for a decision comes first."""

    title = "what to show"
    parameter_name = "show"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Name the parts; the default one has no name in the address."""
        del request, model_admin
        return [
            ("overdue", "Overdue"),
            ("asked", "Waiting for the person"),
            ("written", "With a message to answer"),
            ("underway", "Being searched"),
            ("closed", "Decided or closed"),
            ("all", "All"),
        ]

    def choices(self, changelist: Any) -> Any:
        """Call the default what it is."""
        first, *others = super().choices(changelist)
        return [{**first, "display": "Waiting for a decision"}, *others]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[RemovalRequest]
    ) -> QuerySet[RemovalRequest]:
        """Narrow the list."""
        del request
        conditions = {
            None: Q(state=State.IN_REVIEW),
            "overdue": Q(state__in=OPEN, due_on__lt=today()),
            "asked": Q(state=State.NEEDS_INFO),
            "written": Q(last_author=Author.SUBJECT),
            "underway": Q(state__in=UNDERWAY),
            "closed": ~Q(state__in=OPEN),
        }
        return queryset.filter(conditions.get(self.value(), Q()))


@admin.register(RemovalRequest)
class RemovalRequestAdmin(RequestAdmin):
    """The queue; a request opens on the review page."""

    list_display = ("reference", "state", "category", "received_on", "due", "found", "sent", "news")
    list_filter = (WaitingFilter, "state", "category")
    ordering = ("due_on", "received_on", "pk")
    actions = None
    list_per_page = 50
    change_list_template = "unlist_admin/queue.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[RemovalRequest]:
        """Bring the counts along."""
        kinds = {
            f"{kind.value}_rows": Count(
                "candidates", filter=Q(candidates__kind=kind), distinct=True
            )
            for kind in Kind
        }
        return (
            super()
            .get_queryset(request)
            .annotate(photo_count=Count("photos", distinct=True), last_author=LAST_AUTHOR, **kinds)
        )

    @admin.display(description="Request")
    def reference(self, item: RemovalRequest) -> str:
        """The first part of its id: enough to tell two apart on one page."""
        return str(item.pk)[:8]

    @admin.display(description="Due", ordering="due_on")
    def due(self, item: RemovalRequest) -> SafeString:
        """The day, and how much is left, in words and colour."""
        due = words.due_of(item.due_on, item.state)
        return format_html(
            '<span class="due {}">{} <b>{}</b></span>', due.level, due.day, due.words
        )

    @admin.display(description="Found")
    def found(self, item: Any) -> str:
        """Counts by kind."""
        counts = (
            (item.exact_rows, "exact"),
            (item.copy_rows, "copy"),
            (item.similar_rows, "similar"),
        )
        return ", ".join(f"{count} {kind}" for count, kind in counts if count) or "nothing"

    @admin.display(description="New")
    def news(self, item: Any) -> str:
        """What the person did since a maintainer last wrote."""
        words = []
        if item.last_author == Author.SUBJECT:
            words.append("message")
        if item.appealed_on and item.state == State.IN_REVIEW:
            words.append("appeal")
        return ", ".join(words)

    @admin.display(description="Sent")
    def sent(self, item: Any) -> str:
        """What came with the request."""
        counts = ((item.photo_count, "photo"), (item.link_count, "address"))
        return ", ".join(f"{count}\u00d7 {name}" for count, name in counts if count)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Call the page what it is."""
        return super().changelist_view(request, {"title": "Requests", **(extra_context or {})})

    def get_urls(self) -> list[URLPattern]:
        """Put the review page in the place of Django's change form."""
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self.changelist_view), name="removal_removalrequest_changelist"),
            path("photo/<uuid:photo_id>/", wrap(review.photo), name="removal_photo"),
            path("row/<uuid:candidate_id>/", wrap(review.candidate), name="removal_row"),
            path("<uuid:request_id>/extend/", wrap(review.extend), name="removal_extend"),
            path(
                "<uuid:request_id>/message/",
                wrap(self._sited(talk.message)),
                name="removal_message",
            ),
            path(
                "<uuid:request_id>/question/",
                wrap(self._sited(talk.question)),
                name="removal_question",
            ),
            path(
                "<uuid:request_id>/change/",
                wrap(self._sited(review.review)),
                name="removal_removalrequest_change",
            ),
        ]

    def _sited(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        """Give a view the site, and a page of its own to a process without the keys."""

        def sited(request: HttpRequest, **names: Any) -> HttpResponse:
            try:
                return view(request, site=self.admin_site, **names)
            except SecretUnavailable as missing:
                return error_page(
                    request, 503, "Keys are missing", [str(missing)], onward=("/admin/", "Back")
                )

        return sited

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Requests come from the public side alone."""
        del request
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Requests end by their clock, or by `erase_request`."""
        del request, obj
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Seeing a request and deciding it are one right."""
        return self.has_change_permission(request, obj)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly, EntryAdmin):
    """The audit log, newest first; nobody can change it."""

    list_display = ("seq", "day", "at", "actor", "act", "detail")
    list_filter = ("act",)
    ordering = ("-seq",)
    fields = readonly_fields = ("seq", "day", "at", "actor", "act", "detail")
