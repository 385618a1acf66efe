"""Messages and questions of a request, opened with its `case` key: for either side alike."""

import datetime as dt
import uuid
from dataclasses import dataclass, field

from removal.custody import content
from removal.custody.sealing import Place, PrivateKey
from removal.models import Purpose, RemovalRequest


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message.

    Attributes:
        author: a value of `Author`.
        day: when it was written.
        text: plain text.
    """

    author: str
    day: dt.date
    text: str


@dataclass(frozen=True, slots=True)
class QuestionView:
    """One question about a look-alike row.

    Attributes:
        id: all that the subject is told beside the tile.
        candidate: the row, for maintainers alone.
        tile: a PNG of at most 16 by 16 pixels.
        mine: what the subject answered; None while they have not.
        asked_on, answered_on: days.
    """

    id: uuid.UUID
    candidate: uuid.UUID
    tile: bytes = field(repr=False)
    mine: bool | None
    asked_on: dt.date
    answered_on: dt.date | None


def messages_read(request: RemovalRequest, case: PrivateKey | None) -> tuple[MessageView, ...]:
    """Return the conversation in order; nothing without the key."""
    if case is None:
        return ()
    return tuple(
        MessageView(
            author=message.author,
            day=message.day,
            text=case.open(
                message.sealed, Place(request.pk, Purpose.CASE, content.message_item(message.pk))
            ).decode(),
        )
        for message in request.messages.all()
    )


def questions_read(request: RemovalRequest, case: PrivateKey | None) -> tuple[QuestionView, ...]:
    """Return the questions, the oldest first; nothing without the key."""
    if case is None:
        return ()
    return tuple(
        QuestionView(
            id=question.pk,
            candidate=question.candidate_id,
            tile=case.open(
                question.tile_sealed,
                Place(request.pk, Purpose.CASE, content.tile_item(question.pk)),
            ),
            mine=question.mine,
            asked_on=question.asked_on,
            answered_on=question.answered_on,
        )
        for question in request.questions.order_by("asked_on", "pk")
    )
