"""The maintainers' site: Django's own admin, plain, under a content policy of its own.

Django's admin needs its scripts and styles from our origin and nothing inline, so that the policy
allows neither `unsafe-inline` nor `unsafe-eval` (docs/adr/0003). `Referrer-Policy` is
`same-origin` here: under `no-referrer` browsers send `Origin: null` with a form, which Django's
CSRF check rightly refuses; other sites learn nothing either way.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar, cast

from csp.decorators import csp_update
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver

from removal.desk import dashboard, words
from removal.desk.access import reviewer_of
from removal.desk.sweep_routes import sweep_urls
from removal.desk.two_steps import TwoStepSite
from removal.permissions import REVIEW, SEE
from removal.selectors.queue import queue
from removal.selectors.queue_page import queue_counts

View = TypeVar("View", bound=Callable[..., HttpResponseBase])

POLICY: Final = {
    "script-src": ["'self'"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "frame-src": ["'self'"],
}
FIRST: Final = 10


def _policed(view: View) -> View:
    """Let a view answer under the admin's policies."""

    @wraps(view)
    def policed(*args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(*args, **kwargs)
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    return cast("View", csp_update(POLICY)(policed))


class UnlistAdminSite(TwoStepSite):
    """The admin, with the queue on its first page."""

    site_header = "Unlist for maintainers"
    site_title = "Unlist"
    index_title = "What is waiting"
    index_template = "unlist_admin/index.html"
    enable_nav_sidebar = False

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Put the sweeps, which are no model of their own, before the models' addresses."""
        return [*sweep_urls(self), *super().get_urls()]

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Give every page the admin's policy."""
        return _policed(super().admin_view(view, cacheable))

    def open_view(self, view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        """Give the pages of the sign-in the admin's policy too."""
        return _policed(super().open_view(view))

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Open with the most urgent requests, and how the work stands."""
        context: dict[str, Any] = {"panels": dashboard.panels(request)}
        if request.user.has_perm(REVIEW) or request.user.has_perm(SEE):
            waiting = queue(first=FIRST)
            context |= {
                "counts": queue_counts(reviewer_of(request)),
                "first": [(item, words.due_of(item.due_on, item.state)) for item in waiting],
                "may_review": request.user.has_perm(REVIEW),
            }
        return super().index(request, {**context, **(extra_context or {})})
