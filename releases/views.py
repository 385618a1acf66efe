"""The public page about the lists: what was released, and how to apply it."""

import hashlib

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from releases import selectors, served


@require_safe
def releases(request: HttpRequest) -> HttpResponse:
    """Show the releases, the latest with its files, digests and how to apply it."""
    published = selectors.releases_published()
    latest = published[0] if published else None
    context = {
        "unlist": settings.UNLIST,
        "latest": latest,
        "earlier": published[1:],
        "files": selectors.release_targets(latest) if latest else [],
        "manifest": selectors.release_manifest(latest) if latest else None,
        "root_sha256": _root_sha256(),
        "fresh_until": selectors.fresh_until(),
    }
    return TemplateResponse(request, "releases/releases.html", context)


def _root_sha256() -> str | None:
    path = served.root_path()
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
