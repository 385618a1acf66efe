"""Copies of approved rows: a maintainer approves them, sets them aside, or has them offered again.

One address, one POST; which button was pressed says what to do. What is proposed can be undone and
confirmed like a decision, on the same page.
"""

import uuid

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from removal.desk import words
from removal.desk.access import case_shown, reviewer_of
from removal.desk.acts import REVIEW
from removal.desk.copies import copies_grouped
from removal.desk.forms import DecisionForm
from removal.desk.review import page
from removal.life.deciding import AlreadyDecided
from removal.life.effects import ProposalRefused, proposal_settle
from removal.life.listable import DecisionInvalid
from removal.life.spreading import (
    SecondPersonNeeded,
    duplicates_dismiss,
    duplicates_propose,
    duplicates_restore,
)
from removal.models import ProposalState
from removal.selectors import RequestGone, ReviewCase
from removal.tasks import proposals_hint


@require_http_methods(["POST"])
def duplicates(request: HttpRequest, request_id: uuid.UUID, site: AdminSite) -> HttpResponse:
    """Approve copies as a proposal, set them aside, or offer those again that were."""
    proposal_settle(request_id)
    case = case_shown(request, request_id)
    form = DecisionForm.read(request.POST, copies_grouped(case))
    try:
        said = _done(request, case, form)
    except RequestGone as gone:
        raise Http404(str(gone)) from None
    except DecisionInvalid as invalid:
        return page(
            request, case, DecisionForm(), site, copies=form, fault=str(invalid), status=400
        )
    except (AlreadyDecided, ProposalRefused) as refusal:
        return page(
            request, case, DecisionForm(), site, copies=form, fault=str(refusal), status=409
        )
    if said:
        messages.success(request, said)
    return redirect(REVIEW, request_id)


def _done(request: HttpRequest, case: ReviewCase, form: DecisionForm) -> str:
    """Do what the button says; return what to say of it, where the page does not say it itself."""
    reviewer, request_id = reviewer_of(request), case.request.pk
    shown = _shown(request, case)
    if form.decision == "aside":
        return _set_aside(reviewer, case, form, shown)
    if form.decision == "again":
        number = duplicates_restore(request_id=request_id, reviewer=reviewer)
        return f"Offered again: {words.counted(number, 'row')}."
    return _proposed(reviewer, case, set(form.approved()) & shown, shown, seen=form.seen)


def _set_aside(reviewer: User, case: ReviewCase, form: DecisionForm, shown: set[uuid.UUID]) -> str:
    """Set all that the page showed aside, at once or as a proposal where that takes two persons."""
    try:
        number = duplicates_dismiss(request_id=case.request.pk, reviewer=reviewer, rows=shown)
    except SecondPersonNeeded:
        _proposed(reviewer, case, set(), shown, seen=form.seen)
        return "Proposed: a second person has to agree before these copies are set aside."
    counted = words.counted(number, "row")
    return f"Set aside: {counted}. Nothing of them is listed; you can have them back."


def _proposed(
    reviewer: User,
    case: ReviewCase,
    chosen: set[uuid.UUID],
    shown: set[uuid.UUID],
    *,
    seen: int | None,
) -> str:
    """Propose what is chosen of what the page showed; the rest of it is set aside with that."""
    proposal = duplicates_propose(
        request_id=case.request.pk,
        reviewer=reviewer,
        approve=chosen,
        leave=shown - chosen,
        seen=seen,
    )
    proposals_hint()
    taken = proposal.state == ProposalState.TAKEN
    return f"Approved: {words.counted(len(chosen), 'row')}." if taken else ""


def _shown(request: HttpRequest, case: ReviewCase) -> set[uuid.UUID]:
    """Return the copies that the page showed; what was found since is neither chosen nor left."""
    sent = set(request.POST.getlist("offered"))
    return {row.id for row in case.offered if str(row.id) in sent}
