"""What a subject does with their request, in the session that their code began.

Each act is a form of its own. What cannot be undone has a page that says so and asks again. An
act that is taken leads back to the request (303), so that reloading does not repeat it.
"""

import uuid
from collections.abc import Callable
from functools import partial, wraps

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from removal.intake.origin import own_forms_only
from removal.life.acts import acts_possible, status_told
from removal.life.appeals import APPEAL_MAX, request_appeal
from removal.life.messages import message_post
from removal.life.plaintext import WordsInvalid
from removal.life.questions import question_answer
from removal.life.review import photos_delete_now, request_withdraw
from removal.life.sessions import SessionEnded
from removal.lifecycle import OPEN, TransitionRefused
from removal.models import State
from removal.selectors import OpenedRequest
from removal.site import session
from removal.site.following import code_wanted, status_page
from removal.site.forms import Fault
from removal.site.pages import page

Act = Callable[[HttpRequest, OpenedRequest], HttpResponse]
Refused = Callable[..., HttpResponse]
"""Answers with what is wrong: called with `status` and `fault`."""


def in_session(act: Act) -> Callable[[HttpRequest], HttpResponse]:
    """Act on the request of the browser's session; without one, ask for the code."""

    @require_http_methods(["GET", "HEAD", "POST"])
    @own_forms_only
    @wraps(act)
    def view(request: HttpRequest) -> HttpResponse:
        try:
            opened = session.opened_by(request)
        except SessionEnded:
            if request.method != "POST":
                return redirect("removal:status")
            unsent = request.POST.get("text", "")
            return code_wanted(request, status=403, ended=True, unsent=unsent)
        return act(request, opened)

    return view


@in_session
def answer(request: HttpRequest, opened: OpenedRequest) -> HttpResponse:
    """Take the answer to a question: "this is me" or "this is not me"."""
    if request.method != "POST":
        return redirect("removal:status")
    refused = partial(status_page, request, opened)
    mine, asked = request.POST.get("mine"), _uuid(request.POST.get("question", ""))
    if mine not in {"yes", "no"} or asked is None:
        return refused(status=400, fault=Fault("questions", _("Choose one of the two answers.")))
    answered = partial(question_answer, opened=opened, question=asked, mine=mine == "yes")
    return _tried(answered, refused, note="answered", anchor="questions")


@in_session
def message(request: HttpRequest, opened: OpenedRequest) -> HttpResponse:
    """Take a message to the maintainers."""
    if request.method != "POST":
        return redirect("removal:status")
    text = request.POST.get("text", "")
    refused = partial(status_page, request, opened, text=text)
    posted = partial(message_post, opened=opened, text=text)
    return _tried(posted, refused, note="message_sent", anchor="messages", control="id_text")


@in_session
def photo_delete(request: HttpRequest, opened: OpenedRequest) -> HttpResponse:
    """Delete the photos now, once their owner has said that they are sure."""
    if request.method != "POST":
        return _asked_again(request, opened, "photo_delete")
    refused = partial(status_page, request, opened)
    deleted = partial(photos_delete_now, opened=opened)
    return _tried(deleted, refused, note="photos_deleted", anchor="photos")


@in_session
def withdraw(request: HttpRequest, opened: OpenedRequest) -> HttpResponse:
    """Take a request back, once its owner has said that they are sure."""
    if request.method != "POST":
        return _asked_again(request, opened, "withdraw")
    refused = partial(status_page, request, opened)
    withdrawn = partial(request_withdraw, opened=opened)
    return _tried(withdrawn, refused, note="withdrawn", anchor="opened")


@in_session
def appeal(request: HttpRequest, opened: OpenedRequest) -> HttpResponse:
    """Take the one appeal."""
    if request.method != "POST":
        return _asked_again(request, opened, "appeal")
    text = request.POST.get("text", "")
    appealed = partial(request_appeal, opened=opened, text=text)
    refused = partial(_appeal_refused, request, opened, text)
    return _tried(appealed, refused, note="appealed", anchor="opened", control="id_text")


def _appeal_refused(
    request: HttpRequest, opened: OpenedRequest, text: str, *, status: int, fault: Fault
) -> HttpResponse:
    """Give the words back to be mended; or, where there is no appeal, say so on the main page."""
    if status != 400:
        return status_page(request, opened, status=status, fault=fault)
    context = _context(opened) | {"errors": [fault], "text": text}
    return page(request, "status_appeal.html", context, status=status, store=False)


def _tried(
    act: Callable[[], object], refused: Refused, *, note: str, anchor: str, control: str = ""
) -> HttpResponse:
    """Act and lead back to the request; or say why not, beside the control that it is about."""
    try:
        act()
    except WordsInvalid as invalid:
        return refused(status=400, fault=Fault(control or anchor, str(invalid)))
    except TransitionRefused as refusal:
        return refused(status=409, fault=Fault(anchor, str(refusal)))
    return session.done(note, anchor)


def _asked_again(request: HttpRequest, opened: OpenedRequest, act: str) -> HttpResponse:
    """Show the page that asks whether its reader is sure, while the act is possible."""
    if act not in acts_possible(opened.request):
        return redirect("removal:status")
    return page(request, f"status_{act}.html", _context(opened), store=False)


def _context(opened: OpenedRequest) -> dict[str, object]:
    """Return what the pages that ask again say: what would go, and what it would stop."""
    status = status_told(opened=opened)
    held = [photo["deletes_on"] for photo in status["photos"] if photo["state"] == "held"]
    return {
        "photos_held": len(held),
        "deletes_on": max(held, default=None),
        "searching": status["state"] in {State.RECEIVED, State.SEARCHING},
        "open": status["state"] in OPEN,
        "errors": [],
        "text": "",
        "text_max": APPEAL_MAX,
    }


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
