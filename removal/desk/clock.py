"""A session of the staff is short: 30 minutes without use, 12 hours at most, however busy.

Both ends are kept in the session itself, on the server; the cookie has no say.
"""

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from removal.life.signing_in import staff_sign_out

IDLE_SECONDS: Final = 30 * 60
STEP_SECONDS: Final = 60
"""How precisely use is noted: a session is written once a minute at most."""
BEGAN: Final = "began"
USED: Final = "used"


class StaffSessionClock:
    """Ends a session that is over before any view sees it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Look at the clock where there is a session; without its cookie nothing is touched."""
        if settings.SESSION_COOKIE_NAME in request.COOKIES and SESSION_KEY in request.session:
            if over := _over(request):
                staff_sign_out(request, why=over)
            else:
                _use_note(request)
        return self._get_response(request)


def _over(request: HttpRequest) -> str:
    """Return why the session is over; empty while it is not."""
    now = int(timezone.now().timestamp())
    if now - request.session.get(BEGAN, now) >= settings.SESSION_COOKIE_AGE:
        return "aged"
    if now - request.session.get(USED, now) >= IDLE_SECONDS:
        return "idle"
    return ""


def _use_note(request: HttpRequest) -> None:
    now = int(timezone.now().timestamp())
    request.session.setdefault(BEGAN, now)
    if now - request.session.get(USED, 0) >= STEP_SECONDS:
        request.session[USED] = now
