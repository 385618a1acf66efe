"""What a maintainer sends: a decision, a message, questions about rows."""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from django.http import QueryDict

from removal.life.deciding import DecisionInvalid
from removal.life.messages import ConversationInvalid
from removal.selectors import CandidateView


@dataclass(frozen=True)
class DecisionForm:
    """The decision form as it was sent, so that it can be shown again as it was."""

    decision: str = ""
    rows: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    reason: str = ""
    statement: str = ""
    tier: str = ""
    seen: int | None = None
    """`state_seq` of the request as it was shown."""
    candidates: tuple[CandidateView, ...] = field(default=(), repr=False)

    @classmethod
    def read(cls, data: QueryDict, candidates: Iterable[CandidateView]) -> "DecisionForm":
        """Take the fields from a POST."""
        return cls(
            decision=data.get("decision", ""),
            rows=frozenset(data.getlist("approve")),
            kinds=frozenset(data.getlist("approve_kind")),
            reason=data.get("reason", ""),
            statement=data.get("statement", "").replace("\r\n", "\n"),
            tier=data.get("tier", ""),
            seen=int(seen) if (seen := data.get("seen", "")).isdecimal() else None,
            candidates=tuple(candidates),
        )

    def approved(self) -> Collection[uuid.UUID]:
        """Return the rows to approve: those ticked, and all of a ticked kind.

        Raises:
            DecisionInvalid: the button pressed and the rows ticked contradict each other.
        """
        chosen = {
            candidate.id
            for candidate in self.candidates
            if str(candidate.id) in self.rows or candidate.kind in self.kinds
        }
        unknown = self.rows - {str(candidate.id) for candidate in self.candidates}
        if unknown:
            raise DecisionInvalid("A chosen row does not belong to this request: load it again.")
        if self.decision == "approve" and not chosen:
            raise DecisionInvalid("No row is chosen. Tick the rows to remove, or refuse.")
        if self.decision == "deny" and chosen:
            raise DecisionInvalid(
                "Rows are ticked, but the button to refuse was pressed. "
                "Untick them to refuse, or press the button to approve."
            )
        if self.decision not in {"approve", "deny"}:
            raise DecisionInvalid("Press one of the two buttons: approve or refuse.")
        return chosen


@dataclass(frozen=True)
class TalkForm:
    """Words to the person as they were sent, so that they can be shown again as they were."""

    message: str = ""
    question: str = ""
    asked: frozenset[str] = frozenset()

    @classmethod
    def read(cls, data: QueryDict) -> "TalkForm":
        """Take the fields from a POST."""
        return cls(
            message=data.get("message", ""),
            question=data.get("question", ""),
            asked=frozenset(data.getlist("ask")),
        )

    def chosen(self) -> Collection[uuid.UUID]:
        """Return the rows to ask about.

        Raises:
            ConversationInvalid: one of them is no row's name.
        """
        try:
            return {uuid.UUID(name) for name in self.asked}
        except ValueError:
            raise ConversationInvalid(
                "rows_not_similar", "A chosen row does not belong to this request: load it again."
            ) from None
