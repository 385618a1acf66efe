"""How every public page is answered: one way to render, one way to say that something is wrong.

Answers to a POST, and pages that hold a ticket, are never stored by browser or proxy.
"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from removal.languages import address

NO_STORE = "no-store"


def page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any] | None = None,
    *,
    status: int = 200,
    store: bool = True,
) -> HttpResponse:
    """Render a page; `store=False` keeps it out of every cache."""
    context = {"unlist": settings.UNLIST, **(context or {})}
    response = TemplateResponse(request, f"removal/{template}", context, status=status)
    if not store or request.method == "POST":
        response.headers["Cache-Control"] = NO_STORE
    return response.render()


def error_page(
    request: HttpRequest,
    status: int,
    heading: str,
    sentences: Sequence[str],
    *,
    onward: tuple[str, str] | None = None,
    retry_after: int | None = None,
) -> HttpResponse:
    """Say what is wrong, how to mend it, and where to go on: an address and its name."""
    path, label = onward or (address("/"), _("Go to the first page"))
    context = {
        "status": status,
        "heading": heading,
        "sentences": sentences,
        "onward": path,
        "onward_label": label,
    }
    response = page(request, "error.html", context, status=status, store=False)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response
