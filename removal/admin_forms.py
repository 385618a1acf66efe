"""What a maintainer sends: a decision, or an extension of the clock."""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from django.http import QueryDict

from removal.review import DecisionInvalid
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
