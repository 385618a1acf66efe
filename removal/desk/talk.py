"""What a maintainer says to the person: a message, or questions about look-alike rows."""

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from indexer.decode import DecoderUnavailable
from removal.desk.access import case_shown, reviewer_of
from removal.desk.acts import REVIEW
from removal.desk.forms import DecisionForm, TalkForm
from removal.desk.pictures import BUSY
from removal.desk.review import page
from removal.life.claims import ClaimedByOther, claim_check
from removal.life.messages import ConversationInvalid, message_send
from removal.life.questions import question_put
from removal.lifecycle import TransitionRefused
from removal.selectors import RequestGone


@require_http_methods(["POST"])
def message(request: HttpRequest, request_id: uuid.UUID, site: AdminSite) -> HttpResponse:
    """Send a message to the person."""
    form, reviewer = TalkForm.read(request.POST), reviewer_of(request)
    return _said(
        request,
        request_id,
        site=site,
        form=form,
        say=lambda: message_send(
            request_id=request_id,
            reviewer=reviewer,
            text=form.message,
        ),
        success="The message is on the person's status page.",
    )


@require_http_methods(["POST"])
def question(request: HttpRequest, request_id: uuid.UUID, site: AdminSite) -> HttpResponse:
    """Ask the person whether the chosen look-alike rows show them."""
    form, reviewer = TalkForm.read(request.POST), reviewer_of(request)
    return _said(
        request,
        request_id,
        site=site,
        form=form,
        say=lambda: question_put(
            request_id=request_id,
            reviewer=reviewer,
            candidate_ids=form.chosen(),
            text=form.question,
        ),
        success="The question is on the person's status page. The request comes back to review "
        "when they have answered; its clock runs on.",
    )


def _said(
    request: HttpRequest,
    request_id: uuid.UUID,
    *,
    site: AdminSite,
    form: TalkForm,
    say: Callable[[], None],
    success: str,
) -> HttpResponse:
    """Say it and go back to the request; or show what is wrong, with the words as they were."""
    case = case_shown(request, request_id)
    try:
        claim_check(request_id=request_id, reviewer=reviewer_of(request))
        say()
    except RequestGone as gone:
        raise Http404(str(gone)) from None
    except ConversationInvalid as invalid:
        return page(request, case, DecisionForm(), site, talk=form, fault=str(invalid), status=400)
    except (ClaimedByOther, TransitionRefused) as refusal:
        return page(request, case, DecisionForm(), site, talk=form, fault=str(refusal), status=409)
    except DecoderUnavailable:
        return page(request, case, DecisionForm(), site, talk=form, fault=BUSY, status=503)
    messages.success(request, success)
    return redirect(REVIEW, request_id)
