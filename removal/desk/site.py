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
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse

from removal.desk import words
from removal.models import State
from removal.selectors import queue
from removal.selectors.queue import requests_written

View = TypeVar("View", bound=Callable[..., HttpResponseBase])

POLICY: Final = {
    "script-src": ["'self'"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "frame-src": ["'self'"],
}
FIRST: Final = 10
WAITING: Final = (State.IN_REVIEW,)
UNDERWAY: Final = (State.RECEIVED, State.SEARCHING)
ASKED: Final = (State.NEEDS_INFO,)


def _policed(view: View) -> View:
    """Let a view answer under the admin's policies."""

    @wraps(view)
    def policed(*args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(*args, **kwargs)
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    return cast("View", csp_update(POLICY)(policed))


class UnlistAdminSite(AdminSite):
    """The admin, with the queue on its first page."""

    site_header = "Unlist for maintainers"
    site_title = "Unlist"
    index_title = "What is waiting"
    index_template = "unlist_admin/index.html"
    enable_nav_sidebar = False

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Give every page the admin's policy."""
        return _policed(super().admin_view(view, cacheable))

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the login page under the admin's policy too."""
        return _policed(super().login)(request, extra_context)

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Open with the most urgent requests."""
        context: dict[str, Any] = {}
        if request.user.has_perm(words.PERMISSION):
            waiting = queue(states=WAITING)
            context = {
                "waiting": len(waiting),
                "overdue": sum(item.days_left < 0 for item in waiting),
                "underway": len(queue(states=UNDERWAY)),
                "asked": len(queue(states=ASKED)),
                "written": requests_written(),
                "first": [
                    (item, words.due_of(item.due_on, item.state)) for item in waiting[:FIRST]
                ],
            }
        return super().index(request, {**context, **(extra_context or {})})
