"""Making a request: the form, and the receipt in the direct answer to it.

Both work without script and set no cookie. A script, where one runs, shows the photos before they
are sent and does the proof of work; without one the form's ticket lets it through after a wait.
"""

import math
from collections.abc import Sequence

from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from indexer.decode import MAX_BYTES, DecoderUnavailable
from removal.custody.secrets import SecretUnavailable
from removal.intake import gate
from removal.intake.gate import GateClosed, GateRefused, TicketTooEarly
from removal.intake.load import Gate, closed_for
from removal.intake.network import network_of
from removal.intake.origin import own_forms_only
from removal.intake.submission import MAX_PHOTOS, NOTE_MAX, IntakeRefused, Submitted, request_submit
from removal.intake.uploads import RETRY_AFTER_SECONDS, PhotoUpload, UploadRefused, photos_accepted
from removal.site import problem_pages
from removal.site.forms import ACCEPT, FORMAT_NAMES, Fault, RequestForm, categories, typed
from removal.site.pages import error_page, page
from removal.site.receipt import SCRIPTED, receipt_page

# A picture is shown before it is sent by an address that the browser makes, its bytes stay there;
# the challenge is fetched from the API, and solved in workers of our own.
_POLICY = {
    **SCRIPTED,
    "img-src": ["blob:"],
    "connect-src": ["'self'"],
    "worker-src": ["'self'"],
}


@require_http_methods(["GET", "HEAD", "POST"])
@csp_update(_POLICY)
@own_forms_only
def request_new(request: HttpRequest) -> HttpResponse:
    """Show the form; take it, and answer with the receipt."""
    if request.method != "POST":
        return _closed(request) or _request_form(request, RequestForm(), _new_ticket(request))
    try:
        with photos_accepted(request) as upload:
            return _request_taken(request, upload)
    except UploadRefused as refusal:
        return problem_pages.upload_refused(request, refusal)
    except (SecretUnavailable, DecoderUnavailable):
        return problem_pages.unavailable(request)


def _closed(request: HttpRequest) -> HttpResponse | None:
    """Say when to come back, where neither way in is open."""
    if not settings.UNLIST.pow_cost:
        return None
    seconds = min(closed_for(Gate.WORK), closed_for(Gate.TICKET))
    if not seconds:
        return None
    minutes = math.ceil(seconds / 60)
    sentence = ngettext(
        "Very many requests are arriving, so we can take no more just now. "
        "Please come back in %(minutes)d minute.",
        "Very many requests are arriving, so we can take no more just now. "
        "Please come back in %(minutes)d minutes.",
        minutes,
    ) % {"minutes": minutes}
    return error_page(
        request,
        503,
        _("Please come back a little later"),
        [sentence, _("Requests that were made before are not affected.")],
        onward=(reverse("removal:request"), _("Try again")),
        retry_after=seconds,
    )


def _request_taken(request: HttpRequest, upload: PhotoUpload) -> HttpResponse:
    form, ticket = RequestForm(request.POST), typed(request.POST, "ticket")
    try:
        photos = upload.photos()
    except UploadRefused as refusal:
        form.add_error("photos", refusal.sentence)
        wait = RETRY_AFTER_SECONDS if refusal.status == 503 else None
        return _request_form(request, form, ticket, status=refusal.status, retry_after=wait)
    if not form.is_valid():
        return _request_form(request, form, ticket, status=400)
    if not photos and not form.cleaned_data["urls"]:
        form.add_error(
            "photos", _("Choose a photo, or write the web address of the picture below.")
        )
        return _request_form(request, form, ticket, status=400)
    return _request_gated(request, form, ticket, photos)


def _request_gated(
    request: HttpRequest, form: RequestForm, ticket: str, photos: Sequence[bytes]
) -> HttpResponse:
    """Let the form through with its work or its ticket; what was not spent stays good."""
    try:
        _spend(request, ticket)
        submitted = _submitted(form, photos)
    except (TicketTooEarly, GateClosed) as later:
        fault = Fault("id_send", later.sentence)
        return _request_form(
            request, form, ticket, status=later.status, extra=[fault], retry_after=later.seconds
        )
    except GateRefused as refusal:
        fault, new = Fault("id_send", refusal.sentence), _new_ticket(request)
        return _request_form(request, form, new, status=refusal.status, extra=[fault])
    except IntakeRefused as refusal:
        form.refuse(refusal)
        return _request_form(request, form, _new_ticket(request), status=400)
    return receipt_page(
        request, submitted.receipt, submitted.due_on, submitted, len(form.cleaned_data["urls"])
    )


def _spend(request: HttpRequest, ticket: str) -> None:
    work, network = typed(request.POST, "altcha"), network_of(request)
    if work and settings.UNLIST.pow_cost:
        gate.work_spend(payload=work, network=network)
    else:
        gate.ticket_spend(ticket=ticket, network=network)


def _new_ticket(request: HttpRequest) -> str:
    return gate.ticket_issue(network=network_of(request))


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
    retry_after: int | None = None,
) -> HttpResponse:
    context = {
        "form": form,
        "ticket": ticket,
        "errors": [*(form.faults() if form.is_bound else []), *extra],
        "categories": categories(),
        "max_photos": MAX_PHOTOS,
        "max_bytes": MAX_BYTES,
        "max_megabytes": MAX_BYTES // 1024**2,
        "note_max": NOTE_MAX,
        "wait_seconds": gate.ticket_wait(network_of(request)),
        "work": bool(settings.UNLIST.pow_cost),
        "formats": FORMAT_NAMES,
        "accept": ACCEPT,
    }
    response = page(request, "request.html", context, status=status, store=False)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response
