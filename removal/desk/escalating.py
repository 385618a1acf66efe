"""Escalating a request, what to do after it, and its end: each a page or a button of its own.

After the escalation whoever pressed the button cannot open the request any more, so the procedure
stands on a page that shows nothing of it but its number.
"""

import uuid
from typing import Final

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from removal import permissions
from removal.desk.access import allowed
from removal.desk.acts import REVIEW, done
from removal.life.escalation import (
    EscalationRefused,
    escalation_procedure,
    escalation_return,
    hold_end,
    request_escalate,
)
from removal.selectors import RequestGone
from removal.selectors.desk import request_visible

PROCEDURE: Final = "admin:removal_procedure"


@require_http_methods(["GET", "HEAD", "POST"])
def escalate(request: HttpRequest, request_id: uuid.UUID, site: AdminSite) -> HttpResponse:
    """Say what escalating does, and do it."""
    reviewer = allowed(request, permissions.REVIEW)
    try:
        request_visible(request_id, reviewer)
        if request.method != "POST":
            return _page(request, site, request_id=request_id, asked=True)
        listed = request_escalate(request_id=request_id, reviewer=reviewer)
    except RequestGone as gone:
        raise Http404(str(gone)) from None
    except EscalationRefused as refusal:
        messages.error(request, str(refusal))
        return redirect(REVIEW, request_id)
    return _page(request, site, request_id=request_id, listed=listed)


@require_safe
def procedure(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show what to do after an escalation; so that it can be read before it is needed."""
    allowed(request, permissions.REVIEW, permissions.ESCALATED)
    return _page(request, site)


@require_POST
def end_hold(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """End the legal hold of an escalated request."""
    reviewer = allowed(request, permissions.ESCALATED)
    return done(
        request,
        request_id,
        lambda: hold_end(request_id=request_id, reviewer=reviewer),
        "The hold has ended: photo and words go by their clock again.",
    )


@require_POST
def give_back(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """Give an escalated request back to the reviewers: it was no case for it."""
    reviewer = allowed(request, permissions.ESCALATED)
    return done(
        request,
        request_id,
        lambda: escalation_return(request_id=request_id, reviewer=reviewer),
        "The reviewers see this request again.",
    )


def _page(
    request: HttpRequest,
    site: AdminSite,
    *,
    request_id: uuid.UUID | None = None,
    asked: bool = False,
    listed: int = 0,
) -> HttpResponse:
    context = {
        **site.each_context(request),
        "title": "Escalate this request?" if asked else "What to do now",
        "request_id": request_id,
        "reference": str(request_id)[:8] if request_id else "",
        "asked": asked,
        "listed": listed,
        "procedure": escalation_procedure(),
    }
    response = TemplateResponse(request, "unlist_admin/escalation.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response
