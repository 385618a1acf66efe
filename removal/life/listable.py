"""Which rows may be put on a list: those that it can name, and no escalated request's."""

from collections.abc import Collection

from removal.custody.content import FoundRow, row_opened
from removal.custody.sealing import PrivateKey
from removal.models import Candidate
from removal.selectors.escalated import tags_escalated


class DecisionInvalid(ValueError):
    """The decision or extension lacks something or contradicts itself; nothing was changed."""


def rows_listable(
    candidates: Collection[Candidate], case: PrivateKey
) -> tuple[tuple[Candidate, FoundRow], ...]:
    """Open rows that are to be listed.

    Raises:
        DecisionInvalid: no list may name one of them, or can.
    """
    if tags_escalated(bytes(one.row_tag) for one in candidates):
        raise DecisionInvalid(
            "A chosen row was escalated with another request, so no list may name it: leave it "
            "out, or escalate this request too."
        )
    opened = tuple((candidate, row_opened(candidate, case)) for candidate in candidates)
    if not all(row.nameable for _, row in opened):
        raise DecisionInvalid(
            "A chosen row has neither a URL nor a recorded digest, so no list can name it: "
            "leave it out, and have it removed from the dataset by hand."
        )
    return opened
