"""The receipt, once it is shown: to save it, to show that one has kept it, to be reminded.

The code comes back here only in the body of a POST and goes out only in the direct answer. What
always holds: nothing on these pages looks it up or stores it; its own check symbol tells whether
it is a code at all.
"""

import datetime as dt
from typing import Any, Final

from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from removal.custody.receipts import ReceiptMistyped, canonical, end_matches, written
from removal.intake.origin import own_forms_only
from removal.intake.submission import Submitted
from removal.site.forms import Fault, typed
from removal.site.pages import NO_STORE, error_page, page
from removal.site.reminder import DayUnlikely, day_read, reminder

SCRIPTED: Final = {"script-src": ["'self'"]}


def receipt_page(
    request: HttpRequest,
    code: str,
    due_on: dt.date | None,
    submitted: Submitted | None = None,
    url_count: int = 0,
    *,
    fault: Fault | None = None,
) -> HttpResponse:
    """Show a receipt: new with what was taken, or once more to who has not kept it yet."""
    context: dict[str, Any] = {
        "receipt": code,
        "due_on": due_on,
        "submitted": submitted,
        "url_count": url_count,
        "errors": [fault] if fault else [],
    }
    status = 201 if submitted else 400 if fault else 200
    return page(request, "receipt.html", context, status=status, store=False)


@require_http_methods(["GET", "HEAD", "POST"])
@own_forms_only
def save(request: HttpRequest) -> HttpResponse:
    """Give the code as a text file."""
    if request.method != "POST":
        return redirect("removal:request")
    try:
        code = _code(request)
    except ReceiptMistyped:
        return _no_code(request)
    lines = [
        _("Receipt code: %(code)s") % {"code": code},
        _("Where to enter it: %(address)s")
        % {"address": f"{settings.UNLIST.public_url}{reverse('removal:status')}"},
    ]
    if due_on := _due(request):
        day = date_format(due_on, "DATE_FORMAT")
        lines.append(_("The answer will be ready by: %(day)s") % {"day": day})
    lines.append(_("Whoever has this code can see what you can see. It cannot be recovered."))
    return _file("\r\n".join([*lines, ""]).encode(), "text/plain; charset=utf-8", "code.txt")


@require_http_methods(["GET", "HEAD", "POST"])
@csp_update(SCRIPTED)
@own_forms_only
def kept(request: HttpRequest) -> HttpResponse:
    """Ask for the end of the code, without showing it; tell whether it was kept."""
    if request.method != "POST":
        return redirect("removal:request")
    try:
        code = _code(request)
    except ReceiptMistyped:
        return _no_code(request)
    due_on, end = _due(request), request.POST.get("end")
    if request.POST.get("show"):
        return receipt_page(request, code, due_on)
    if end is None:
        return page(request, "receipt_kept.html", {"receipt": code, "due_on": due_on})
    if end_matches(code, end):
        return page(request, "receipt_well_kept.html", {"due_on": due_on})
    sentence = _("That is not how your code ends. Here it is again: please compare.")
    return receipt_page(request, code, due_on, fault=Fault("receipt", sentence))


@require_http_methods(["GET", "HEAD", "POST"])
@own_forms_only
def remind(request: HttpRequest) -> HttpResponse:
    """Give a calendar file for the day by which the answer is due."""
    if request.method != "POST":
        return redirect("removal:request")
    due_on = _due(request)
    if due_on is None:
        sentence = _("This form came without a day that an answer can be due on.")
        return error_page(request, 400, _("We could not make the reminder"), [sentence])
    return _file(reminder(due_on), "text/calendar; charset=utf-8", "reminder.ics")


def _code(request: HttpRequest) -> str:
    """Return the posted code as people see it.

    Raises:
        ReceiptMistyped: it is none.
    """
    return written(canonical(typed(request.POST, "receipt")))


def _due(request: HttpRequest) -> dt.date | None:
    try:
        return day_read(typed(request.POST, "due"))
    except DayUnlikely:
        return None


def _no_code(request: HttpRequest) -> HttpResponse:
    sentence = _("This form came without a whole receipt code. Use the code that you have kept.")
    return error_page(
        request,
        400,
        _("There is no code here"),
        [sentence],
        onward=(reverse("removal:status"), _("Check a request")),
    )


def _file(content: bytes, content_type: str, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = NO_STORE
    return response
