"""What a maintainer does on a request's page beside deciding: each is one POST and one redirect.

What cannot be done is said in a sentence on the page that follows, and changes nothing.
"""

import uuid
from collections.abc import Callable
from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from removal import permissions
from removal.desk.access import allowed
from removal.life import claims
from removal.life.abuse import flags_see
from removal.life.claims import ClaimedByOther
from removal.life.deciding import AlreadyDecided
from removal.life.effects import ProposalRefused
from removal.life.escalation import EscalationRefused
from removal.life.listable import DecisionInvalid
from removal.life.proposals import proposal_confirm, proposal_refuse
from removal.life.review import request_extend
from removal.models import Proposal
from removal.selectors import RequestGone
from removal.selectors.desk import request_visible
from removal.tasks import proposals_hint

REVIEW: Final = "admin:removal_removalrequest_change"

_REFUSALS: Final = (
    AlreadyDecided,
    ClaimedByOther,
    DecisionInvalid,
    EscalationRefused,
    ProposalRefused,
)


@require_POST
def extend(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """Extend the clock once, with a reason that the person is told."""
    reviewer = allowed(request, permissions.REVIEW)

    def act() -> None:
        claims.claim_check(request_id=request_id, reviewer=reviewer)
        request_extend(
            request_id=request_id,
            reviewer=reviewer,
            reason=request.POST.get("extension", ""),
        )

    return done(
        request, request_id, act, "The clock has been extended, and the person is told why."
    )


@require_POST
def confirm(request: HttpRequest, proposal_id: uuid.UUID) -> HttpResponse:
    """Be the second person for a proposal."""
    reviewer = allowed(request, permissions.DECIDE)

    def act() -> None:
        proposal_confirm(proposal_id=proposal_id, reviewer=reviewer)
        proposals_hint()

    return done(
        request,
        proposed_for(proposal_id),
        act,
        "Confirmed.",
    )


@require_POST
def refuse(request: HttpRequest, proposal_id: uuid.UUID) -> HttpResponse:
    """Refuse, as the second person, what somebody proposed."""
    reviewer = allowed(request, permissions.DECIDE)
    return done(
        request,
        proposed_for(proposal_id),
        lambda: proposal_refuse(proposal_id=proposal_id, reviewer=reviewer),
        "The proposal is refused: nothing came of it.",
    )


@require_POST
def flags_seen(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """Note that somebody weighed the signs of abuse; they stay on the page."""
    reviewer = allowed(request, permissions.REVIEW)

    def act() -> None:
        flags_see(request=request_visible(request_id, reviewer), reviewer=reviewer)

    return done(request, request_id, act, "Noted that you have weighed them.")


def proposed_for(proposal_id: uuid.UUID) -> uuid.UUID:
    """Return the request that a proposal is about."""
    proposal = Proposal.objects.filter(pk=proposal_id, request__isnull=False).first()
    if proposal is None or proposal.request_id is None:
        raise Http404("There is no such proposal.")
    return proposal.request_id


def done(
    request: HttpRequest, request_id: uuid.UUID, act: Callable[[], object], success: str
) -> HttpResponse:
    """Act, say how it went, and go back to the request."""
    return acted(request, act, success, refusals=_REFUSALS, back=(REVIEW, request_id))


def acted(
    request: HttpRequest,
    act: Callable[[], object],
    success: str,
    *,
    refusals: tuple[type[Exception], ...],
    back: tuple[Any, ...],
) -> HttpResponse:
    """Act, say how it went, and go back.

    Args:
        request: what was sent.
        act: what it asks for; `RequestGone` answers that there is no such page.
        success: what to say.
        refusals: what is said as it is.
        back: where to, as `redirect` takes it.
    """
    try:
        act()
    except refusals as refusal:
        messages.error(request, str(refusal))
    except RequestGone as gone:
        raise Http404(str(gone)) from None
    else:
        messages.success(request, success)
    return redirect(*back)
