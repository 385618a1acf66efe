"""One request on one screen: the photo beside its matches, the decision, the clock, the history.

Rows that hold one picture make one tile (`grouping`), each with photo and row side by side in a
frame (`pictures`), and are decided once. A decision is proposed (`life.proposals`): it can be
undone for a moment, and some need a second person, who sees on the same page what is proposed.
"""

import uuid
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from removal import audit, permissions
from removal.desk import words
from removal.desk.access import allowed, case_shown
from removal.desk.acts import REVIEW, proposed_for
from removal.desk.copies import copies_shown
from removal.desk.forms import DecisionForm, TalkForm
from removal.desk.grouping import RowGroup, rows_grouped
from removal.desk.proposed import my_countdowns, proposal_told
from removal.desk.tiles import kind_shown
from removal.life import claims
from removal.life.abuse import organization_flag
from removal.life.caps import desk_settings, is_sensitive, sensitive_seen
from removal.life.claims import ClaimedByOther
from removal.life.deciding import STATEMENT_MAX, TIERS, AlreadyDecided
from removal.life.effects import ProposalRefused, proposal_settle
from removal.life.listable import DecisionInvalid
from removal.life.messages import MESSAGE_MAX, conversation_open
from removal.life.proposals import decision_propose, proposal_undo
from removal.life.questions import ANSWER_DAYS, QUESTIONS_MAX
from removal.life.review import REASON_MAX
from removal.lifecycle import OPEN
from removal.models import Category, Kind, Proposal, ProposalState, State, today
from removal.reasons import DENIAL_REASONS, ready_statement
from removal.selectors import RequestGone, ReviewCase
from removal.selectors.proposals import Payload
from removal.tasks import proposals_hint

APART: Final = "apart"


@require_http_methods(["GET", "HEAD", "POST"])
def review(request: HttpRequest, request_id: uuid.UUID, site: AdminSite) -> HttpResponse:
    """Show a request; take a decision about it as a proposal."""
    proposal_settle(request_id)
    case = case_shown(request, request_id, changing=request.method == "POST")
    if request.method != "POST":
        if organization_flag(request=case.request, domains=_own_domains(case)):
            case = case_shown(request, request_id, changing=False)
        return page(request, case, DecisionForm(), site)
    form = DecisionForm.read(request.POST, _groups(request, case))
    try:
        proposal = _proposed(request, case, form)
    except DecisionInvalid as invalid:
        return page(request, case, form, site, fault=str(invalid), status=400)
    except (ClaimedByOther, ProposalRefused) as refusal:
        return page(request, case, form, site, fault=str(refusal), status=409)
    except (AlreadyDecided, RequestGone) as late:
        messages.error(request, str(late))
        return redirect(REVIEW, request_id)
    proposals_hint()
    if proposal.state == ProposalState.TAKEN:
        case.request.refresh_from_db()
        messages.success(request, f"Recorded: {State(case.request.outcome).label.lower()}.")
    return redirect(REVIEW, request_id)


def _own_domains(case: ReviewCase) -> list[str]:
    own = (row for row in case.candidates if row.kind != Kind.SIMILAR)
    return [row.domain for row in own if row.domain]


@require_http_methods(["POST"])
def undo(request: HttpRequest, proposal_id: uuid.UUID, site: AdminSite) -> HttpResponse:
    """Undo a proposal before it takes effect, and show it as it was, to be changed."""
    reviewer = allowed(request, permissions.REVIEW)
    request_id = proposed_for(proposal_id)
    try:
        payload = proposal_undo(proposal_id=proposal_id, reviewer=reviewer)
    except RequestGone as gone:
        raise Http404(str(gone)) from None
    except ProposalRefused as refusal:
        messages.error(request, str(refusal))
        return redirect(REVIEW, request_id)
    messages.success(request, "Undone: nothing was decided. Here is what you had chosen.")
    case, form = case_shown(request, request_id), _as_it_was(payload)
    if State(case.request.state) in OPEN:
        return page(request, case, form, site)
    return page(request, case, DecisionForm(), site, copies=form)


def _as_it_was(payload: Payload | None) -> DecisionForm:
    if payload is None:
        return DecisionForm()
    return DecisionForm(
        rows=frozenset(str(row) for row in payload.approve),
        reason=payload.deny_reason or "",
        statement=payload.statement,
        tier=payload.tier or "",
    )


def _proposed(request: HttpRequest, case: ReviewCase, form: DecisionForm) -> Proposal:
    reviewer: User = request.user  # type: ignore[assignment]  # case_shown saw to it
    claims.claim_check(request_id=case.request.pk, reviewer=reviewer)
    return decision_propose(
        request_id=case.request.pk,
        reviewer=reviewer,
        approve=form.approved(),
        deny_reason=form.reason or None,
        statement=form.words(case.request.language),
        tier=form.tier or None,
        seen=form.seen,
    )


def page(
    request: HttpRequest,
    case: ReviewCase,
    form: DecisionForm,
    site: AdminSite,
    *,
    talk: TalkForm | None = None,
    copies: DecisionForm | None = None,
    fault: str = "",
    status: int = 200,
) -> HttpResponse:
    """Show a request with the forms as they were sent."""
    reader: User = request.user  # type: ignore[assignment]  # case_shown saw to it
    state, talk = State(case.request.state), talk or TalkForm()
    told = proposal_told(case, reader)
    groups, standing = _groups(request, case), told is not None and told.standing
    context = {
        **site.each_context(request),
        **_facts(case, state),
        **_standing(case, state, reader, proposed=standing),
        **_talk(case, state, reader),
        **_looking(case, reader),
        **_deciding(case, form),
        "apart": APART in request.GET,
        "gathered": any(len(group.rows) > 1 for group in groups),
        "proposal": told,
        "copies": copies_shown(case, reader, proposed=standing, form=copies),
        "countdowns": my_countdowns(reader, but=case.request.pk),
        "kinds": [
            kind_shown(kind, [group for group in groups if group.kind == kind], case, form, talk)
            for kind in Kind
            if any(group.kind == kind for group in groups)
        ],
        "form": form,
        "talk": talk,
        "fault": fault,
    }
    response = TemplateResponse(request, "unlist_admin/review.html", context, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _facts(case: ReviewCase, state: State) -> dict[str, Any]:
    """Return what the page says of the request to everybody who reads it."""
    request = case.request
    return {
        "title": f"Request {str(request.pk)[:8]}",
        "case": case,
        "state": state,
        "category": Category(request.category).label if request.category else "",
        "outcome": State(request.outcome).label if request.outcome else "",
        "due": words.due_of(request.due_on, state),
        "here": reverse(REVIEW, args=[request.pk]),
        "progress": words.progress_words(case.progress, state),
        "reason_max": REASON_MAX,
        "flags": [(flag, words.flag_words(flag)) for flag in case.flags],
        "history": [(entry, words.ACT_WORDS.get(entry.act, entry.act)) for entry in case.history],
    }


def _groups(request: HttpRequest, case: ReviewCase) -> list[RowGroup]:
    return rows_grouped(case.candidates, apart=APART in request.GET)


def _standing(case: ReviewCase, state: State, reader: User, *, proposed: bool) -> dict[str, Any]:
    """Return what can be done with the request now, by this reader."""
    reviews = reader.has_perm(permissions.REVIEW)
    held = claims.claim_of(case.request.pk)
    elsewhere = held is not None and held.reviewer_id != reader.pk
    waits = state == State.IN_REVIEW and not (case.deleted or proposed or case.request.held_on)
    return {
        "open": state in OPEN,
        "reviews": reviews,
        "claim": held,
        "claimed_elsewhere": elsewhere,
        "claimable": reviews and state in OPEN and held is None,
        "decidable": waits and reviews and not elsewhere,
        "extendable": reviews
        and state in OPEN
        and case.request.extended_on is None
        and case.request.appealed_on is None
        and case.request.due_on > today(),
        "escalated": case.request.escalated_on is not None,
        "escalatable": reviews and case.request.escalated_on is None and not case.deleted,
        "claimed_here": held is not None and not elsewhere,
    }


def _looking(case: ReviewCase, reader: User) -> dict[str, Any]:
    """Return what the page says about looking at pictures."""
    wish = desk_settings(reader)
    return {
        "sensitive": is_sensitive(case.request),
        "wish": wish,
        "looks": sensitive_seen(reader) if is_sensitive(case.request) else 0,
        "reveals": reader.has_perm(permissions.REVEAL),
    }


def _deciding(case: ReviewCase, form: DecisionForm) -> dict[str, Any]:
    """Return the choices of the decision, each with its words."""
    language = case.request.language
    return {
        "tiers": [
            (tier, sentence, tier in TIERS, tier == form.tier)
            for tier, sentence in words.TIER_WORDS.items()
        ],
        "tier_proposed": words.tier_proposed(case.request.category, TIERS),
        "reasons": [
            (code, sentence, ready_statement(code, language))
            for code, sentence in DENIAL_REASONS.items()
        ],
        "ready_approval": ready_statement("", language),
        "language": dict(settings.LANGUAGES).get(language, ""),
        "statement_max": STATEMENT_MAX,
    }


def _talk(case: ReviewCase, state: State, reader: User) -> dict[str, Any]:
    """Return what the page says of the conversation, and what can be said now."""
    asked = [candidate for candidate in case.candidates if candidate.question]
    similar = {one.id for one in case.candidates if one.kind == Kind.SIMILAR}
    decided_by = [entry.actor for entry in case.history if entry.act == "decided"]
    reviews = reader.has_perm(permissions.REVIEW)
    return {
        "talking": reviews and not case.deleted and conversation_open(case.request),
        "askable": reviews
        and state == State.IN_REVIEW
        and bool(similar - {row.id for row in asked}),
        "asked": len(asked),
        "answered": sum(row.question.mine is not None for row in asked if row.question),
        "own_decision": case.request.appealed_on is not None
        and audit.staff(reader.pk) in decided_by,
        "message_max": MESSAGE_MAX,
        "questions_max": QUESTIONS_MAX,
        "answer_days": ANSWER_DAYS,
    }
