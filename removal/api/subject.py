"""What a receipt opens: the status, and what its holder can do.

The receipt comes in the body of each call; there is no session and no cookie. Every act calls the
writer that the pages call, and answers with the status that it led to.
"""

import uuid
from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.parsers import FormParser, JSONParser
from rest_framework.request import Request
from rest_framework.response import Response

from removal.api import examples
from removal.api import serializers as shapes
from removal.api.examples import FORBIDDEN, MISTYPED, UNKNOWN, answered, asked
from removal.api.problems import PROBLEMS, Problem
from removal.api.status_shapes import RequestStatus
from removal.api.views import ApiView, problems
from removal.custody.receipts import ReceiptMistyped
from removal.life.acts import status_told
from removal.life.appeals import request_appeal
from removal.life.messages import message_post
from removal.life.plaintext import WordsInvalid
from removal.life.questions import question_answer
from removal.life.review import photos_delete_now, request_withdraw
from removal.lifecycle import TransitionRefused
from removal.selectors import OpenedRequest, ReceiptUnknown, request_open

_RECEIPT = {"receipt": examples.RECEIPT}
_READS = (400, 403, 404, 406, 411, 413, 415, 503)
_ANSWERS: dict[Any, Any] = {200: RequestStatus, **problems(*_READS, 409)}
_REFUSED = [MISTYPED, UNKNOWN, FORBIDDEN]


class SubjectView(ApiView):
    """What all calls share that a receipt opens."""

    parser_classes = (JSONParser, FormParser)

    def acted(self, opened: OpenedRequest, act: Callable[[], object]) -> Response:
        """Act, and answer with the status.

        Raises:
            Problem: what was sent cannot be taken, or the state forbids it.
        """
        try:
            act()
        except WordsInvalid as invalid:
            raise Problem(invalid.code, str(invalid)) from None
        except TransitionRefused as refusal:
            code = getattr(refusal, "code", "state_forbids")
            raise Problem(code if code in PROBLEMS else "state_forbids", str(refusal)) from None
        return Response(status_told(opened=opened))


class StatusView(SubjectView):
    """What a receipt opens."""

    @extend_schema(
        operation_id="status",
        request=shapes.ReceiptBody,
        responses={200: RequestStatus, **problems(*_READS)},
        examples=[
            *asked("The receipt", _RECEIPT),
            answered("A question is put", examples.STATUS),
            answered("Removed", examples.DECIDED),
            MISTYPED,
            UNKNOWN,
        ],
    )
    def post(self, request: Request) -> Response:
        """See what was searched, found and decided."""
        return Response(status_told(opened=opened_of(request)))


class AnswerView(SubjectView):
    """Answering a question."""

    @extend_schema(
        operation_id="status_answer",
        request=shapes.AnswerBody,
        responses=_ANSWERS,
        examples=[
            *asked("Not me", {**_RECEIPT, "question": examples.QUESTION, "mine": False}),
            answered("The last answer", examples.ANSWERED),
            *_REFUSED,
        ],
    )
    def post(self, request: Request) -> Response:
        """Say whether the tile of a question shows you.

        The last answer sends the request back to review; until then an answer can be changed.
        """
        opened = opened_of(request)
        question, mine = _uuid(_field(request, "question")), _truth(_field(request, "mine"))
        return self.acted(
            opened, lambda: question_answer(opened=opened, question=question, mine=mine)
        )


class MessagesView(SubjectView):
    """Writing to the maintainers."""

    @extend_schema(
        operation_id="status_messages",
        request=shapes.MessageBody,
        responses=_ANSWERS,
        examples=[
            *asked("A message", {**_RECEIPT, "text": "It was taken in 2019."}),
            answered("It is sent", examples.WRITTEN),
            *_REFUSED,
        ],
    )
    def post(self, request: Request) -> Response:
        """Send a message in plain text."""
        opened, text = opened_of(request), _text(request)
        return self.acted(opened, lambda: message_post(opened=opened, text=text))


class PhotoDeleteView(SubjectView):
    """Deleting the photos."""

    @extend_schema(
        operation_id="status_photo_delete",
        request=shapes.ReceiptBody,
        responses=_ANSWERS,
        examples=[
            *asked("The receipt", _RECEIPT),
            answered("They are deleted", examples.PHOTOS_DELETED),
            *_REFUSED,
        ],
    )
    def post(self, request: Request) -> Response:
        """Delete the photos and their fingerprints now; a search that goes on is given up."""
        opened = opened_of(request)
        return self.acted(opened, lambda: photos_delete_now(opened=opened))


class WithdrawView(SubjectView):
    """Taking a request back."""

    @extend_schema(
        operation_id="status_withdraw",
        request=shapes.ReceiptBody,
        responses=_ANSWERS,
        examples=[
            *asked("The receipt", _RECEIPT),
            answered("It is withdrawn", examples.WITHDRAWN),
            *_REFUSED,
        ],
    )
    def post(self, request: Request) -> Response:
        """Take the request back: its photos are deleted at once."""
        opened = opened_of(request)
        return self.acted(opened, lambda: request_withdraw(opened=opened))


class AppealView(SubjectView):
    """Appealing."""

    @extend_schema(
        operation_id="status_appeal",
        request=shapes.AppealBody,
        responses=_ANSWERS,
        examples=[
            *asked("An appeal", {**_RECEIPT, "text": "It is me: look at the scar."}),
            answered("It is looked at again", examples.APPEALED),
            *_REFUSED,
        ],
    )
    def post(self, request: Request) -> Response:
        """Have a decided request looked at again: once, within 14 days."""
        opened, text = opened_of(request), _text(request)
        return self.acted(opened, lambda: request_appeal(opened=opened, text=text))


def opened_of(request: Request) -> OpenedRequest:
    """Open the request whose receipt was sent.

    Raises:
        Problem: it is missing, mistyped or unknown.
    """
    receipt = _field(request, "receipt")
    if not isinstance(receipt, str) or not receipt.strip():
        raise Problem("receipt_missing", "Send the receipt code as a text in the field `receipt`.")
    try:
        return request_open(receipt=receipt)
    except ReceiptMistyped as mistyped:
        raise Problem("receipt_mistyped", str(mistyped)) from None
    except ReceiptUnknown as unknown:
        raise Problem("receipt_unknown", str(unknown)) from None


def _field(request: Request, name: str) -> Any:
    try:
        data = request.data
    except RecursionError:  # JSON nested deeper than Python's parser goes
        raise ParseError from None
    return data.get(name) if hasattr(data, "get") else None


def _text(request: Request) -> str:
    text = _field(request, "text")
    if not isinstance(text, str):
        raise Problem("words_missing", "Send your words as a text in the field `text`.")
    return text


def _uuid(value: Any) -> uuid.UUID:
    try:
        return uuid.UUID(value)
    except (ValueError, TypeError, AttributeError):
        raise Problem(
            "question_unknown", "Send the `id` of one of the status's questions as `question`."
        ) from None


def _truth(value: Any) -> bool:
    """Read a truth value: JSON's own, or as a form spells it."""
    known = {True: True, False: False, "true": True, "false": False}
    if not isinstance(value, bool | str) or value not in known:
        raise Problem("answer_missing", "Send `mine` as true or false.")
    return known[value]
