"""When proposals take effect, and when they end without: by the clock, whoever looks.

A worker of the staff role looks every few seconds (`tasks.sweep`), and every staff page of a
request looks too. A proposal takes effect once, by one conditional UPDATE under the lock of its
request's row, exactly as it was proposed; if its request changed meanwhile, it is stale.

What a proposal does is its kind's *effect* (`effect_register`), called once, in the transaction
in which the proposal becomes `taken`. A proposal that is about no request (a sweep, rows to be
taken off the list) waits and counts down in the same way.
"""

import logging
import uuid
from collections.abc import Callable
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from removal import audit
from removal.custody.secrets import SecretUnavailable
from removal.life.deciding import AlreadyDecided, RequestChanged, decision_check, decision_take
from removal.life.listable import DecisionInvalid
from removal.life.two_persons import second_needed
from removal.models import (
    PROPOSAL_OPEN,
    Claim,
    Errand,
    Proposal,
    ProposalKind,
    ProposalState,
    RemovalRequest,
)
from removal.permissions import DECIDE, REVIEW
from removal.selectors.desk import RequestGone
from removal.selectors.proposals import payload_read

log = logging.getLogger(__name__)

Effect = Callable[[Proposal], None]


class ProposalRefused(Exception):
    """This person cannot do this with this proposal, or it is too late; nothing was changed.

    Attributes:
        code: `own`, `no_right`, `not_yours` or `too_late`.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class ProposalsIncomplete(Exception):
    """A proposal that is due could not take effect for now; the next run tries again."""


class EffectStale(Exception):
    """What was proposed cannot be done any more: the proposal ends without effect."""


def effect_register(kind: ProposalKind, effect: Effect) -> None:
    """Say what a proposal of a kind does; layers above this one call it when Django is ready.

    Args:
        kind: of proposals.
        effect: called with the proposal as it was, its payload still in it. It raises
            `EffectStale` where that cannot be done any more.
    """
    _EFFECTS[kind] = effect


def proposals_due() -> list[uuid.UUID]:
    """Return what is to take effect now, or can never again; to look needs no key."""
    return list(_due(Q()).values_list("pk", flat=True))


def proposals_take_effect() -> int:
    """Have what is due take effect, each once, and end what was outrun; return how many took.

    Raises:
        SecretUnavailable: this process is not of the staff role.
        ProposalsIncomplete: one could not, for now; it held up no other.
    """
    taken, faults = 0, 0
    for proposal in _due(Q()):
        try:
            taken += _taken(proposal)
        except SecretUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, the next in line goes on time
            faults += 1
            log.warning("proposal %s waits: %s", proposal.pk, type(error).__name__)
    if faults:
        raise ProposalsIncomplete(f"{faults} proposals could not take effect; the next run tries.")
    return taken


def proposal_settle(request_id: uuid.UUID) -> bool:
    """Have what is due about one request take effect now; tell whether anything did."""
    taken = [_taken(proposal) for proposal in _due(Q(request_id=request_id))]
    return any(taken)


def proposal_take(proposal_id: uuid.UUID) -> bool:
    """Have one proposal take effect if it is due; tell whether this call did it."""
    due = _due(Q(pk=proposal_id)).first()
    return due is not None and _taken(due)


def proposals_outrun(request_id: uuid.UUID, *, by: User | None = None) -> None:
    """End what is open about a request; call it under the lock of its row."""
    open_ones = Proposal.objects.filter(request_id=request_id, state__in=PROPOSAL_OPEN)
    open_ones.update(**ended(ProposalState.STALE, by))


def _due(about: Q) -> QuerySet[Proposal]:
    over = Q(state=ProposalState.COUNTING, effective_at__lte=timezone.now())
    open_one = Q(state__in=PROPOSAL_OPEN, request__isnull=False)
    changed = open_one & ~Q(seen=F("request__state_seq"))
    related = ("request", "proposed_by", "confirmed_by")
    due = Proposal.objects.filter(about & (over | changed))
    return due.select_related(*related).order_by("effective_at", "proposed_at")


def _taken(proposal: Proposal) -> bool:
    """Have one proposal take effect, or end it as stale; tell whether this call had it take."""
    try:
        with transaction.atomic():
            request = about_locked(proposal)
            if request is not None and request.state_seq != proposal.seen:
                raise RequestChanged
            counting = Proposal.objects.filter(pk=proposal.pk, state=ProposalState.COUNTING)
            if not counting.update(**ended(ProposalState.TAKEN, None)):
                return False
            _EFFECTS[ProposalKind(proposal.kind)](proposal)
    except (AlreadyDecided, DecisionInvalid, RequestGone, ProposalRefused, EffectStale):
        _stale(proposal)
        return False
    return True


def _decided(proposal: Proposal) -> None:
    """Decide as proposed, in the proposer's name; the rule of two is asked once more."""
    payload = payload_read(proposal)
    if payload is None or proposal.request_id is None:
        raise RequestGone("What was proposed is deleted.")
    decision = decision_check(
        request_id=proposal.request_id,
        approve=payload.approve,
        deny_reason=payload.deny_reason,
        statement=payload.statement,
        tier=payload.tier,
        seen=proposal.seen,
    )
    right_check(proposal.proposed_by, REVIEW, "The proposer may not review any more.")
    if second_needed(decision, reviewer=proposal.proposed_by):
        two_check(proposal)
    actor = audit.staff(proposal.proposed_by.pk)
    decision_take(decision, actor=actor, confirmed_by=proposal.confirmed_by)
    Claim.objects.filter(request_id=proposal.request_id).delete()


def two_check(proposal: Proposal) -> None:
    """See that a second person confirmed a proposal and may (still) decide.

    Raises:
        ProposalRefused: nobody did, or they may not.
    """
    second = proposal.confirmed_by
    if second is None or second == proposal.proposed_by:
        raise ProposalRefused("own", "This needs a second person by now.")
    right_check(second, DECIDE, "The second person may not decide any more.")


def _stale(proposal: Proposal) -> None:
    with transaction.atomic():
        request = about_locked(proposal)
        open_one = Proposal.objects.filter(pk=proposal.pk, state__in=PROPOSAL_OPEN)
        if open_one.update(**ended(ProposalState.STALE, None)):
            tag = audit.subject_tag(request) if request else b""
            audit.audit_append(act="proposal_stale", actor=audit.WORKER, tag=tag)


def ended(state: ProposalState, by: User | None) -> dict[str, object]:
    """Return the fields of a proposal that ends; what it said goes at once."""
    return {"state": state, "ended_at": timezone.now(), "ended_by": by, "payload_sealed": b""}


def right_check(person: User, right: str, sentence: str) -> None:
    """Refuse a person without a right.

    Raises:
        ProposalRefused: they do not have it.
    """
    if not person.has_perm(right):
        raise ProposalRefused("no_right", sentence)


def about_locked(proposal: Proposal) -> RemovalRequest | None:
    """Lock the row of what a proposal is about; return it where that is a request.

    Raises:
        RequestGone: the request is gone.
    """
    if proposal.request_id is not None:
        return request_locked(proposal.request_id)
    if proposal.errand_id is not None:  # before the proposal, as `sweep_ends` does
        Errand.objects.select_for_update().filter(pk=proposal.errand_id).first()
    return None


def request_locked(request_id: uuid.UUID | None) -> RemovalRequest:
    """Lock the row of a request, which always comes first, so that no two lock crosswise.

    Raises:
        RequestGone: there is no such request.
    """
    locked = RemovalRequest.objects.select_for_update()
    request = locked.filter(pk=request_id).first() if request_id else None
    if request is None:
        raise RequestGone("There is no such request: it may have been purged on its clock.")
    return request


_EFFECTS: Final[dict[str, Effect]] = {ProposalKind.DECISION: _decided}
