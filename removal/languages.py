"""The language of each answer: what its address names, else what the browser asks for. No cookie.

* `/de/request/` is the page `/request/` in German. Every language has such addresses, English too.
  The language choice on each page is made of links to them, and all links and forms of a page so
  opened stay under the prefix (it is the script prefix of `reverse`): a choice lasts as long as
  the visit and leaves nothing behind.
* `/request/` and the API answer in the language of `Accept-Language`, and say so with `Vary`.
* Staff pages, health and the repository's files have one language and lose the prefix.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import get_script_prefix, set_script_prefix
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.encoding import escape_uri_path
from django.utils.translation.trans_real import (
    get_supported_language_variant,
    parse_accept_lang_header,
)

UNTRANSLATED = ("/admin/", "/health/", "/metadata/", "/metrics", "/static/", "/targets/")
"""Where addresses have one language, whatever the browser asks for."""

_PREFIXED = re.compile(r"/(?P<code>[a-zA-Z]{2}(?:-[a-zA-Z]{2})?)(?P<rest>/.*)?")


@dataclass(frozen=True)
class Choice:
    """One link of the language choice: where it leads, and how it is written and read out."""

    code: str
    tag: str
    name: str
    direction: str
    href: str
    current: bool


class LanguageMiddleware:
    """Activates the language of an answer, and takes its prefix off the path."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer in the language that the address names, else in one the browser asks for."""
        code, rest = language_named(request.path_info)
        if code and (not rest or rest.startswith(UNTRANSLATED)):
            return HttpResponseRedirect(escape_uri_path(rest or f"{request.path}/"))
        if code:
            with _prefix(code):
                request.path_info = rest
                return self._answered(request, code)
        if request.path_info.startswith(UNTRANSLATED):
            with translation.override(settings.LANGUAGE_CODE):
                return self.get_response(request)
        response = self._answered(request, language_asked_for(request))
        patch_vary_headers(response, ("Accept-Language",))
        return response

    def _answered(self, request: HttpRequest, code: str) -> HttpResponse:
        with translation.override(code):
            response = self.get_response(request)
        response.headers.setdefault("Content-Language", language_tag(code))
        return response


def language_named(path: str) -> tuple[str, str]:
    """Return the language that a path begins with and the rest; two empty texts where none is."""
    found = _PREFIXED.fullmatch(path)
    if found is None or found["code"].lower() not in dict(settings.LANGUAGES):
        return "", ""
    return found["code"].lower(), found["rest"] or ""


def language_asked_for(request: HttpRequest) -> str:
    """Return the best of our languages by `Accept-Language`; English where none fits."""
    for wanted, _weight in parse_accept_lang_header(request.headers.get("Accept-Language", "")):
        if wanted == "*":
            break
        try:
            return get_supported_language_variant(wanted)
        except LookupError:
            continue
    return settings.LANGUAGE_CODE


def language_tag(code: str) -> str:
    """Write a language's code as HTML and HTTP do (BCP 47): pt-br becomes pt-BR."""
    language, _, region = code.partition("-")
    return f"{language}-{region.upper()}" if region else language


def language_choices(request: HttpRequest) -> list[Choice]:
    """Return the languages that this very page can be read in.

    None for staff, and none for the answer to a form: a link would open the empty form, and a
    receipt that is shown once would be lost. A page that does not exist leads to the first page.
    """
    if request.method not in {"GET", "HEAD"} or request.path_info.startswith(UNTRANSLATED):
        return []
    path = request.path_info if request.resolver_match else "/"
    start = request.META.get("SCRIPT_NAME", "").rstrip("/")
    current = translation.get_language()
    return [
        Choice(
            code=code,
            tag=language_tag(code),
            name=str(name),
            direction=direction(code),
            href=f"{start}/{code}{escape_uri_path(path)}",
            current=code == current,
        )
        for code, name in settings.LANGUAGES
    ]


def address(path: str) -> str:
    """Return a page's address in the language in force; roles without that page know it too."""
    return f"{get_script_prefix().rstrip('/')}{path}"


def direction(code: str) -> str:
    """Return the direction of a language's script: "ltr" or "rtl"."""
    return "rtl" if translation.get_language_info(code)["bidi"] else "ltr"


@contextmanager
def _prefix(code: str) -> Iterator[None]:
    """Put the language before every address that is made meanwhile."""
    before = get_script_prefix()
    set_script_prefix(f"{before}{code}/")
    try:
        yield
    finally:
        set_script_prefix(before)
