"""The decision: which rows go, and why others stay. Nothing is decided twice.

Who comes second gets `AlreadyDecided` and changes nothing; who decides on what they saw before the
request changed gets `RequestChanged`. After an appeal a request is decided once more: rows that
were approved the first time are listed already and stay so, and only what is new is told to the
lists.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction

from removal import audit
from removal.custody import content
from removal.custody.content import FoundRow, row_opened
from removal.custody.sealing import PrivateKey, seal
from removal.life import retention
from removal.life.duplicates import duplicates_ask, duplicates_sought
from removal.life.listable import DecisionInvalid, rows_listable
from removal.lifecycle import TransitionRefused, step_taken, unless_due
from removal.models import Candidate, Kind, Purpose, RemovalRequest, State, Verdict, today
from removal.reasons import DENIAL_REASONS
from removal.selectors.desk import case_key_held, request_found
from removal.selectors.duplicates import copies_unreleased
from removal.selectors.firsts import first_told
from removal.selectors.subject import ApprovedRow, row_approved
from removal.signals import rows_approved

TIERS: Final = ("exact",)
STATEMENT_MAX: Final = 4000


class AlreadyDecided(Exception):
    """Someone decided, or the subject withdrew, in the meantime.

    Attributes:
        first: who came first and with what, in words; empty where the log does not say.
    """

    def __init__(self, sentence: str = "", *, first: str = "") -> None:
        self.first = first
        told = sentence or (
            "This request is not waiting for a decision any more. Load it again to see."
        )
        super().__init__(f"{told} {first}".rstrip())


class RequestChanged(AlreadyDecided):
    """It waits for a decision, but not as the reviewer saw it: answered or appealed meanwhile."""

    def __init__(self) -> None:
        super().__init__(
            "This request has changed since you opened it, so that nothing was decided. Read what "
            "is new and decide again."
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision that was found consistent with its request, as it stood.

    Attributes:
        request: what it is about.
        outcome: the state it gives.
        listed: rows that an earlier decision approved.
        approved: the rows that are approved now, those not among them.
        reason, statement, tier: as the reviewer gave them.
        sources: the rows whose duplicates are to be looked for: those approved now, and those
            listed whose own search has not ended.
    """

    request: RemovalRequest
    outcome: State
    listed: frozenset[uuid.UUID]
    approved: tuple[tuple[Candidate, FoundRow], ...]
    reason: str
    statement: str
    tier: str
    sources: tuple[tuple[Candidate, FoundRow], ...] = ()


def decision_check(
    *,
    request_id: uuid.UUID,
    approve: Collection[uuid.UUID],
    deny_reason: str | None,
    statement: str,
    tier: str | None,
    seen: int | None = None,
) -> Decision:
    """Return the decision that these words make, and change nothing.

    A request is approved when every exact and copy row is approved (look-alikes left out do not
    count against it), denied when no row is, partly approved otherwise. After an appeal that brings
    nothing new to a request that is in a release, it is `released` as before. No row of what is
    escalated can be approved; while it is held, it is not decided at all.

    Args:
        request_id: which.
        approve: the candidates to remove; those listed already need not be named.
        deny_reason: a key of `DENIAL_REASONS`, when rows stay.
        statement: words to the subject, sealed; may be empty.
        tier: how newly approved rows are listed; no default.
        seen: `state_seq` of the request as the reviewer saw it, where that is known.

    Raises:
        AlreadyDecided: it is not in review (any more).
        RequestChanged: it is, but not as the reviewer saw it.
        DecisionInvalid: a sentence says what to mend.
        RequestGone: there is no such request, or its case was deleted.
    """
    request = request_found(request_id)
    if request.state != State.IN_REVIEW:
        raise already_decided(request)
    if seen not in {None, request.state_seq}:
        raise RequestChanged
    _escalation_check(request, approve)
    case = case_key_held(request)
    words = {"reason": deny_reason or "", "statement": statement.strip(), "tier": tier or ""}
    try:
        return _decision(request, set(approve), case=case, **words)
    except DecisionInvalid:
        # What a colleague approved in the same moment can make this one contradict itself.
        fresh = request_found(request_id)
        if fresh.state_seq != request.state_seq:
            raise already_decided(fresh) from None
        raise


def decision_take(decision: Decision, *, actor: str, confirmed_by: User | None = None) -> str:
    """Have a decision take effect, and return the new state of its request.

    Args:
        decision: as `decision_check` found it.
        actor: whose decision it is, as `audit` names actors: a member of staff, or a rule.
        confirmed_by: the second person, where it took one.

    Raises:
        AlreadyDecided: the request is not any more as the decision was checked against.
    """
    try:
        return _decided(decision, actor, confirmed_by)
    except TransitionRefused:
        raise already_decided(request_found(decision.request.pk)) from None


def already_decided(request: RemovalRequest) -> AlreadyDecided:
    """Return the refusal of who came second, which says who came first."""
    return AlreadyDecided(first=first_told(request))


def _decided(decision: Decision, actor: str, confirmed_by: User | None) -> str:
    """Take the step from exactly the state that was read, and close what has nothing new."""
    request = decision.request
    numbers = request.released_in
    with transaction.atomic():
        with step_taken(
            request.pk,
            "decided",
            decision.outcome,
            actor=actor,
            detail=_detail(decision, confirmed_by),
            where={
                "state_seq": request.state_seq,
                "released_in": numbers,
                "escalated_on": request.escalated_on,
                "held_on__isnull": True,
            },
            changes=_changes(request, decision),
        ):
            _verdicts_set(request.pk, decision)
            if decision.approved:
                duplicates_ask(request, decision.sources)
        carried = decision.listed and numbers and not copies_unreleased(request).exists()
        if decision.approved or not carried:
            return decision.outcome.value
        with step_taken(
            request.pk,
            "released",
            State.RELEASED,
            actor=actor,
            detail={"release": numbers[-1]},
            changes={"closed_on": today()},
        ):
            return State.RELEASED.value


def _detail(decision: Decision, confirmed_by: User | None) -> dict[str, object]:
    """Return what the audit log says of a decision, beside who took it."""
    return {
        "reason": decision.reason or None,
        "tier": decision.tier or None,
        "approved": len(decision.approved),
        **({"listed_before": len(decision.listed)} if decision.listed else {}),
        **({"confirmed_by": audit.staff(confirmed_by.pk)} if confirmed_by else {}),
    }


def _escalation_check(request: RemovalRequest, approve: Collection[uuid.UUID]) -> None:
    if request.held_on is not None:
        raise DecisionInvalid(
            "A legal hold lies on this request: nothing is decided before it ends."
        )
    if request.escalated_on is not None and approve:
        raise DecisionInvalid(
            "This request was escalated, so no row of it may be listed: refuse it or give it back."
        )


def _decision(
    request: RemovalRequest,
    chosen: set[uuid.UUID],
    *,
    case: PrivateKey,
    reason: str,
    statement: str,
    tier: str,
) -> Decision:
    found = request.candidates.filter(offered=False)  # others are for `spreading` to approve
    candidates = {candidate.pk: candidate for candidate in found}
    if not chosen <= candidates.keys():
        raise DecisionInvalid("A chosen row does not belong to this request: load it again.")
    if len(statement) > STATEMENT_MAX:
        raise DecisionInvalid(f"Shorten the statement to {STATEMENT_MAX:,} characters.")
    listed = {pk for pk, one in candidates.items() if one.verdict == Verdict.APPROVED}
    outcome, new = _outcome(candidates, chosen | listed), chosen - listed
    _reason_check(outcome, reason)
    if new and tier not in TIERS:
        raise DecisionInvalid(f"Choose how the rows are listed: {', '.join(TIERS)}.")
    approved = rows_listable([candidates[pk] for pk in new], case)
    kept = tier if new else request.tier
    again = listed if duplicates_sought(request) else ()
    sources = (*approved, *((candidates[pk], row_opened(candidates[pk], case)) for pk in again))
    return Decision(request, outcome, frozenset(listed), approved, reason, statement, kept, sources)


def _outcome(candidates: dict[uuid.UUID, Candidate], chosen: set[uuid.UUID]) -> State:
    if not chosen:
        return State.DENIED
    own = {pk for pk, candidate in candidates.items() if candidate.kind != Kind.SIMILAR}
    return State.APPROVED if own <= chosen else State.PARTLY_APPROVED


def _reason_check(outcome: State, reason: str) -> None:
    if outcome == State.APPROVED and reason:
        raise DecisionInvalid(
            "Every exact and copy row is chosen, so nothing is refused: leave the reason empty."
        )
    if outcome != State.APPROVED and reason not in DENIAL_REASONS:
        raise DecisionInvalid(
            f"Rows that stay need a reason: choose one of {', '.join(DENIAL_REASONS)}."
        )


def _changes(request: RemovalRequest, decision: Decision) -> dict[str, object]:
    """Return the fields that a decision sets."""
    day = today()
    words = decision.statement.encode()
    sealed = seal(request.pk, Purpose.CASE, content.STATEMENT, words) if words else b""
    return {
        "outcome": decision.outcome.value,
        "reason": decision.reason,
        "tier": decision.tier,
        "decided_on": day,
        "closed_on": day if decision.outcome == State.DENIED else None,
        "photos_delete_on": unless_due(retention.photos_delete_on(request, decided_on=day)),
        "statement_sealed": sealed,
    }


def _verdicts_set(request_id: uuid.UUID, decision: Decision) -> None:
    new = [candidate.pk for candidate, _ in decision.approved]
    candidates = Candidate.objects.filter(request_id=request_id, offered=False)
    candidates.filter(pk__in=new).update(verdict=Verdict.APPROVED)
    candidates.exclude(pk__in=decision.listed.union(new)).update(verdict=Verdict.DENIED)
    if new:
        rows: list[ApprovedRow] = [row_approved(row) for _, row in decision.approved]
        rows_approved.send(sender=RemovalRequest, rows=rows, tier=decision.tier, on=today())
