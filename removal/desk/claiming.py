"""Buttons of the queue: take the next request, claim one, give one back."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from removal.desk.access import allowed
from removal.life import claims
from removal.permissions import REVIEW
from removal.selectors.desk import RequestGone

QUEUE = "admin:removal_removalrequest_changelist"
PAGE = "admin:removal_removalrequest_change"


@require_http_methods(["POST"])
def take_next(request: HttpRequest) -> HttpResponse:
    """Claim what needs a person next, and open it."""
    request_id = claims.next_take(allowed(request, REVIEW))
    if request_id is None:
        messages.info(request, "Nothing waits for you: all is decided, or a colleague has it.")
        return redirect(QUEUE)
    return redirect(PAGE, request_id)


@require_http_methods(["POST"])
def claim(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """Claim a request, or keep it for longer."""
    reviewer = allowed(request, REVIEW)
    try:
        claims.claim(request_id=request_id, reviewer=reviewer)
    except RequestGone as gone:
        messages.error(request, str(gone))
        return redirect(QUEUE)
    except claims.ClaimedByOther as other:
        messages.error(request, str(other))
    return redirect(PAGE, request_id)


@require_http_methods(["POST"])
def release(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """Give a request back, so that a colleague can take it."""
    if claims.release(request_id=request_id, reviewer=allowed(request, REVIEW)):
        messages.success(request, "Given back: whoever takes the next one may get it.")
    return redirect(QUEUE)
