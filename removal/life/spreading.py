"""Copies of approved rows that were found after the decision: approved like it, or set aside.

Workers look for them (`search.errands`) and store them as *offered* candidates. Of these nobody but
maintainers is told. To approve some is a proposal like any (`proposals`): it can be undone, and
needs a second person where a decision on as many rows would. Once it takes effect they are the
request's own rows, told to the list with its tier; and the request, wherever it stood, is what its
decision made it again, until a release carries them too (docs/adr/0022).

To set copies aside changes nothing for anybody, and they can be offered again.
"""

import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction

from removal import audit
from removal.custody.content import FoundRow
from removal.life.deciding import TIERS, RequestChanged
from removal.life.destroying import PURGING
from removal.life.effects import (
    EffectStale,
    effect_register,
    proposal_settle,
    request_locked,
    right_check,
    two_check,
)
from removal.life.listable import DecisionInvalid, rows_listable
from removal.life.proposals import free_check, proposal_at_once, proposal_put
from removal.life.two_persons import refusal_reasons, second_needed_for_rows
from removal.lifecycle import STEPS, TransitionRefused, step_taken
from removal.models import (
    Candidate,
    Kind,
    Proposal,
    ProposalKind,
    RemovalRequest,
    State,
    Verdict,
    today,
)
from removal.permissions import REVIEW
from removal.selectors.desk import RequestGone, case_key_held, request_found, request_visible
from removal.selectors.duplicates import copies_offered
from removal.selectors.proposals import Payload, payload_read
from removal.selectors.subject import row_approved
from removal.signals import rows_approved

_NONE_LEFT = "None of these copies is offered any more: load the page again."
_RIGHT = "Approving or setting aside copies needs the role of a reviewer."


class SecondPersonNeeded(Exception):
    """To set these copies aside takes two persons; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Offered copies that can be approved, as the request stood.

    Attributes:
        request: whose approved rows they are copies of.
        approved: the copies to approve.
        left: the copies to set aside.
        listed: how many rows of the request are approved already.
    """

    request: RemovalRequest
    approved: tuple[tuple[Candidate, FoundRow], ...]
    left: tuple[Candidate, ...]
    listed: int


def duplicates_propose(
    *,
    request_id: uuid.UUID,
    reviewer: User,
    approve: Collection[uuid.UUID],
    leave: Collection[uuid.UUID] = (),
    seen: int | None = None,
) -> Proposal:
    """Propose that offered copies are approved, in the tier of the decision, or are set aside.

    Args:
        request_id: the decided request.
        reviewer: who proposes.
        approve: offered candidates; none where all are to be set aside.
        leave: those that were looked at and are to be set aside.
        seen: `state_seq` of the request as the reviewer saw it, where that is known.

    Raises:
        DecisionInvalid, RequestChanged, RequestGone: as of `duplicates_check`.
        ProposalStands: somebody else proposed first.
        ProposalRefused: this person has no right to.
    """
    request_visible(request_id, reviewer)
    right_check(reviewer, REVIEW, _RIGHT)
    proposal_settle(request_id)
    spread = duplicates_check(request_id=request_id, approve=approve, leave=leave, seen=seen)
    reasons = _second_needed(spread, reviewer)
    payload = Payload(
        approve=tuple(approve),
        deny_reason=None,
        statement="",
        tier=spread.request.tier,
        outcome=spread.request.outcome,
        reasons=tuple(reasons),
        leave=tuple(one.pk for one in spread.left),
    )
    with transaction.atomic():
        request = request_locked(request_id)
        if request.state_seq != spread.request.state_seq:
            raise RequestChanged
        _standing_check(request)
        free_check(request, reviewer)
        proposal = proposal_put(
            ProposalKind.DUPLICATES,
            reviewer=reviewer,
            request=request,
            payload=payload,
            needs_second=bool(reasons),
            detail={"approved": len(spread.approved), "left_out": len(spread.left)},
        )
    return proposal_at_once(proposal)


def duplicates_check(
    *,
    request_id: uuid.UUID,
    approve: Collection[uuid.UUID],
    leave: Collection[uuid.UUID] = (),
    seen: int | None = None,
) -> Spread:
    """Return what approving offered copies would do, and change nothing.

    Raises:
        RequestChanged: the request is not as the reviewer saw it.
        DecisionInvalid: a sentence says what to mend.
        RequestGone: there is no such request, or its case was deleted.
    """
    request = request_found(request_id)
    if seen not in {None, request.state_seq}:
        raise RequestChanged
    _standing_check(request)
    chosen = set(approve)
    if not chosen and not leave:
        raise DecisionInvalid("No copy is chosen. Tick those to remove, or set them all aside.")
    if chosen and request.tier not in TIERS:
        raise DecisionInvalid("This request was decided without a tier: copies need one.")
    case = case_key_held(request)
    found = list(copies_offered(request).filter(pk__in=chosen).order_by("pk"))
    if len(found) != len(chosen):
        raise DecisionInvalid("A chosen copy is not offered any more: load the page again.")
    approved = rows_listable(found, case)
    left = tuple(copies_offered(request).filter(pk__in=set(leave) - chosen))
    if not chosen and not left:
        raise DecisionInvalid(_NONE_LEFT)
    listed = request.candidates.filter(verdict=Verdict.APPROVED, offered=False).count()
    return Spread(request, approved, left, listed)


def duplicates_dismiss(
    *, request_id: uuid.UUID, reviewer: User, rows: Collection[uuid.UUID]
) -> int:
    """Set offered copies aside at once; return how many there were.

    Raises:
        SecondPersonNeeded: it takes a proposal, which two persons agree on (`duplicates_propose`).
        DecisionInvalid: none of them is offered (any more), or the request stands otherwise.
        ProposalStands: a proposal about the request is open.
        ProposalRefused, RequestGone: one may not, or there is no such request.
    """
    with _settled(request_id, reviewer) as request:
        left = copies_offered(request).filter(pk__in=rows)
        if refusal_reasons(request, left):
            raise SecondPersonNeeded
        number = left.update(verdict=Verdict.DENIED)
        if not number:
            raise DecisionInvalid(_NONE_LEFT)
        _noted("duplicates_set_aside", request, reviewer, number)
    return number


def duplicates_restore(*, request_id: uuid.UUID, reviewer: User) -> int:
    """Offer the copies again that were set aside; return how many there were.

    Raises:
        DecisionInvalid, ProposalStands, ProposalRefused, RequestGone: see `duplicates_dismiss`.
    """
    with _settled(request_id, reviewer) as request:
        aside = Candidate.objects.filter(request=request, offered=True, verdict=Verdict.DENIED)
        number = aside.update(verdict=Verdict.PENDING)
        if not number:
            raise DecisionInvalid("No copy of this request was set aside.")
        _noted("duplicates_offered_again", request, reviewer, number)
    return number


def _second_needed(spread: Spread, reviewer: User) -> list[str]:
    rows = spread.listed + len(spread.approved) if spread.approved else 0
    return [
        *refusal_reasons(spread.request, spread.left),
        *second_needed_for_rows(rows, reviewer=reviewer),
    ]


def _standing_check(request: RemovalRequest) -> None:
    """Refuse a request of which no row may be approved now.

    Raises:
        DecisionInvalid: it is held or escalated, or not decided (any more).
        RequestGone: its case is deleted, or it is being purged.
    """
    if request.case_deleted_on is not None or request.closed_on == PURGING:
        raise RequestGone("What was found for this request is deleted.")
    if request.held_on is not None or request.escalated_on is not None:
        raise DecisionInvalid("This request was escalated, so no row of it may be listed.")
    if request.state not in STEPS["duplicates_approved"].sources:
        raise DecisionInvalid(
            "Copies are approved once the request is approved: it was appealed, or has ended."
        )


@contextmanager
def _settled(request_id: uuid.UUID, reviewer: User) -> Iterator[RemovalRequest]:
    """Hold the row of a decided request about which nothing is proposed."""
    request_visible(request_id, reviewer)
    right_check(reviewer, REVIEW, _RIGHT)
    proposal_settle(request_id)
    with transaction.atomic():
        request = request_locked(request_id)
        _standing_check(request)
        free_check(request, reviewer)
        yield request


def _noted(act: str, request: RemovalRequest, reviewer: User, rows: int) -> None:
    audit.audit_append(
        act=act,
        actor=audit.staff(reviewer.pk),
        tag=audit.subject_tag(request),
        detail={"rows": rows},
    )


# --- the effect ------------------------------------------------------------------------------


def _take_effect(proposal: Proposal) -> None:
    """Approve as proposed, in the proposer's name; the rule of two is asked once more."""
    payload = payload_read(proposal)
    if payload is None or proposal.request_id is None:
        raise RequestGone("What was proposed is deleted.")
    spread = duplicates_check(
        request_id=proposal.request_id,
        approve=payload.approve,
        leave=payload.leave,
        seen=proposal.seen,
    )
    right_check(proposal.proposed_by, REVIEW, "The proposer may not review any more.")
    if _second_needed(spread, proposal.proposed_by):
        two_check(proposal)
    try:
        if spread.approved:
            _approve(spread, proposal)
    except TransitionRefused:
        raise EffectStale from None
    if spread.left:
        _set_aside(spread)
        _noted("duplicates_set_aside", spread.request, proposal.proposed_by, len(spread.left))


def _approve(spread: Spread, proposal: Proposal) -> None:
    request = spread.request
    with step_taken(
        request.pk,
        "duplicates_approved",
        State(request.outcome),
        actor=audit.staff(proposal.proposed_by_id),
        detail=_detail(spread, proposal),
        where={
            "state_seq": request.state_seq,
            "held_on__isnull": True,
            "escalated_on__isnull": True,
            "case_deleted_on__isnull": True,
        },
        changes={"closed_on": None},
    ):
        rows = [candidate.pk for candidate, _ in spread.approved]
        offered = copies_offered(request)
        offered.filter(pk__in=rows).update(verdict=Verdict.APPROVED, offered=False, unreleased=True)
        rows_approved.send(
            sender=RemovalRequest,
            rows=[row_approved(row) for _, row in spread.approved],
            tier=request.tier,
            on=today(),
        )


def _set_aside(spread: Spread) -> None:
    left = copies_offered(spread.request).filter(pk__in=[one.pk for one in spread.left])
    left.update(verdict=Verdict.DENIED)


def _detail(spread: Spread, proposal: Proposal) -> dict[str, object]:
    """Return what the audit log says; the person is told the day and the number of copies."""
    own = sum(candidate.kind != Kind.SIMILAR for candidate, _ in spread.approved)
    second = proposal.confirmed_by_id
    return {
        "tier": spread.request.tier,
        "copies": own,
        "similar": len(spread.approved) - own,
        "left_out": len(spread.left),
        "listed_before": spread.listed,
        **({"confirmed_by": audit.staff(second)} if second else {}),
    }


effect_register(ProposalKind.DUPLICATES, _take_effect)
