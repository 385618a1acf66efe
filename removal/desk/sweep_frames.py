"""The picture of a swept row, in a frame of its own: as `pictures` has those of requests."""

import base64
import uuid

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from indexer.decode import DecoderUnavailable
from removal import permissions
from removal.custody.secrets import SecretUnavailable
from removal.desk import overlay
from removal.desk.access import allowed
from removal.desk.pictures import BUSY, NO_PICTURE, Shown, framed
from removal.life.caps import SparedToday, desk_settings
from removal.life.sweep_looks import sweep_row_reveal, sweep_row_veiled
from removal.selectors import RequestGone


@require_http_methods(["GET", "HEAD", "POST"])
def sweep_row(request: HttpRequest, row_id: uuid.UUID) -> HttpResponse:
    """A frame: the veil of a swept row's picture or, where it was asked for, the picture."""
    reviewer = allowed(request, permissions.REVIEW, permissions.REVEAL)
    wish, may = desk_settings(reviewer), reviewer.has_perm(permissions.REVEAL)
    if request.method == "POST":
        allowed(request, permissions.REVEAL)
        shown = _shown(row_id, reviewer, gray=False)
    elif may and not wish.blurred:
        shown = _shown(row_id, reviewer, gray=wish.gray)
        if "spared" in shown:
            shown = {**_veiled(row_id, gray=wish.gray), **shown}
    else:
        shown = _veiled(row_id, gray=wish.gray)
    return framed(request, {**shown, "may": may})


def _veiled(row_id: uuid.UUID, *, gray: bool) -> Shown:
    try:
        veil = sweep_row_veiled(row_id=row_id)
    except (RequestGone, SecretUnavailable) as gone:
        return {"missing": str(gone)}
    except DecoderUnavailable:
        return {"missing": BUSY}
    return {"missing": NO_PICTURE} if veil is None else {"veil": overlay.data_uri(veil, gray=gray)}


def _shown(row_id: uuid.UUID, reviewer: User, *, gray: bool) -> Shown:
    try:
        picture = sweep_row_reveal(row_id=row_id, reviewer=reviewer, gray=gray)
    except (RequestGone, SecretUnavailable) as gone:
        return {"missing": str(gone)}
    except DecoderUnavailable:
        return {"missing": BUSY}
    except SparedToday as spared:
        return {"spared": str(spared)}
    if picture is None:
        return {"missing": NO_PICTURE}
    return {"picture": base64.b64encode(picture).decode()}
