"""The public pages: the request form, the receipt, the status, what is covered, privacy.

They work without script and set no cookie. The receipt is shown in the direct answer to the POST
and comes back only in the body of a POST, so that no address, history or log ever holds it.
"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from catalog.selectors import datasets_covered
from removal import problem_pages, wording
from removal.forms import ACCEPT, CATEGORIES, FORMAT_NAMES, Fault, RequestForm, typed
from removal.gate import GateRefused, TicketTooEarly, ticket_check, ticket_issue, ticket_spend
from removal.intake import MAX_PHOTOS, NOTE_MAX, IntakeRefused, Submitted, request_submit
from removal.lifecycle import OPEN, TransitionRefused
from removal.origin import own_forms_only
from removal.pages import page
from removal.receipts import ReceiptMistyped
from removal.review import request_withdraw
from removal.secrets import SecretUnavailable
from removal.selectors import OpenedRequest, ReceiptUnknown, request_open, request_status
from removal.uploads import RETRY_AFTER_SECONDS, PhotoUpload, UploadRefused, photos_accepted

bad_request = problem_pages.bad_request
forbidden = problem_pages.forbidden
not_found = problem_pages.not_found
server_error = problem_pages.server_error

UNKNOWN = (
    "No request opens with this code. Compare it with the one you kept. "
    "A request whose records have been deleted cannot be opened any more."
)
CONFIRM = "Tick the box to say that you are sure, then press the button again."
TOO_LATE = "This request can no longer be taken back: it has been decided or closed."
WITHDRAWN = "You have taken the request back. Your photos have been deleted."


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Say what this is, what happens to the photo, and what one gets."""
    datasets = datasets_covered()
    rows = sum(dataset.rows_indexed for dataset in datasets)
    return page(request, "home.html", {"datasets": datasets, "rows_indexed": rows})


@require_safe
def datasets(request: HttpRequest) -> HttpResponse:
    """Show which datasets are covered and how far they are indexed."""
    return page(request, "datasets.html", {"datasets": datasets_covered()})


@require_safe
def privacy(request: HttpRequest) -> HttpResponse:
    """Say what is kept, for whom and how long, from the settings in force."""
    return page(request, "privacy.html")


# --- making a request ------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@own_forms_only
def request_new(request: HttpRequest) -> HttpResponse:
    """Show the form; take it, and answer with the receipt."""
    if request.method != "POST":
        return _request_form(request, RequestForm(), ticket_issue())
    try:
        with photos_accepted(request) as upload:
            return _request_taken(request, upload)
    except UploadRefused as refusal:
        return problem_pages.upload_refused(request, refusal)
    except SecretUnavailable:
        return problem_pages.unavailable(request)


def _request_taken(request: HttpRequest, upload: PhotoUpload) -> HttpResponse:
    form, ticket = RequestForm(request.POST), typed(request.POST, "ticket")
    try:
        photos = upload.photos()
    except UploadRefused as refusal:
        form.add_error("photos", refusal.sentence)
        response = _request_form(request, form, ticket, status=refusal.status)
        if refusal.status == 503:
            response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response
    if not form.is_valid():
        return _request_form(request, form, ticket, status=400)
    if not photos and not form.cleaned_data["urls"]:
        form.add_error("photos", "Choose a photo, or write the web address of the picture below.")
        return _request_form(request, form, ticket, status=400)
    return _request_gated(request, form, ticket, photos)


def _request_gated(
    request: HttpRequest, form: RequestForm, ticket: str, photos: Sequence[bytes]
) -> HttpResponse:
    """Let the form through with its ticket; a ticket that is only too young stays good."""
    try:
        ticket_check(ticket=ticket)
        ticket_spend(ticket=ticket)
        submitted = _submitted(form, photos)
    except TicketTooEarly as early:
        fault = Fault("id_send", early.sentence)
        response = _request_form(request, form, ticket, status=early.status, extra=[fault])
        response.headers["Retry-After"] = str(early.seconds)
        return response
    except GateRefused as refusal:
        fault = Fault("id_send", refusal.sentence)
        return _request_form(request, form, ticket_issue(), status=refusal.status, extra=[fault])
    except IntakeRefused as refusal:
        form.refuse(refusal)
        return _request_form(request, form, ticket_issue(), status=400)
    context = {"submitted": submitted, "url_count": len(form.cleaned_data["urls"])}
    return page(request, "receipt.html", context, status=201, store=False)


def _submitted(form: RequestForm, photos: Sequence[bytes]) -> Submitted:
    words = form.cleaned_data
    return request_submit(
        photos=photos, urls=words["urls"], note=words["note"], category=words["category"]
    )


def _request_form(
    request: HttpRequest,
    form: RequestForm,
    ticket: str,
    *,
    status: int = 200,
    extra: Sequence[Fault] = (),
) -> HttpResponse:
    context = {
        "form": form,
        "ticket": ticket,
        "errors": [*(form.faults() if form.is_bound else []), *extra],
        "categories": CATEGORIES,
        "max_photos": MAX_PHOTOS,
        "note_max": NOTE_MAX,
        "wait_seconds": settings.UNLIST.ticket_wait_seconds,
        "formats": FORMAT_NAMES,
        "accept": ACCEPT,
    }
    return page(request, "request.html", context, status=status, store=False)


# --- following a request ---------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@own_forms_only
def status(request: HttpRequest) -> HttpResponse:
    """Ask for the receipt code; show the request that it opens."""
    if request.method != "POST":
        return page(request, "status_form.html", {"receipt": ""})
    opened = _opened(request)
    return opened if isinstance(opened, HttpResponse) else _status_page(request, opened)


@require_http_methods(["GET", "HEAD", "POST"])
@own_forms_only
def status_withdraw(request: HttpRequest) -> HttpResponse:
    """Take a request back, once its owner has said that they are sure."""
    if request.method != "POST":
        return redirect("removal:status")
    opened = _opened(request)
    if isinstance(opened, HttpResponse):
        return opened
    if request.POST.get("confirm") != "yes":
        return _status_page(request, opened, status=400, fault=Fault("id_confirm", CONFIRM))
    try:
        request_withdraw(opened=opened)
    except TransitionRefused:
        return _status_page(request, _again(request), status=409, notice=TOO_LATE)
    return _status_page(request, _again(request), notice=WITHDRAWN)


def _opened(request: HttpRequest) -> OpenedRequest | HttpResponse:
    """Open the request that the posted code names, or answer why not."""
    receipt = typed(request.POST, "receipt")
    if not receipt:
        return _code_wanted(request, "", 400, "Enter your receipt code.")
    try:
        return request_open(receipt=receipt)
    except ReceiptMistyped as mistyped:
        return _code_wanted(request, receipt, 400, str(mistyped))
    except ReceiptUnknown:
        return _code_wanted(request, "", 404, UNKNOWN)
    except SecretUnavailable:
        return problem_pages.unavailable(request)


def _again(request: HttpRequest) -> OpenedRequest:
    """Open once more after a change: what was read before is out of date."""
    return request_open(receipt=typed(request.POST, "receipt"))


def _code_wanted(request: HttpRequest, receipt: str, status: int, sentence: str) -> HttpResponse:
    context = {"receipt": receipt, "errors": [Fault("id_receipt", sentence)]}
    return page(request, "status_form.html", context, status=status, store=False)


def _status_page(
    request: HttpRequest,
    opened: OpenedRequest,
    *,
    status: int = 200,
    fault: Fault | None = None,
    notice: str = "",
) -> HttpResponse:
    facts: dict[str, Any] = request_status(opened=opened)
    decision = facts["decision"] or {}
    context = {
        "status": facts,
        "receipt": typed(request.POST, "receipt"),
        "errors": [fault] if fault else [],
        "notice": notice,
        "open": facts["state"] in OPEN,
        "search_over": facts["state"] in wording.SEARCH_OVER,
        "state_words": wording.STATE_WORDS[facts["state"]],
        "outcome_words": wording.OUTCOME_WORDS.get(decision.get("outcome", ""), ""),
        "timeline": wording.timeline(facts),
        "found": wording.found_sentences(facts),
        "photos": wording.photo_sentences(facts),
    }
    return page(request, "status.html", context, status=status, store=False)
