"""Messages, both ways: plain text, sealed under `case`, bounded in length and number.

Either side writes while the request is open, until an approved request is in a release, and for
`TALK_DAYS` after closing; a withdrawn or expired request is at rest. Writing locks the request's
row first and writes its audit entry last, so that no limit can be raced. The entries say that
something was written, never what.
"""

import datetime as dt
import uuid
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from removal import audit
from removal.custody import content
from removal.custody.sealing import seal
from removal.life.plaintext import WordsInvalid, plain_text
from removal.lifecycle import OPEN, TransitionRefused
from removal.models import Author, Message, Purpose, RemovalRequest, State, today
from removal.selectors.desk import request_found
from removal.selectors.subject import OpenedRequest

MESSAGE_MAX: Final = 2000
UNANSWERED_MAX: Final = 10
"""How many messages in a row the subject can leave before a maintainer writes."""
MESSAGES_MAX: Final = 200
TALK_DAYS: Final = 14
_CLOSED_BUT_TALKING: Final = frozenset({State.DENIED, State.NO_MATCH, State.RELEASED})
_WAITS_FOR_RELEASE: Final = frozenset({State.APPROVED, State.PARTLY_APPROVED})


class ConversationInvalid(WordsInvalid):
    """The words or the question cannot be taken; nothing was kept.

    Attributes:
        code: as in `WordsInvalid`, or `question_unknown`, `rows_not_similar`, `asked_before`,
            `too_many_questions`, `no_picture`.
    """


class ConversationRefused(TransitionRefused):
    """The state forbids words, or enough of them wait to be answered.

    Attributes:
        code: `conversation_closed` or `too_many_messages`.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__("message_posted", sentence)
        self.code = code


def conversation_open(request: RemovalRequest) -> bool:
    """Tell whether messages can be written to or by the subject of a request."""
    if request.case_deleted_on is not None:
        return False
    if request.state in OPEN | _WAITS_FOR_RELEASE:
        return True
    last = request.closed_on and request.closed_on + dt.timedelta(days=TALK_DAYS)
    return request.state in _CLOSED_BUT_TALKING and last is not None and today() <= last


def message_post(*, opened: OpenedRequest, text: str) -> None:
    """Take a message from the subject.

    Raises:
        ConversationInvalid: no words, or too many.
        ConversationRefused: the conversation is over, or too many messages wait for an answer.
    """
    words = plain_text(text, limit=MESSAGE_MAX, refusal=ConversationInvalid)
    with transaction.atomic():
        request = _talking(opened.request_id)
        _patience_check(request)
        message_add(request, Author.SUBJECT, words)
        audit.audit_append(
            act="message_posted", actor=audit.SUBJECT, tag=audit.subject_tag(request)
        )


def message_send(*, request_id: uuid.UUID, reviewer: User, text: str) -> None:
    """Send a message to the subject.

    Raises:
        ConversationInvalid, ConversationRefused: see `message_post`.
        RequestGone: there is no such request.
    """
    words = plain_text(text, limit=MESSAGE_MAX, refusal=ConversationInvalid)
    request_found(request_id)
    with transaction.atomic():
        request = _talking(request_id)
        message_add(request, Author.MAINTAINER, words)
        audit.audit_append(
            act="message_sent", actor=audit.staff(reviewer.pk), tag=audit.subject_tag(request)
        )


def _talking(request_id: uuid.UUID) -> RemovalRequest:
    """Return the request with its row locked, where words can still be added."""
    request = RemovalRequest.objects.select_for_update().filter(pk=request_id).first()
    if request is None or not conversation_open(request):
        raise ConversationRefused(
            "conversation_closed",
            _(
                "The conversation about this request is over. If something is still wrong, send "
                "a new request."
            ),
        )
    if request.messages.count() >= MESSAGES_MAX:
        raise ConversationRefused(
            "too_many_messages", _("This conversation has reached its greatest length.")
        )
    return request


def _patience_check(request: RemovalRequest) -> None:
    theirs = request.messages.filter(author=Author.MAINTAINER).order_by("-n").first()
    waiting = request.messages.filter(n__gt=theirs.n if theirs else 0).count()
    if waiting >= UNANSWERED_MAX:
        raise ConversationRefused(
            "too_many_messages",
            _("Your last messages wait for an answer. You can write again once we have written."),
        )


def message_add(request: RemovalRequest, author: Author, words: str) -> None:
    """Add a message; the caller holds the request's row."""
    last = request.messages.order_by("-n").first()
    message = Message(request=request, n=last.n + 1 if last else 1, author=author, day=today())
    item = content.message_item(message.pk)
    message.sealed = seal(request.pk, Purpose.CASE, item, words.encode())
    message.save(force_insert=True)
