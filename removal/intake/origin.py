"""Whether a form was sent from our own pages: the public site's stand-in for a CSRF cookie.

The public forms set no cookie, so a stranger's page has no session to ride on; this check keeps
it from making a visitor's browser send requests in the visitor's stead.

* `Sec-Fetch-Site` is the browser's own word and decides where it is given: `same-origin`, or
  `none` for a page the person opened without a link.
* Otherwise `Origin` must name our host. Our pages send `Referrer-Policy: no-referrer`, under
  which browsers write `Origin: null`; that is taken on plain HTTP alone, where browsers leave
  `Sec-Fetch-Site` out.
* Neither header: no browser, so nothing to protect.
"""

from collections.abc import Callable
from functools import wraps
from urllib.parse import urlsplit

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt

View = Callable[[HttpRequest], HttpResponse]

REFUSAL = _(
    "This form was sent from another website, so we did not take it. "
    "Open our own page and send it from there."
)


def same_origin(request: HttpRequest) -> bool:
    """Tell whether the request comes from our own pages, or from no browser at all."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    if origin == "null":
        return not request.is_secure()
    return urlsplit(origin).netloc == request.get_host()


def own_forms_only(view: View) -> View:
    """Let a view take forms from our own pages alone, without Django's CSRF cookie."""

    @csrf_exempt
    @wraps(view)
    def checked(request: HttpRequest) -> HttpResponse:
        if request.method == "POST" and not same_origin(request):
            raise PermissionDenied(REFUSAL)
        return view(request)

    return checked
