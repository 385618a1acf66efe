"""What is answered when an address, a request or the service itself is at fault.

Under /api/ the answer is problem+json, elsewhere a page. Neither repeats what was sent.
"""

from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from removal.api.problems import PROBLEMS, problem_response, unreadable
from removal.intake.uploads import RETRY_AFTER_SECONDS, UploadRefused
from removal.languages import address
from removal.site.pages import error_page

NOT_FOUND = gettext_lazy(
    "There is no page at this address. Check it for slips, or start from the first page."
)
SERVER_ERROR = gettext_lazy(
    "Something went wrong on our side. Nothing that you sent was kept. "
    "Please try again in a few minutes."
)


def _wants_problem(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400 and 413: the request cannot be read."""
    code, sentence = unreadable(exception)
    if _wants_problem(request):
        return problem_response(code, sentence)
    return error_page(request, PROBLEMS[code][0], _("We could not read that"), [sentence])


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: sent from another site, or staff pages without the right to them."""
    sentence = _("You may not do this here.")
    if isinstance(exception, PermissionDenied) and exception.args:
        sentence = str(exception.args[0])
    if _wants_problem(request):
        return problem_response("forbidden", sentence, 403)
    return error_page(request, 403, _("Not from here"), [sentence])


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a staff form whose token or origin does not fit (settings.CSRF_FAILURE_VIEW)."""
    del reason
    sentence = _(
        "This form was open for too long, or was not sent from our own page. Load it again."
    )
    return error_page(request, 403, _("Not from here"), [sentence])


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: no such address."""
    del exception
    if _wants_problem(request):
        return problem_response("not_found", _("There is nothing at this address."), 404)
    return error_page(request, 404, _("This page does not exist"), [str(NOT_FOUND)])


class MethodRefusals:
    """Middleware: puts words into the empty 405 that Django's decorators answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request."""
        response = self.get_response(request)
        if response.status_code != 405 or response.streaming or response.content:
            return response
        told = method_refused(request)
        told.headers["Allow"] = response.headers["Allow"]
        return told


def method_refused(request: HttpRequest) -> HttpResponse:
    """405: the address is right, what was asked of it is not."""
    sentence = _("This address cannot be used in that way. Open the page itself.")
    if _wants_problem(request):
        return problem_response("method_not_allowed", _("This method is not offered here."))
    return error_page(request, 405, _("Not like that"), [sentence])


def server_error(request: HttpRequest) -> HttpResponse:
    """500: the fault is ours."""
    if _wants_problem(request):
        return problem_response("server_error", str(SERVER_ERROR), 500)
    return error_page(request, 500, _("Sorry, that did not work"), [str(SERVER_ERROR)])


def unavailable(request: HttpRequest) -> HttpResponse:
    """503: the service is not set up, so that it takes nothing it could not protect."""
    sentence = _("The service cannot take requests at this moment. Please try again later.")
    return error_page(
        request,
        503,
        _("Not ready"),
        [sentence, _("Nothing that you sent was kept.")],
        retry_after=600,
    )


def upload_refused(request: HttpRequest, refusal: UploadRefused) -> HttpResponse:
    """413 and 503 before the form could be read: a page of its own, as nothing can be kept."""
    heading = _("Too many photos at once") if refusal.status == 503 else _("That is too large")
    return error_page(
        request,
        refusal.status,
        heading,
        [refusal.sentence],
        onward=(address("/request/"), _("Back to the form")),
        retry_after=RETRY_AFTER_SECONDS if refusal.status == 503 else None,
    )
