"""What a maintainer sends: a decision, a message, questions about rows."""

import re
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from django.http import QueryDict

from removal.desk.grouping import RowGroup
from removal.life.listable import DecisionInvalid
from removal.life.messages import ConversationInvalid
from removal.reasons import ready_statement

_SEQ: Final = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class DecisionForm:
    """The decision form as it was sent, so that it can be shown again as it was."""

    decision: str = ""
    rows: frozenset[str] = frozenset()
    tiles: frozenset[str] = frozenset()
    """The first rows of the tiles that are chosen with all their rows."""
    kinds: frozenset[str] = frozenset()
    reason: str = ""
    statement: str = ""
    ready: bool = False
    """The ready words of the reason go with the statement."""
    tier: str = ""
    seen: int | None = None
    """`state_seq` of the request as it was shown."""
    groups: tuple[RowGroup, ...] = field(default=(), repr=False)

    @classmethod
    def read(cls, data: QueryDict, groups: Iterable[RowGroup]) -> "DecisionForm":
        """Take the fields from a POST."""
        return cls(
            decision=data.get("decision", ""),
            rows=frozenset(data.getlist("approve")),
            tiles=frozenset(data.getlist("approve_group")),
            kinds=frozenset(data.getlist("approve_kind")),
            reason=data.get("reason", ""),
            statement=data.get("statement", "").replace("\r\n", "\n"),
            ready=data.get("ready") == "yes",
            tier=data.get("tier", ""),
            seen=int(seen) if _SEQ.fullmatch(seen := data.get("seen", "")) else None,
            groups=tuple(groups),
        )

    def approved(self) -> Collection[uuid.UUID]:
        """Return the rows to approve: those ticked, all of a ticked tile, all of a ticked kind.

        Raises:
            DecisionInvalid: the button pressed and the rows ticked contradict each other.
        """
        chosen = {
            row.id
            for group in self.groups
            for row in group.rows
            if str(row.id) in self.rows or row.kind in self.kinds or self.takes(group)
        }
        known = {str(row.id) for group in self.groups for row in group.rows}
        if not self.rows | self.tiles <= known:
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

    def takes(self, group: RowGroup) -> bool:
        """Tell whether a tile is ticked, by itself or with its kind."""
        return str(group.first.id) in self.tiles or group.kind.value in self.kinds

    def words(self, language: str) -> str:
        """Return what the person is told beside the reason, in the language they wrote in."""
        if not self.ready:
            return self.statement
        ready = ready_statement(self.reason, language)
        return "\n\n".join(part for part in (ready, self.statement.strip()) if part)


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
