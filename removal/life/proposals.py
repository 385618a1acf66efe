"""Proposals: a decision waits a moment, to be undone, and for a second person where it needs one.

`decision_propose` checks at once all that deciding checks. What one person may decide counts down
`UNLIST_UNDO_SECONDS` and takes effect (`effects`); what needs two waits until another, who may
decide, confirms it, and counts down then. Nobody is the second to themselves, in whatever role or
order: each step says so in the condition of its UPDATE, and the database refuses it once more.
A request has one open proposal at most. Who comes second is told who came first.

`proposal_put` stores a proposal of any other kind, which the caller has checked; it is undone,
confirmed and refused in the same way, and `effects` calls its kind's effect.
"""

import datetime as dt
import uuid
from collections.abc import Collection, Mapping

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from removal import audit
from removal.custody import content
from removal.custody.sealing import seal
from removal.life.claims import claim_of
from removal.life.deciding import (
    AlreadyDecided,
    Decision,
    RequestChanged,
    already_decided,
    decision_check,
)
from removal.life.effects import (
    ProposalRefused,
    about_locked,
    ended,
    proposal_settle,
    proposal_take,
    request_locked,
    right_check,
)
from removal.life.two_persons import second_needed
from removal.models import (
    Errand,
    Proposal,
    ProposalKind,
    ProposalState,
    Purpose,
    RemovalRequest,
    State,
)
from removal.permissions import DECIDE, REVIEW
from removal.selectors.desk import RequestGone, request_visible
from removal.selectors.proposals import Payload, ProposalView, payload_read, proposal_open
from removal.selectors.sight import requests_seen


class ProposalStands(AlreadyDecided):
    """Somebody else is at it: their proposal is open, or they have claimed the request."""


def decision_propose(
    *,
    request_id: uuid.UUID,
    reviewer: User,
    approve: Collection[uuid.UUID],
    deny_reason: str | None,
    statement: str,
    tier: str | None,
    seen: int | None = None,
) -> Proposal:
    """Propose a decision; arguments as those of `deciding.decision_check`.

    Returns:
        The proposal as it stands: `counting`, `waiting` for a second person, or `taken` already
        where there is no time to undo.

    Raises:
        AlreadyDecided, RequestChanged, DecisionInvalid, RequestGone: as deciding raises them.
        ProposalStands: somebody else proposed first, or has claimed the request.
        ProposalRefused: this person has no right to.
    """
    request_visible(request_id, reviewer)
    right_check(reviewer, REVIEW, "Reviewing requests needs the role of a reviewer.")
    proposal_settle(request_id)
    decision = decision_check(
        request_id=request_id,
        approve=approve,
        deny_reason=deny_reason,
        statement=statement,
        tier=tier,
        seen=seen,
    )
    payload = Payload(
        approve=tuple(approve),
        deny_reason=deny_reason,
        statement=decision.statement,
        tier=tier,
        outcome=decision.outcome.value,
        reasons=tuple(second_needed(decision, reviewer=reviewer)),
    )
    with transaction.atomic():
        request = _locked_as_checked(decision)
        free_check(request, reviewer)
        proposal = proposal_put(
            ProposalKind.DECISION,
            reviewer=reviewer,
            request=request,
            payload=payload,
            needs_second=bool(payload.reasons),
            detail={"outcome": decision.outcome.value},
        )
    return proposal_at_once(proposal)


def proposal_put(
    kind: ProposalKind,
    *,
    reviewer: User,
    request: RemovalRequest | None = None,
    errand: Errand | None = None,
    payload: Payload | None = None,
    facts: Mapping[str, object] | None = None,
    needs_second: bool,
    detail: Mapping[str, object] | None = None,
) -> Proposal:
    """Store and audit a proposal that was checked; call `proposal_at_once` after the transaction.

    Args:
        kind: what it would do.
        reviewer: whose it is.
        request: the request that it is about, its row locked; it is stale once that has changed.
        errand: the sweep that it is about.
        payload: what it says of a request, sealed under the request's `case`.
        facts: what it says where that is personal to nobody.
        needs_second: whether it waits for a second person.
        detail: counts and codes for the audit log.
    """
    now = timezone.now()
    proposal = Proposal(
        kind=kind,
        request=request,
        errand=errand,
        facts=dict(facts or {}),
        seen=request.state_seq if request else 0,
        proposed_by=reviewer,
        proposed_at=now,
        effective_at=None if needs_second else _ends(now),
        needs_second=needs_second,
        state=ProposalState.WAITING if needs_second else ProposalState.COUNTING,
    )
    if request is not None and payload is not None:
        item = content.proposal_item(proposal.pk)
        proposal.payload_sealed = seal(request.pk, Purpose.CASE, item, payload.to_bytes())
    proposal.save(force_insert=True)
    said = {"kind": kind.value} if kind != ProposalKind.DECISION else {}
    _noted("proposed", proposal, reviewer, **said, **(detail or {}), two_persons=needs_second)
    return proposal


def proposal_confirm(*, proposal_id: uuid.UUID, reviewer: User) -> Proposal:
    """Be the second person of a proposal: from now on it counts down.

    Raises:
        ProposalRefused: it is one's own, one may not decide, or it does not wait any more.
        RequestGone: there is no such proposal.
    """
    proposal = _found(proposal_id, reviewer)
    _second_check(proposal, reviewer, "confirm")
    with transaction.atomic():
        request, now = about_locked(proposal), timezone.now()
        waiting = Proposal.objects.filter(pk=proposal_id, state=ProposalState.WAITING)
        if request is not None:
            waiting = waiting.filter(seen=request.state_seq)
        confirmed = waiting.exclude(proposed_by=reviewer).update(
            state=ProposalState.COUNTING, confirmed_by=reviewer, effective_at=_ends(now)
        )
        if not confirmed:
            raise _too_late(proposal_id)
        _noted("proposal_confirmed", proposal, reviewer)
    return proposal_at_once(proposal)


def proposal_refuse(*, proposal_id: uuid.UUID, reviewer: User) -> None:
    """Be the second person and say no: the proposal ends, and another can be made.

    Raises:
        ProposalRefused, RequestGone: see `proposal_confirm`.
    """
    proposal = _found(proposal_id, reviewer)
    _second_check(proposal, reviewer, "refuse")
    with transaction.atomic():
        about_locked(proposal)
        waiting = Proposal.objects.filter(pk=proposal_id, state=ProposalState.WAITING)
        others = waiting.exclude(proposed_by=reviewer)
        if not others.update(**ended(ProposalState.REFUSED, reviewer)):
            raise _too_late(proposal_id)
        _noted("proposal_refused", proposal, reviewer)


def proposal_undo(*, proposal_id: uuid.UUID, reviewer: User) -> Payload | None:
    """Take back what one proposed or confirmed, before it takes effect; return what it said.

    Raises:
        ProposalRefused: one neither proposed nor confirmed it, or the moment is over.
        RequestGone: there is no such proposal.
    """
    proposal = _found(proposal_id, reviewer)
    if reviewer.pk not in {proposal.proposed_by_id, proposal.confirmed_by_id}:
        raise ProposalRefused("not_yours", "Only who proposed or confirmed it can undo it.")
    with transaction.atomic():
        about_locked(proposal)
        payload = payload_read(proposal)
        running = Q(state=ProposalState.COUNTING, effective_at__gt=timezone.now())
        undoable = Proposal.objects.filter(running | Q(state=ProposalState.WAITING), pk=proposal_id)
        if not undoable.update(**ended(ProposalState.UNDONE, reviewer)):
            raise _too_late(proposal_id)
        _noted("proposal_undone", proposal, reviewer)
    return payload


def proposal_at_once(proposal: Proposal) -> Proposal:
    """Return the proposal as it stands, after it took effect where there is no time to undo."""
    if not settings.UNLIST.undo_seconds:
        proposal_take(proposal.pk)
    proposal.refresh_from_db()
    return proposal


def _ends(now: dt.datetime) -> dt.datetime:
    return now + dt.timedelta(seconds=settings.UNLIST.undo_seconds)


def _found(proposal_id: uuid.UUID, reviewer: User) -> Proposal:
    """Return a proposal that this person can see, after what is due took effect."""
    seen = Q(request__isnull=True) | Q(request__in=requests_seen(reviewer))
    proposal = Proposal.objects.filter(seen, pk=proposal_id).first()
    if proposal is None:
        raise RequestGone("There is no such proposal (any more).")
    proposal_take(proposal_id)
    proposal.refresh_from_db()
    return proposal


def _second_check(proposal: Proposal, reviewer: User, what: str) -> None:
    if proposal.proposed_by_id == reviewer.pk:
        raise ProposalRefused(
            "own",
            f"You proposed this, so another person has to {what} it; you can undo it.",
        )
    right_check(reviewer, DECIDE, f"Only an approver can {what} what somebody else proposed.")


def _locked_as_checked(decision: Decision) -> RemovalRequest:
    checked = decision.request
    request = request_locked(checked.pk)
    if request.state != State.IN_REVIEW:
        raise already_decided(request)
    if (request.state_seq, request.escalated_on) != (checked.state_seq, checked.escalated_on):
        raise RequestChanged
    return request


def free_check(request: RemovalRequest, reviewer: User) -> None:
    """Refuse who is not alone with a request, and tell them who is at it.

    Raises:
        ProposalStands: somebody has claimed it, or a proposal about it is open.
    """
    claim = claim_of(request.pk)
    if claim is not None and claim.reviewer_id != reviewer.pk:
        raise ProposalStands(
            "Nothing was proposed.",
            first=f"{claim.reviewer} works on this request until {claim.until:%H:%M} UTC.",
        )
    standing = proposal_open(request.pk)
    if standing is not None:
        raise ProposalStands(
            "Nothing was proposed.",
            first=f"{standing.proposed_by} proposed a decision at {standing.proposed_at:%H:%M} "
            f"UTC, which {_stands(standing)}.",
        )


def _stands(standing: ProposalView) -> str:
    return "waits for a second person" if standing.waits else "takes effect in a moment"


def _too_late(proposal_id: uuid.UUID) -> ProposalRefused:
    """Return the refusal of who came second, which says who came first."""
    proposal = Proposal.objects.select_related("confirmed_by", "ended_by").get(pk=proposal_id)
    who = proposal.ended_by or proposal.confirmed_by
    name = who.get_username() if who else "Somebody"
    alone = "It needs no second person: it takes effect in a moment."
    told = {
        ProposalState.WAITING: "The request has changed since this was proposed.",
        ProposalState.COUNTING: f"{name} confirmed it before." if who else alone,
        ProposalState.TAKEN: "It has taken effect and cannot be undone any more.",
        ProposalState.UNDONE: f"{name} undid it before.",
        ProposalState.REFUSED: f"{name} refused it before.",
        ProposalState.STALE: "The request has changed since this was proposed.",
    }
    return ProposalRefused("too_late", told[ProposalState(proposal.state)])


def _noted(act: str, proposal: Proposal, reviewer: User, **detail: object) -> None:
    tag = audit.subject_tag(proposal.request) if proposal.request else b""
    audit.audit_append(act=act, actor=audit.staff(reviewer.pk), tag=tag, detail=detail)
