"""Pictures, each in a frame of its own: veiled until asked for, and each look noted.

A frame shows a veil (`reveals`) until its button is pressed, which is a POST, noted in the audit
log and answered with the picture and `no-store`. So revealing one leaves the half-filled decision
as it is, and all of it works without script. Who set pictures to come at once gets them with the
frame, until they have seen as many sensitive ones as they set for a day.
"""

import base64
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, cast

from csp.decorators import csp_replace
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods

from indexer.decode import DecoderUnavailable
from removal import permissions
from removal.custody.secrets import SecretUnavailable
from removal.desk import overlay
from removal.desk.access import allowed
from removal.desk.fetched import fetch_told
from removal.life import claims, reveals
from removal.life.caps import SparedToday, desk_settings
from removal.life.claims import ClaimedByOther
from removal.models import Candidate, DeskSettings, Photo
from removal.selectors import RequestGone

BUSY: Final = "Nothing can decode pictures at this moment. Load the page again in a minute."
NO_PICTURE: Final = (
    "The dataset holds no picture for this row, or its file has changed since it was indexed."
)
_NO_PHOTO: Final = "There is no photo to show beside it: deleted, or found by its address."
_NO_ROW: Final = "The dataset holds no picture of the approved row, to show it beside."
Shown = Mapping[str, Any]
Look = Callable[[User, DeskSettings], Shown]
_Named = QuerySet[Photo] | QuerySet[Candidate]
"""What the picture is of: read only where its request must be known."""


@require_http_methods(["GET", "HEAD", "POST"])
def photo(request: HttpRequest, photo_id: uuid.UUID) -> HttpResponse:
    """A frame: a submitted photo."""

    def veiled(reviewer: User, wish: DeskSettings) -> Shown:
        veil = reveals.photo_veiled(photo_id=photo_id, reviewer=reviewer)
        return {"veil": overlay.data_uri(veil.image, gray=wish.gray)}

    def revealed(reviewer: User, wish: DeskSettings) -> Shown:
        gray = wish.gray and request.method != "POST"
        return _jpeg(reveals.photo_reveal(photo_id=photo_id, reviewer=reviewer, gray=gray))

    return _frame(request, veiled, revealed, Photo.objects.filter(pk=photo_id))


@require_http_methods(["GET", "HEAD", "POST"])
def candidate(request: HttpRequest, candidate_id: uuid.UUID) -> HttpResponse:
    """A frame: the picture of a row."""
    names = {"candidate_id": candidate_id}

    def veiled(reviewer: User, wish: DeskSettings) -> Shown:
        veil = reveals.candidate_veiled(**names, reviewer=reviewer)
        if veil is None:
            return {"missing": NO_PICTURE, "rowless": True}
        return {"veil": overlay.data_uri(veil.image, gray=wish.gray)}

    def revealed(reviewer: User, wish: DeskSettings) -> Shown:
        gray = wish.gray and request.method != "POST"
        picture = reveals.candidate_reveal(**names, reviewer=reviewer, gray=gray)
        return {"missing": NO_PICTURE, "rowless": True} if picture is None else _jpeg(picture)

    candidates = Candidate.objects.filter(pk=candidate_id)
    return _frame(request, veiled, revealed, candidates, fetchable=candidate_id)


@require_http_methods(["GET", "HEAD", "POST"])
def pair(request: HttpRequest, candidate_id: uuid.UUID) -> HttpResponse:
    """A frame: the picture of a row beside the photo that found it, at one scale."""
    names = {"candidate_id": candidate_id}

    def veiled(reviewer: User, wish: DeskSettings) -> Shown:
        return _sheets(reveals.pair_veiled(**names, reviewer=reviewer), wish.gray, veil=True)

    def revealed(reviewer: User, wish: DeskSettings) -> Shown:
        gray = wish.gray and request.method != "POST"
        return _sheets(reveals.pair_reveal(**names, reviewer=reviewer), gray, veil=False)

    candidates = Candidate.objects.filter(pk=candidate_id)
    return _frame(request, veiled, revealed, candidates, fetchable=candidate_id)


def _jpeg(picture: bytes) -> Shown:
    return {"picture": base64.b64encode(picture).decode()}


def _sheets(found: reveals.Pair, gray: bool, *, veil: bool) -> Shown:
    """Return the sheets of a pair, and what is missing of it."""
    if found.photo is None and found.row is None:
        return {"missing": NO_PICTURE, "rowless": True}
    told = []
    if found.row is None:
        told.append(NO_PICTURE)
    if found.photo is None:
        told.append(_NO_ROW if found.of_rows else _NO_PHOTO)
    return {
        "beside": overlay.beside(found, gray=gray),
        "difference": None if veil else overlay.difference(found),
        "sizes": _sizes(found),
        "told": told,
        "veil": veil,
        "same": found.same,
        "of_rows": found.of_rows,
        "rowless": found.row is None,
    }


def _sizes(found: reveals.Pair) -> str:
    """Say how large the pictures are: a row may hold more pixels than the upload did."""
    left = "approved row" if found.of_rows else "photo"
    sizes = [
        f"{name} {picture.size[0]} × {picture.size[1]} pixels"  # noqa: RUF001  # the sign itself
        for name, picture in ((left, found.photo), ("row", found.row))
        if picture
    ]
    return ", ".join(sizes)


# --- the frame -------------------------------------------------------------------------------


def _frame(
    request: HttpRequest,
    veiled: Look,
    revealed: Look,
    named: _Named,
    *,
    fetchable: uuid.UUID | None = None,
) -> HttpResponse:
    """Answer with a veil or, where it was asked for, with what lies behind.

    Args:
        request: what was asked.
        veiled: looks through the veil.
        revealed: looks behind it.
        named: what the picture is of.
        fetchable: the row, where it is of one: its picture may be had from the web.
    """
    reviewer = allowed(request, permissions.REVIEW, permissions.REVEAL)
    wish = desk_settings(reviewer)
    may = reviewer.has_perm(permissions.REVEAL)
    if request.method == "POST":
        allowed(request, permissions.REVEAL)
        _worked_on(reviewer, named)
        shown = _told(revealed, reviewer, wish, named)
    elif may and not wish.blurred:
        shown = _told(revealed, reviewer, wish, named)
        if "spared" in shown:
            shown = {**_told(veiled, reviewer, wish, named), **shown}
    else:
        shown = _told(veiled, reviewer, wish, named)
    if fetchable is not None:
        shown = {**shown, **_from_the_web(fetchable, reviewer, shown)}
    return framed(request, {**shown, "may": may})


def framed(request: HttpRequest, shown: Shown, *, status: int = 200) -> HttpResponse:
    """Answer with a frame, which nothing keeps and no other site's page holds."""
    response = TemplateResponse(request, "unlist_admin/picture.html", dict(shown), status=status)
    response.headers["Cache-Control"] = "no-store"
    return _framed_by_us(request, response)


def _from_the_web(candidate_id: uuid.UUID, reviewer: User, shown: Shown) -> Shown:
    """Return what is said of fetching a row's picture."""
    frame = "pair" if "beside" in shown else "row"
    with suppress(RequestGone, SecretUnavailable):  # the frame says so already
        told = fetch_told(candidate_id, reviewer, missing=shown.get("rowless", False))
        return {"fetch": told, "fetchable": candidate_id, "frame": frame}
    return {}


def _told(look: Look, reviewer: User, wish: DeskSettings, named: _Named) -> Shown:
    """Look; what stands in the way is said in the frame."""
    try:
        return look(reviewer, wish)
    except (RequestGone, SecretUnavailable) as gone:
        return {"missing": str(gone)}
    except DecoderUnavailable:
        return {"missing": BUSY}
    except SparedToday as spared:
        _handed_over(reviewer, named)
        return {"spared": str(spared)}


def _worked_on(reviewer: User, named: _Named) -> None:
    """Keep the request for who looks into it, if nobody else has it."""
    for owner in named:
        with suppress(ClaimedByOther, RequestGone):
            claims.claim(request_id=owner.request_id, reviewer=reviewer)


def _handed_over(reviewer: User, named: _Named) -> None:
    """Free the request for those who can still look."""
    for owner in named:
        claims.release(request_id=owner.request_id, reviewer=reviewer)


def _framed_by_us(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Let the review page, and no other site's, hold the answer in a frame."""
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    policed = csp_replace({"frame-ancestors": ["'self'"]})(lambda _: response)
    return cast("HttpResponse", policed(request))
