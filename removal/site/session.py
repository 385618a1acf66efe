"""The cookies of a subject's session, and of one sentence about what was just done.

No cookie exists before a receipt was entered, and none outlives the browser. All are for our own
pages alone: out of reach for scripts, and not sent along from another site.
"""

from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy

from removal.life.sessions import Cookies, session_end, session_open
from removal.selectors import OpenedRequest
from removal.site.pages import NO_STORE

NAME: Final = "status"
SECRET: Final = "status-key"  # noqa: S105  # the cookie's name
NOTE: Final = "status-note"

NOTES: Final[Mapping[str, Any]] = {
    "answered": gettext_lazy("Your answer has been saved. Thank you."),
    "message_sent": gettext_lazy("Your message has been sent."),
    "photos_deleted": gettext_lazy("Your photos have been deleted."),
    "withdrawn": gettext_lazy("You have taken the request back. Your photos have been deleted."),
    "appealed": gettext_lazy("Your appeal has been received. A maintainer will look again."),
}


def cookie_name(name: str) -> str:
    """Return a cookie's name; over https the browser holds it to this host by its prefix."""
    return f"__Host-{name}" if settings.UNLIST.served_over_https else name


def opened_by(request: HttpRequest) -> OpenedRequest:
    """Open the request that the browser's session stands for.

    Raises:
        SessionEnded: there is none (any more).
    """
    return session_open(cookies=_cookies(request))


def session_named(request: HttpRequest) -> bool:
    """Tell whether the browser brings a session's cookies, ended or not."""
    return cookie_name(NAME) in request.COOKIES


def session_given(response: HttpResponse, cookies: Cookies) -> None:
    """Give the browser a session."""
    _set(response, NAME, cookies.name)
    _set(response, SECRET, cookies.secret)


def session_over(request: HttpRequest) -> None:
    """End the browser's session, if it has one."""
    session_end(cookies=_cookies(request))


def cookies_dropped(response: HttpResponse) -> None:
    """Have the browser forget its session."""
    for name in (NAME, SECRET, NOTE):
        _drop(response, name)


def done(note: str, anchor: str) -> HttpResponse:
    """Send the browser back to its request after an act, to the part that changed."""
    response = redirect(f"{reverse('removal:status')}#{anchor}")
    response.status_code = 303
    response.headers["Cache-Control"] = NO_STORE
    _set(response, NOTE, note)
    return response


def note_of(request: HttpRequest) -> str:
    """Return the sentence about what was just done, if anything was."""
    return str(NOTES.get(request.COOKIES.get(cookie_name(NOTE), ""), ""))


def note_shown(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Have the browser forget the sentence: it is said once."""
    if cookie_name(NOTE) in request.COOKIES:
        _drop(response, NOTE)
    return response


def _cookies(request: HttpRequest) -> Cookies:
    held = request.COOKIES
    return Cookies(held.get(cookie_name(NAME), ""), held.get(cookie_name(SECRET), ""))


def _set(response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(
        cookie_name(name),
        value,
        path="/",
        secure=settings.UNLIST.served_over_https,
        httponly=True,
        samesite="Strict",
    )


def _drop(response: HttpResponse, name: str) -> None:
    response.delete_cookie(cookie_name(name), path="/", samesite="Strict")
