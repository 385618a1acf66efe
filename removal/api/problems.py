"""How the API says no: RFC 9457 problem details with a stable `type`.

Every code is listed in `PROBLEMS` and in docs/api.md (a test compares them). `detail` is a
sentence that names the fault and what mends it, and never repeats what was sent.
"""

import math
from http import HTTPStatus
from typing import Any, Final

from django.core.exceptions import (
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFilesSent,
)
from django.http import Http404, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import exceptions

from removal.intake.submission import too_many_photos_sentence

CONTENT_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:unlist:problem:"

PROBLEMS: Final[dict[str, tuple[int, str]]] = {
    "malformed": (400, "The request cannot be read"),
    "nothing_sent": (400, "Neither photo nor web address was sent"),
    "no_usable_photo": (400, "None of the photos can be used"),
    "too_many_photos": (400, "Too many photos"),
    "too_many_urls": (400, "Too many web addresses"),
    "url_invalid": (400, "A web address cannot be used"),
    "note_too_long": (400, "The note is too long"),
    "category_unknown": (400, "The category is unknown"),
    "altcha_missing": (400, "The proof of work is missing"),
    "altcha_wrong": (400, "The proof of work is wrong"),
    "altcha_expired": (400, "The challenge has expired"),
    "altcha_spent": (400, "The proof of work was used before"),
    "receipt_missing": (400, "The receipt is missing"),
    "receipt_mistyped": (400, "The receipt is mistyped"),
    "question_unknown": (400, "There is no such question"),
    "answer_missing": (400, "The answer is missing"),
    "words_missing": (400, "The text is missing"),
    "words_too_long": (400, "The text is too long"),
    "words_unreadable": (400, "The text cannot be read"),
    "forbidden": (403, "Not from this place"),
    "not_found": (404, "Not found"),
    "receipt_unknown": (404, "No request opens with this receipt"),
    "method_not_allowed": (405, "This method is not offered here"),
    "not_acceptable": (406, "The answer cannot be given in this form"),
    "state_forbids": (409, "The request's state does not allow this"),
    "conversation_closed": (409, "The conversation is over"),
    "too_many_messages": (409, "Too many messages wait for an answer"),
    "nothing_to_appeal": (409, "There is nothing to appeal"),
    "too_late": (409, "The time to appeal is over"),
    "appealed_before": (409, "There is one appeal, and it was made"),
    "length_required": (411, "The length of the body is missing"),
    "photo_too_large": (413, "A photo is too large"),
    "body_too_large": (413, "The request is too large"),
    "unsupported_media_type": (415, "This content type is not taken here"),
    "too_many_requests": (429, "Too many requests"),
    "server_error": (500, "The fault is on our side"),
    "busy": (503, "Too much is arriving at this moment"),
    "unavailable": (503, "The service is not ready"),
}


HOST_UNKNOWN: Final = gettext_lazy(
    "This service does not answer under this host name. Use its published address; "
    "its operator sets the names in DJANGO_ALLOWED_HOSTS."
)


class Problem(exceptions.APIException):
    """Raised in an API view to answer with a problem."""

    def __init__(self, code: str, detail: str, status: int | None = None, **extra: Any) -> None:
        super().__init__(detail, code)
        self.problem = code
        self.sentence = detail
        self.status_code = status or PROBLEMS[code][0]
        self.extra = extra


def problem_response(
    code: str, detail: str, status: int | None = None, **extra: Any
) -> JsonResponse:
    """Answer with a problem.

    Args:
        code: the last part of `type`; a key of `PROBLEMS`, or one that another app documents.
        detail: what is wrong and how to mend it.
        status: the HTTP status; from `PROBLEMS` where left out.
        extra: further members, such as `photos` or `retry_after`.
    """
    known_status, title = PROBLEMS.get(code, (status or 400, ""))
    status = status or known_status
    body = {
        "type": TYPE_PREFIX + code,
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **extra,
    }
    response = JsonResponse(body, status=status, content_type=CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    if "retry_after" in extra:
        response.headers["Retry-After"] = str(extra["retry_after"])
    return response


_BY_CLASS: Final[tuple[tuple[type[Exception], str, str], ...]] = (
    (
        exceptions.UnsupportedMediaType,
        "unsupported_media_type",
        "Send photos as multipart/form-data, and a receipt as application/json or as a form.",
    ),
    (exceptions.MethodNotAllowed, "method_not_allowed", "This method is not offered here."),
    (exceptions.NotAcceptable, "not_acceptable", "Answers are JSON: ask for application/json."),
    (exceptions.NotFound, "not_found", "There is nothing at this address."),
    (Http404, "not_found", "There is nothing at this address."),
    (exceptions.PermissionDenied, "forbidden", "You may not do this here."),
    (PermissionDenied, "forbidden", "You may not do this here."),
    (
        exceptions.ParseError,
        "malformed",
        "The body cannot be read: check that it is complete and of the content type it names.",
    ),
)


def exception_handler(exc: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Turn what a view raised into a problem; leave faults of ours to Django (500)."""
    if isinstance(exc, Problem):
        return problem_response(exc.problem, exc.sentence, exc.status_code, **exc.extra)
    if isinstance(exc, exceptions.Throttled):
        wait = math.ceil(getattr(exc, "wait", None) or 1)
        sentence = f"Too many requests from your network. Wait {wait} seconds and try again."
        return problem_response("too_many_requests", sentence, retry_after=wait)
    for kind, code, sentence in _BY_CLASS:
        if isinstance(exc, kind):
            return _with_allow(problem_response(code, sentence), context.get("view"))
    if isinstance(exc, SuspiciousOperation):
        return problem_response(*unreadable(exc))
    return None


def _with_allow(response: HttpResponse, view: Any) -> HttpResponse:
    if response.status_code == 405 and view is not None:
        response.headers["Allow"] = ", ".join(view.allowed_methods)
    return response


def unreadable(exc: Exception | None) -> tuple[str, str]:
    """Return code and sentence for a request that Django would not read."""
    if isinstance(exc, DisallowedHost):
        return "malformed", str(HOST_UNKNOWN)
    if isinstance(exc, RequestDataTooBig):
        return "body_too_large", _("The text is too long to be read. Shorten it and send it again.")
    if isinstance(exc, TooManyFilesSent):
        return "too_many_photos", too_many_photos_sentence()
    return "malformed", _("What was sent cannot be read. Check that it is whole and send it again.")
