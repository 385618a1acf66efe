"""The repository over HTTP, for sites without a static web server in front.

Only the two forms of name that the repository gives are answered, so that no path leaves its
folder. A name that carries a version or a hash never changes its content: it may be kept for ever.
`timestamp.json`, the one that changes, is asked for anew each time.
"""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.views.decorators.http import require_safe

from releases import places

_VERSIONED = re.compile(r"[1-9][0-9]*\.[a-z0-9-]+\.json")
_TARGET = re.compile(r"lists/[a-z0-9-]+/[1-9][0-9]*/([0-9a-f]{64})\.[a-z0-9-]+\.(json|parquet)")
_TYPES = {"json": "application/json", "parquet": "application/vnd.apache.parquet"}
FOR_EVER = "public, max-age=31536000, immutable"
ASK_EACH_TIME = "public, no-cache"


@require_safe
def metadata(request: HttpRequest, name: str) -> HttpResponseBase:
    """Answer with a file of TUF metadata."""
    if name != "timestamp.json" and not _VERSIONED.fullmatch(name):
        raise Http404
    path = places.repository_dir() / "metadata" / name
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise Http404 from None
    cache = ASK_EACH_TIME if name == "timestamp.json" else FOR_EVER
    return _answer(
        request,
        lambda: HttpResponse(data, content_type=_TYPES["json"]),
        hashlib.sha256(data).hexdigest(),
        cache,
    )


@require_safe
def target(request: HttpRequest, name: str) -> HttpResponseBase:
    """Answer with a file of a release, whose name carries its hash."""
    match = _TARGET.fullmatch(name)
    path = places.repository_dir() / "targets" / name
    if match is None or not path.is_file():
        raise Http404
    content_type = _TYPES[match[2]]
    return _answer(
        request,
        lambda: FileResponse(path.open("rb"), content_type=content_type),
        match[1],
        FOR_EVER,
    )


def _answer(
    request: HttpRequest, whole: Callable[[], HttpResponseBase], etag: str, cache: str
) -> HttpResponseBase:
    """Answer 304 or 412 where the request's conditions say so, else with the whole file."""
    response = get_conditional_response(request, etag=quote_etag(etag)) or whole()
    response.headers["ETag"] = quote_etag(etag)
    response.headers["Cache-Control"] = cache
    # Public by purpose, also for pages elsewhere: the same bytes for everyone, no cookie.
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def root_path() -> Path:
    """Return the first root file, the one to pin."""
    return places.repository_dir() / "metadata" / "1.root.json"
