"""What is proposed, in words: to who proposed it, to who may be the second, to everybody else."""

import uuid
from dataclasses import dataclass

from django.contrib.auth.models import User

from removal.desk import words
from removal.models import Proposal, ProposalKind, ProposalState, State
from removal.reasons import DENIAL_REASONS
from removal.selectors import CandidateView, ReviewCase
from removal.selectors.proposals import (
    ProposalView,
    proposal_open,
    proposal_untold,
    proposal_viewed,
)


@dataclass(frozen=True, slots=True)
class Told:
    """A proposal on the page of its request.

    Attributes:
        view: the proposal.
        what: what it would do, in one sentence.
        chosen: the rows that it would remove.
        reason: the sentence of the reason that the person would be given.
        standing: it has not ended.
        undoable, confirmable: by this reader.
    """

    view: ProposalView
    what: str
    chosen: tuple[CandidateView, ...]
    reason: str
    standing: bool
    undoable: bool
    confirmable: bool


@dataclass(frozen=True, slots=True)
class Countdown:
    """A proposal of the reader's own about another request, which can still be undone."""

    id: uuid.UUID
    request_id: uuid.UUID
    reference: str
    what: str
    seconds_left: int


def proposal_told(case: ReviewCase, reader: User) -> Told | None:
    """Return what is proposed about a request, or what became of the reader's own proposal."""
    view = proposal_open(case.request.pk)
    if view is None:
        ended = proposal_untold(request_id=case.request.pk, reviewer=reader)
        return _told(ended, case, reader, standing=False) if ended else None
    return _told(view, case, reader, standing=True)


def my_countdowns(reader: User, *, but: uuid.UUID) -> list[Countdown]:
    """Return what the reader proposed or confirmed elsewhere and can still undo, the last first."""
    running = Proposal.objects.filter(state=ProposalState.COUNTING, request__isnull=False)
    mine = running.filter(proposed_by=reader) | running.filter(confirmed_by=reader)
    related = ("request", "proposed_by", "confirmed_by", "ended_by")
    others = mine.exclude(request=but).select_related(*related).order_by("-proposed_at")
    views = [proposal_viewed(one) for one in others]
    return [
        Countdown(view.id, view.request_id, str(view.request_id)[:8], _what(view), seconds)
        for view in views
        if (seconds := view.seconds_left) and view.request_id
    ]


def _told(view: ProposalView, case: ReviewCase, reader: User, *, standing: bool) -> Told:
    payload = view.payload
    chosen = set(payload.approve) if payload else set()
    reason = payload.deny_reason if payload else None
    return Told(
        view=view,
        what=_what(view),
        chosen=tuple(row for row in (*case.candidates, *case.offered) if row.id in chosen),
        reason=str(DENIAL_REASONS.get(reason or "", "")),
        standing=standing,
        undoable=standing and view.undoable_by(reader),
        confirmable=standing and view.confirmable_by(reader),
    )


def _what(view: ProposalView) -> str:
    payload = view.payload
    if payload is None:
        return "A decision."
    counted = words.counted(len(payload.approve), "row")
    if view.kind == ProposalKind.DUPLICATES and not payload.approve:
        left = words.counted(len(payload.leave), "row")
        return f"Set copies of approved rows aside: {left} not listed."
    if view.kind == ProposalKind.DUPLICATES:
        return f"Approve copies of approved rows: remove {counted}, listed as {payload.tier}."
    if payload.outcome == State.DENIED:
        return "Refuse: nothing is removed."
    tier = f", listed as {payload.tier}" if payload.tier else ""
    whole = "Approve" if payload.outcome == State.APPROVED else "Approve a part"
    return f"{whole}: remove {counted}{tier}."
