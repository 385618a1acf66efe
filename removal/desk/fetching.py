"""Asking for a row's picture from the web: a POST in the row's own frame.

The decision that is being written on the page around it stays as it is.
"""

import uuid
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from removal import permissions
from removal.desk import pictures
from removal.desk.access import allowed
from removal.life.claims import ClaimedByOther
from removal.life.fetches import FetchDenied, fetch_ask
from removal.selectors import RequestGone
from removal.tasks import fetch_picture, hint

_FRAMES: Final = {"row": "admin:removal_row", "pair": "admin:removal_pair"}


@require_POST
def fetch(request: HttpRequest, candidate_id: uuid.UUID) -> HttpResponse:
    """Have a worker fetch the picture of a row, and go back to its frame."""
    allowed(request, permissions.REVIEW)
    reviewer = allowed(request, permissions.REVEAL)
    try:
        errand = fetch_ask(candidate_id=candidate_id, reviewer=reviewer)
    except (ClaimedByOther, FetchDenied) as denied:
        return pictures.framed(request, {"missing": str(denied)}, status=409)
    except RequestGone as gone:
        return pictures.framed(request, {"missing": str(gone)}, status=404)
    hint(fetch_picture, str(errand.pk))
    frame = _FRAMES.get(request.POST.get("frame", ""), _FRAMES["row"])
    return redirect(frame, candidate_id)
