"""Following a request: the code opens a short session, and never stands in an address.

The code is posted once; after that two cookies open the pages (`removal.life.sessions`), so that
reloading and acting need no code. Every page here is kept out of every cache.
"""

import datetime as dt
import threading
from collections.abc import Sequence
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from indexer.decode import DecoderUnavailable, ImageRefused
from removal.custody.content import Region
from removal.custody.receipts import ReceiptMistyped
from removal.custody.secrets import SecretUnavailable
from removal.intake.origin import own_forms_only
from removal.life.acts import status_told
from removal.life.messages import MESSAGE_MAX
from removal.life.sessions import IDLE, LONGEST, SessionEnded, session_start
from removal.selectors import OpenedRequest, ReceiptUnknown, request_open
from removal.selectors.photos import PhotoGone, photo_opened
from removal.site import problem_pages, session, wording
from removal.site.forms import Fault, typed
from removal.site.marking import photo_marked
from removal.site.pages import NO_STORE, page

CLEARED = '"cache", "cookies", "storage"'
_SESSION = {"idle": IDLE // dt.timedelta(minutes=1), "longest": LONGEST // dt.timedelta(minutes=1)}
"""How long a session lasts, in minutes, for the pages that say so."""
MAKING_SECONDS: Final = 2.0
"""How long a photo waits until another one was made: the photos of one page come together."""
_making = threading.BoundedSemaphore(1)


@require_http_methods(["GET", "HEAD", "POST"])
@own_forms_only
def status(request: HttpRequest) -> HttpResponse:
    """Ask for the receipt code, begin a session with it; show the request of a session."""
    try:
        if request.method == "POST":
            return _begun(request)
        return status_page(request, session.opened_by(request))
    except SessionEnded:
        return code_wanted(request, ended=session.session_named(request))
    except SecretUnavailable:
        return problem_pages.unavailable(request)


@require_http_methods(["GET", "HEAD", "POST"])
@own_forms_only
def leave(request: HttpRequest) -> HttpResponse:
    """End the session and have the browser forget what it holds of this site."""
    if request.method != "POST":
        return redirect("removal:status")
    response = redirect("removal:status-left")
    response.status_code = 303
    response.headers["Cache-Control"] = NO_STORE
    response.headers["Clear-Site-Data"] = CLEARED
    session.session_over(request)
    session.cookies_dropped(response)
    return response


@require_safe
def left(request: HttpRequest) -> HttpResponse:
    """Say that the session is over."""
    return page(request, "status_left.html", store=False)


@require_safe
def photo(request: HttpRequest, n: int) -> HttpResponse:
    """Show the subject their own photo, small, with the part that was found marked."""
    try:
        data, regions = photo_opened(opened=session.opened_by(request), n=n)
        shown = _photo_made(data, regions)
    except (SessionEnded, PhotoGone, ImageRefused):
        return problem_pages.not_found(request)
    except DecoderUnavailable:
        return problem_pages.unavailable(request)
    response = HttpResponse(shown, content_type="image/jpeg")
    response.headers["Cache-Control"] = NO_STORE
    return response


def _photo_made(data: bytes, regions: Sequence[Region]) -> bytes:
    """Make the picture to show, one at a time: whoever asks in a loop holds up nobody's request.

    Raises:
        ImageRefused: it cannot be decoded here.
        DecoderUnavailable: another is being made, or nothing can decode at this moment.
    """
    if not _making.acquire(timeout=MAKING_SECONDS):
        raise DecoderUnavailable
    try:
        return photo_marked(data, regions)
    finally:
        _making.release()


def _begun(request: HttpRequest) -> HttpResponse:
    """Open the request that the posted code names and begin a session, or say why not."""
    receipt = typed(request.POST, "receipt")
    if not receipt:
        return code_wanted(request, status=400, fault=_("Enter your receipt code."))
    try:
        opened = request_open(receipt=receipt)
    except ReceiptMistyped as mistyped:
        return code_wanted(request, status=400, fault=str(mistyped), receipt=receipt)
    except ReceiptUnknown as unknown:
        return code_wanted(request, status=404, fault=str(unknown))
    # An element of this name says, where the code is asked for again, what became of the cookies.
    response = redirect(f"{reverse('removal:status')}#opened")
    response.status_code = 303
    response.headers["Cache-Control"] = NO_STORE
    session.session_over(request)
    session.session_given(response, session_start(opened=opened))
    return response


def code_wanted(
    request: HttpRequest,
    *,
    status: int = 200,
    fault: str = "",
    receipt: str = "",
    ended: bool = False,
    unsent: str = "",
) -> HttpResponse:
    """Ask for the receipt code.

    Args:
        request: what came.
        status: the answer's status.
        fault: what is wrong with the code that was entered.
        receipt: it, to be mended; only where it cannot be anybody's.
        ended: the browser had a session, and it is over.
        unsent: words that came too late for it, given back to their author.
    """
    context = {
        "receipt": receipt,
        "errors": [Fault("id_receipt", fault)] if fault else [],
        "ended": ended,
        "unsent": unsent,
        "session": _SESSION,
    }
    response = page(request, "status_form.html", context, status=status, store=False)
    if ended:
        session.session_over(request)
        session.cookies_dropped(response)
    return session.note_shown(request, response)


def status_page(
    request: HttpRequest,
    opened: OpenedRequest,
    *,
    status: int = 200,
    fault: Fault | None = None,
    text: str = "",
) -> HttpResponse:
    """Show a request to its subject.

    Args:
        request: what came.
        opened: the request.
        status: the answer's status.
        fault: why an act was not taken.
        text: the message that was not taken, to be mended.
    """
    facts: dict[str, Any] = status_told(opened=opened)
    context = {
        "status": facts,
        "told": wording.told(facts),
        "errors": [fault] if fault else [],
        "notice": "" if fault else session.note_of(request),
        "message_text": text,
        "message_fault": fault.sentence if fault and fault.anchor == "id_text" else "",
        "message_max": MESSAGE_MAX,
        "session": _SESSION,
    }
    response = page(request, "status.html", context, status=status, store=False)
    return session.note_shown(request, response)
