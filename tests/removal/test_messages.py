"""Messages: who may write when, how much, and that nobody else reads them."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from removal.life import review
from removal.life.destroying import case_destroy, request_erase
from removal.life.messages import (
    MESSAGE_MAX,
    UNANSWERED_MAX,
    ConversationInvalid,
    ConversationRefused,
    conversation_open,
    message_post,
    message_send,
)
from removal.life.plaintext import WordsInvalid, plain_text
from removal.lifecycle import TransitionRefused
from removal.models import AuditEntry, Message, RemovalRequest, State, today
from removal.selectors import RequestGone, review_case
from removal.selectors.conversation import messages_read
from removal.selectors.subject import case_key
from tests.removal import factories
from tests.removal.factories import Case

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]
MARK = "marked words 7141"


def post(case: Case, text: str = MARK) -> None:
    message_post(opened=case.opened(), text=text)


def send(case: Case, text: str = MARK) -> None:
    message_send(request_id=case.request_id, reviewer=factories.staff_user(), text=text)


def read(case: Case) -> list[tuple[str, str]]:
    opened = case.opened()
    return [(one.author, one.text) for one in messages_read(opened.request, case_key(opened))]


def test_both_sides_write_and_read() -> None:
    case = factories.in_review()
    post(case, "  first\r\nline\x00 ")
    send(case, "second")
    post(case, "third")
    said = [("subject", "first\nline"), ("maintainer", "second"), ("subject", "third")]
    assert read(case) == said
    view = review_case(request_id=case.request_id, reviewer=factories.staff_user())
    assert [(one.author, one.text) for one in view.messages] == said
    assert [one.day for one in view.messages] == [today()] * 3
    entries = AuditEntry.objects.filter(act__startswith="message_")
    assert [(entry.act, entry.detail) for entry in entries] == [
        ("message_posted", {}),
        ("message_sent", {}),
        ("message_posted", {}),
    ]
    assert [entry.at is None for entry in entries] == [True, False, True]


def test_words_are_nowhere_in_clear() -> None:
    case = factories.in_review()
    post(case)
    stored = Message.objects.get()
    assert MARK.encode() not in bytes(stored.sealed)
    other = factories.in_review()
    post(other)
    Message.objects.filter(request=other.request_id).update(sealed=stored.sealed)
    with pytest.raises(Exception, match="not what was sealed here"):
        read(other)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "words_missing"),
        (" \n\x00\t ", "words_missing"),
        ("x" * (MESSAGE_MAX + 1), "words_too_long"),
        ("half a sign: \ud800", "words_unreadable"),
    ],
)
def test_what_is_no_message_is_refused(text: str, code: str) -> None:
    case = factories.in_review()
    for write in (post, send):
        with pytest.raises(ConversationInvalid) as refusal:
            write(case, text)
        assert refusal.value.code == code
    assert not Message.objects.exists()


@given(st.text(max_size=60))
def test_plain_text_is_stable_and_holds_no_control(text: str) -> None:
    try:
        kept = plain_text(text, limit=60)
    except WordsInvalid:
        return
    assert plain_text(kept, limit=60) == kept
    assert not {"\r", "\x00", "\x1b", "\x85"} & set(kept)
    kept.encode()


def test_the_subject_waits_for_an_answer_after_ten_messages() -> None:
    case = factories.in_review()
    for _ in range(UNANSWERED_MAX):
        post(case)
    with pytest.raises(ConversationRefused) as refusal:
        post(case)
    assert refusal.value.code == "too_many_messages"
    send(case)
    post(case)
    assert Message.objects.count() == UNANSWERED_MAX + 2


def test_a_conversation_has_a_greatest_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("removal.life.messages.MESSAGES_MAX", 3)
    case = factories.in_review()
    for write in (post, send, send):
        write(case)
    for write in (post, send):
        with pytest.raises(ConversationRefused, match="greatest length"):
            write(case)


def _closed(days: int, **changes: Any) -> Case:
    """Return a refused request that was closed some days ago."""
    case = factories.decided(approve=(), reason="public_interest")
    day = today() - dt.timedelta(days=days)
    RemovalRequest.objects.update(closed_on=day, decided_on=day, **changes)
    return case


@pytest.mark.parametrize(
    ("make", "open_"),
    [
        (factories.received, True),
        (factories.in_review, True),
        (factories.no_match, True),
        (factories.decided, True),
        (factories.released, True),
        (lambda: _closed(14), True),
        (lambda: _closed(15), False),
        (lambda: _closed(15, state=State.NO_MATCH), False),
        (lambda: _closed(15, state=State.RELEASED), False),
        (lambda: _closed(15, state=State.APPROVED), True),  # its release is not out
        (lambda: _closed(0, state=State.WITHDRAWN), False),
        (lambda: _closed(0, state=State.EXPIRED), False),
        (lambda: _closed(0, case_deleted_on=today()), False),
    ],
)
def test_words_go_while_the_request_lives(make: Callable[[], Case], open_: bool) -> None:
    case = make()
    assert conversation_open(case.request) is open_
    for write in (post, send):
        if open_:
            write(case)
            continue
        with pytest.raises(TransitionRefused, match="over"):
            write(case)
    assert Message.objects.count() == (2 if open_ else 0)


def test_a_message_to_nobody_is_said_to_be_one() -> None:
    case = factories.in_review()
    request_erase(case.request_id)
    with pytest.raises(RequestGone):
        send(case)


def test_messages_outlive_the_photo_and_die_with_the_case() -> None:
    case = factories.in_review()
    post(case)
    review.photos_delete_now(opened=case.opened())
    assert read(case) == [("subject", MARK)]
    case_destroy(case.request_id)
    assert read(case) == []
    assert not Message.objects.exists()
