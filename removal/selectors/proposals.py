"""What maintainers have proposed: where it stands, what it says, who can still do what with it."""

import datetime as dt
import json
import math
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone

from removal.custody import content
from removal.custody.sealing import Place, PrivateKey
from removal.models import (
    PROPOSAL_OPEN,
    Proposal,
    ProposalState,
    Purpose,
    RemovalRequest,
)
from removal.permissions import DECIDE
from removal.selectors.desk import reviewer_key

_ENDED_UNTOLD: Final = (ProposalState.STALE, ProposalState.REFUSED)


@dataclass(frozen=True, slots=True)
class Payload:
    """What a proposed decision says, as its proposer gave it.

    Attributes:
        approve: candidates to remove.
        deny_reason, statement, tier: as `deciding.decision_check` takes them.
        outcome: the state that it gave when it was proposed.
        reasons: why it needs a second person; empty where it does not.
        leave: duplicates that were offered and would be set aside.
    """

    approve: tuple[uuid.UUID, ...]
    deny_reason: str | None
    statement: str
    tier: str | None
    outcome: str
    reasons: tuple[str, ...]
    leave: tuple[uuid.UUID, ...] = ()

    def to_bytes(self) -> bytes:
        """Serialize for sealing."""
        return content.json_bytes(
            {
                "approve": [str(pk) for pk in self.approve],
                "deny_reason": self.deny_reason,
                "statement": self.statement,
                "tier": self.tier,
                "outcome": self.outcome,
                "reasons": list(self.reasons),
                "leave": [str(pk) for pk in self.leave],
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "Payload":
        """Read what `to_bytes` wrote."""
        facts = json.loads(data)
        facts["approve"] = _ids(facts["approve"])
        facts["leave"] = _ids(facts.get("leave", ()))
        return cls(**{**facts, "reasons": tuple(facts["reasons"])})


def _ids(texts: Iterable[str]) -> tuple[uuid.UUID, ...]:
    return tuple(uuid.UUID(text) for text in texts)


@dataclass(frozen=True, slots=True)
class ProposalView:
    """A proposal as a maintainer sees it.

    Attributes:
        id, kind, state: which, of what kind, and where it stands.
        proposed_by, confirmed_by, ended_by: login names; the last two None where nobody did.
        proposed_at, effective_at: when; the second None while it waits for a person.
        seconds_left: until it takes effect, rounded up; None while it waits for a person.
        needs_second: whether it needs two persons.
        payload: what it says; None once it ended, or where the case is gone.
    """

    id: uuid.UUID
    request_id: uuid.UUID | None
    kind: str
    state: str
    proposed_by: str
    confirmed_by: str | None
    ended_by: str | None
    proposed_at: dt.datetime
    effective_at: dt.datetime | None
    seconds_left: int | None
    needs_second: bool
    payload: Payload | None

    @property
    def waits(self) -> bool:
        """Whether it waits for the second person."""
        return self.state == ProposalState.WAITING

    def undoable_by(self, user: User) -> bool:
        """Whether this person can (still) undo it."""
        own = user.get_username() in {self.proposed_by, self.confirmed_by}
        return own and (self.waits or bool(self.seconds_left))

    def confirmable_by(self, user: User) -> bool:
        """Whether this person can be the second."""
        return self.waits and user.get_username() != self.proposed_by and user.has_perm(DECIDE)


def proposal_open(request_id: uuid.UUID) -> ProposalView | None:
    """Return the proposal about a request that has not ended; None where there is none.

    Raises:
        SecretUnavailable: this process does not hold the reviewers' key.
    """
    found = _proposals().filter(request_id=request_id, state__in=PROPOSAL_OPEN).first()
    return proposal_viewed(found) if found else None


def proposal_untold(*, request_id: uuid.UUID, reviewer: User) -> ProposalView | None:
    """Return the last proposal about a request if this person made it and it came to nothing.

    So that its proposer learns that it was refused, or that the request changed under it.
    """
    last = _proposals().filter(request_id=request_id).order_by("-proposed_at").first()
    if last is None or last.proposed_by_id != reviewer.pk or last.state not in _ENDED_UNTOLD:
        return None
    return proposal_viewed(last)


def proposal_viewed(proposal: Proposal) -> ProposalView:
    """Return what a maintainer sees of a proposal."""
    return ProposalView(
        id=proposal.pk,
        request_id=proposal.request_id,
        kind=proposal.kind,
        state=proposal.state,
        proposed_by=proposal.proposed_by.get_username(),
        confirmed_by=_name(proposal.confirmed_by),
        ended_by=_name(proposal.ended_by),
        proposed_at=proposal.proposed_at,
        effective_at=proposal.effective_at,
        seconds_left=_seconds_left(proposal),
        needs_second=proposal.needs_second,
        payload=payload_read(proposal),
    )


def payload_read(proposal: Proposal, case: PrivateKey | None = None) -> Payload | None:
    """Open what a proposal says of a request; None once it ended or its case is gone."""
    request: RemovalRequest | None = proposal.request
    if request is None or not proposal.payload_sealed:
        return None
    case = case or reviewer_key(request, Purpose.CASE)
    if case is None:
        return None
    place = Place(request.pk, Purpose.CASE, content.proposal_item(proposal.pk))
    return Payload.from_bytes(case.open(proposal.payload_sealed, place))


def _proposals() -> QuerySet[Proposal]:
    related = ("request", "proposed_by", "confirmed_by", "ended_by")
    return Proposal.objects.select_related(*related).order_by("proposed_at")


def _name(user: User | None) -> str | None:
    return user.get_username() if user else None


def _seconds_left(proposal: Proposal) -> int | None:
    if proposal.state != ProposalState.COUNTING or proposal.effective_at is None:
        return None
    left = (proposal.effective_at - timezone.now()).total_seconds()
    return max(0, math.ceil(left))
