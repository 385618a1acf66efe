"""Response headers that Django and django-csp do not set, the same on every answer.

`Cross-Origin-Resource-Policy` keeps other sites from embedding our answers;
`Permissions-Policy` gives up what no page of ours uses.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

PERMISSIONS = (
    "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), geolocation=(), "
    "gyroscope=(), magnetometer=(), microphone=(), payment=(), usb=()"
)


class HeadersMiddleware:
    """Adds the headers to whatever comes back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request, with the headers."""
        response = self.get_response(request)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        return response
