"""The proofs of removal as a file to keep, for a subject in their session."""

import json

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from releases.proofs import proofs_of
from releases.selectors import NotReleased
from removal.life.sessions import SessionEnded
from removal.site.pages import NO_STORE, error_page
from removal.site.session import opened_by

FILE_NAME = "unlist-proof.json"


@require_safe
def proof(request: HttpRequest) -> HttpResponse:
    """Hand over the proofs; without a session, lead to where the code is asked for."""
    try:
        proofs = proofs_of(opened=opened_by(request))
    except SessionEnded:
        return redirect("removal:status")
    except NotReleased as refusal:
        onward = (reverse("removal:status"), _("Back to your request"))
        return error_page(request, 409, _("Not yet"), [str(refusal)], onward=onward)
    body = json.dumps({"proofs": proofs}, ensure_ascii=False, indent=1)
    response = HttpResponse(body, content_type="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{FILE_NAME}"'
    response.headers["Cache-Control"] = NO_STORE
    return response
