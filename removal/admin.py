"""What maintainers can open in the admin: the queue of requests, and the audit log.

Nothing is edited through Django's generic forms: a request changes by the verbs of `life` alone.
Every address of the requests' pages stands in `RemovalRequestAdmin.get_urls`.
"""

from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from removal.custody.secrets import SecretUnavailable
from removal.desk import bulk, claiming, health_panels, queue, saved_views, words
from removal.desk.auditlog import AuditEntryAdmin
from removal.desk.routes import Route, View, review_routes
from removal.desk.staff import staff_register
from removal.models import AuditEntry, Author, ProposalState, RemovalRequest, State
from removal.permissions import REVIEW, SEE
from removal.selectors.sight import requests_seen
from removal.site.pages import error_page

if TYPE_CHECKING:  # generic in the stubs alone
    RequestAdmin = admin.ModelAdmin[RemovalRequest]
else:
    RequestAdmin = admin.ModelAdmin


def sited(site: admin.AdminSite, view: View) -> View:
    """Give a view the site, and a page of its own to a process without the keys."""

    @wraps(view)
    def with_site(request: HttpRequest, **names: Any) -> HttpResponse:
        try:
            return view(request, site=site, **names)
        except SecretUnavailable as missing:
            return error_page(
                request, 503, "Keys are missing", [str(missing)], onward=("/admin/", "Back")
            )

    return with_site


@admin.register(RemovalRequest)
class RemovalRequestAdmin(RequestAdmin):
    """The queue; a request opens on the review page."""

    list_display = ("reference", "due", "category", "found", "news", "sent", "received_on", "state")
    list_filter = (
        queue.WaitingFilter,
        queue.EvidenceFilter,
        queue.FlagFilter,
        "state",
        "category",
    )
    actions = ("approve_sure",)
    list_per_page = bulk.MOST
    list_max_show_all = bulk.MOST
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    change_list_template = "unlist_admin/queue.html"

    def get_ordering(self, request: HttpRequest) -> Any:
        """Bring first what needs a person first."""
        return queue.ordering(request)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[queue.QueueList]:
        """Count for a page at once what its lines say."""
        del request, kwargs
        return queue.QueueList

    def get_queryset(self, request: HttpRequest) -> QuerySet[RemovalRequest]:
        """Begin with what this member of staff may know of; sealed words stay where they are."""
        seen = requests_seen(request.user).defer(*_SEALED)
        return seen.order_by(*self.get_ordering(request))

    @admin.display(description="Request")
    def reference(self, item: RemovalRequest) -> str:
        """The first part of its id: enough to tell two apart on one page."""
        return str(item.pk)[:8]

    @admin.display(description="Due", ordering="due_on")
    def due(self, item: RemovalRequest) -> SafeString:
        """The day, and how much is left, in words and color."""
        due = words.due_of(item.due_on, item.state)
        return format_html(
            '<span class="due {}">{} <b>{}</b></span>', due.level, due.day, due.words
        )

    @admin.display(description="Found")
    def found(self, item: Any) -> str:
        """Counts by kind."""
        words: str = item.line.found.words
        return words

    @admin.display(description="Sent")
    def sent(self, item: Any) -> str:
        """What came with the request."""
        counts = ((item.line.found.photos, "photo"), (item.link_count, "address"))
        return ", ".join(f"{count}\u00d7 {name}" for count, name in counts if count)

    @admin.display(description="To know")
    def news(self, item: Any) -> str:
        """Who is at it, and what is new."""
        line = item.line
        known = {
            f"{line.claimed_by} is at it": line.claimed_by,
            "second person needed": line.proposal == ProposalState.WAITING,
            "decided, can be undone": line.proposal == ProposalState.COUNTING,
            "message": line.last_author == Author.SUBJECT,
            "appeal": item.appealed_on and item.state == State.IN_REVIEW,
            "sign of abuse": line.found.flags,
            "escalated": item.escalated_on,
        }
        return ", ".join(words for words, holds in known.items() if holds)

    @admin.action(description="Approve without a look…", permissions=["change"])
    def approve_sure(
        self, request: HttpRequest, queryset: QuerySet[RemovalRequest]
    ) -> HttpResponse:
        """Show which of the chosen can be approved at once."""
        del queryset  # the ids are read from what was sent, as on the page that follows
        return bulk.bulk(request, site=self.admin_site)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the queue in short above its list."""
        if not self.has_view_permission(request):
            return super().changelist_view(request)  # which refuses
        return super().changelist_view(request, {**queue.head(request), **(extra_context or {})})

    def get_urls(self) -> list[URLPattern]:
        """Put the review page in the place of Django's change form."""
        wrap, with_site = self.admin_site.admin_view, partial(sited, self.admin_site)
        one = "<uuid:request_id>/"
        views: tuple[Route, ...] = (
            ("", self.changelist_view, "removal_removalrequest_changelist"),
            ("next/", claiming.take_next, "removal_next"),
            ("approve/", with_site(bulk.bulk), "removal_bulk"),
            ("views/save/", saved_views.view_save, "removal_view_save"),
            ("views/<int:view_id>/delete/", saved_views.view_delete, "removal_view_delete"),
            (f"{one}claim/", claiming.claim, "removal_claim"),
            (f"{one}release/", claiming.release, "removal_release"),
            *review_routes(with_site),
        )
        return [path(route, wrap(view), name=name) for route, view, name in views]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Requests come from the public side alone."""
        del request
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Requests end by their clock, or by `erase_request`."""
        del request, obj
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever reviews sees; an auditor sees and changes nothing."""
        del obj
        return request.user.has_perm(REVIEW) or request.user.has_perm(SEE)


_SEALED = (
    "links_sealed",
    "content_sealed",
    "extension_sealed",
    "statement_sealed",
    "appeal_sealed",
    "proof_sealed",
)
"""Fields that no line of the queue shows."""

admin.site.register(AuditEntry, AuditEntryAdmin)
health_panels.register()
staff_register()
