"""What a maintainer says to the person in the admin, and what they see of the answers."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from removal.life import appeals
from removal.life.messages import message_post
from removal.life.questions import question_answer
from removal.models import AuditEntry, Question, State
from tests.removal import factories
from tests.removal.factories import Case

QUEUE = "/admin/removal/removalrequest/"


@pytest.fixture(autouse=True)
def _at_once(settings: Any) -> None:
    """Let what is decided take effect at once."""
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 0})


@pytest.fixture(autouse=True)
def _pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = factories.photo_bytes(3, side=200)
    monkeypatch.setattr("removal.life.questions.row_picture", lambda *row: picture)


def _page(maintainer: Client, case: Case) -> str:
    return maintainer.get(f"{QUEUE}{case.request_id}/change/").content.decode()


def _send(maintainer: Client, case: Case, **fields: Any) -> Any:
    return maintainer.post(f"{QUEUE}{case.request_id}/message/", fields, follow=True)


def _ask(maintainer: Client, case: Case, **fields: Any) -> Any:
    return maintainer.post(f"{QUEUE}{case.request_id}/question/", fields, follow=True)


def test_messages_go_both_ways_as_plain_text(maintainer: Client) -> None:
    case = factories.in_review()
    message_post(opened=case.opened(), text="my <b>words</b>\nsecond line")
    assert "?show=written" in maintainer.get("/admin/").content.decode()
    listed = maintainer.get(f"{QUEUE}?show=written").content.decode()
    assert str(case.request_id)[:8] in listed
    assert re.search(r'class="field-news">message<', listed)
    text = _page(maintainer, case)
    assert "my &lt;b&gt;words&lt;/b&gt;<br>second line" in text
    answer = _send(maintainer, case, message="our <answer>").content.decode()
    assert "our &lt;answer&gt;" in answer
    assert "on the person&#x27;s status page" in answer
    assert AuditEntry.objects.latest("seq").act == "message_sent"
    assert str(case.request_id)[:8] not in maintainer.get(f"{QUEUE}?show=written").content.decode()


def test_words_that_are_refused_come_back(maintainer: Client) -> None:
    case = factories.in_review()
    answer = _send(maintainer, case, message="x" * 2001)
    assert answer.status_code == 400
    assert "shorten it to 2,000" in answer.content.decode()
    assert "x" * 2001 in answer.content.decode()
    assert _send(maintainer, case, message=" ").status_code == 400


def test_a_question_is_put_about_ticked_rows(maintainer: Client) -> None:
    case = factories.in_review()
    row = case.candidates[2].pk
    text = _page(maintainer, case)
    boxes = re.findall(r'<input type="checkbox" name="ask" value="([^"]+)" form="ask"', text)
    assert boxes == [str(row)]
    answer = _ask(maintainer, case, ask=str(row), question="Is this you?")
    assert case.request.state == State.NEEDS_INFO
    text = answer.content.decode()
    assert "Is this you?" in text
    assert "no answer yet" in text
    assert "0 of 1 answered" in text
    assert 'src="data:image/png;base64,' in text
    assert "The search has not finished" not in text
    assert str(case.request_id)[:8] in maintainer.get(f"{QUEUE}?show=asked").content.decode()
    question_answer(opened=case.opened(), question=Question.objects.get().pk, mine=False)
    text = _page(maintainer, case)
    assert "“not me”" in text
    assert 'name="ask"' not in text
    assert "The person answered the last question" in text


def test_a_question_that_cannot_be_put_says_why_and_keeps_the_form(
    maintainer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = factories.in_review()
    row = str(case.candidates[2].pk)
    assert _ask(maintainer, case, question="words").status_code == 400
    assert _ask(maintainer, case, ask="nonsense").status_code == 400
    assert _ask(maintainer, case, ask=str(case.candidates[0].pk)).status_code == 400
    monkeypatch.setattr("removal.life.questions.row_picture", lambda *row: None)
    answer = _ask(maintainer, case, ask=row, question="keep <me>")
    text = answer.content.decode()
    assert answer.status_code == 400
    assert "no picture of a chosen row" in text
    assert "keep &lt;me&gt;" in text
    assert re.search(rf'name="ask" value="{row}" form="ask" checked', text)
    assert case.request.state == State.IN_REVIEW


def test_nothing_is_said_about_a_request_at_rest(maintainer: Client) -> None:
    case = factories.in_review()
    type(case.request).objects.update(state=State.WITHDRAWN)
    assert 'name="message"' not in _page(maintainer, case)
    assert _send(maintainer, case, message="words").status_code == 409
    assert _ask(maintainer, case, ask=str(case.candidates[2].pk)).status_code == 409
    gone = f"{QUEUE}00000000-0000-4000-8000-000000000000"
    assert maintainer.post(f"{gone}/message/", {"message": "x"}).status_code == 404
    assert maintainer.post(f"{gone}/question/").status_code == 404


def test_staff_without_the_right_say_nothing() -> None:
    case = factories.in_review()
    clerk = Client()
    factories.sign_in(clerk, User.objects.create_user("clerk", password="x", is_staff=True))
    for name in ("message", "question"):
        answer = clerk.post(f"{QUEUE}{case.request_id}/{name}/", {"message": "words"})
        assert answer.status_code == 403
    assert not case.request.messages.exists()


def test_an_appeal_is_read_beside_the_first_decision(maintainer: Client) -> None:
    case = factories.decided(approve=(0,), reason="different_picture", statement="first words")
    appeals.request_appeal(opened=case.opened(), text="the <appeal>")
    text = _page(maintainer, case)
    for words in ("the &lt;appeal&gt;", "first words", "Partly approved", "different_picture"):
        assert words in text
    assert "let a colleague decide" in text
    assert "it stays on the list" in text
    listed = str(case.candidates[0].pk)
    assert f'name="approve" value="{listed}"' not in text
    assert "Extend the clock" not in text
    assert re.search(r'class="field-news">appeal<', maintainer.get(QUEUE).content.decode())
    fields = {"decision": "deny", "reason": "public_interest", "statement": "", "tier": ""}
    maintainer.post(f"{QUEUE}{case.request_id}/change/", fields)
    assert case.request.state == State.PARTLY_APPROVED


def test_a_page_that_is_out_of_date_decides_nothing(maintainer: Client) -> None:
    case = factories.in_review()
    seen = re.search(r'name="seen" value="(\d+)"', _page(maintainer, case))
    assert seen
    _ask(maintainer, case, ask=str(case.candidates[2].pk))
    question_answer(opened=case.opened(), question=Question.objects.get().pk, mine=True)
    fields = {"decision": "deny", "reason": "unfounded", "seen": seen.group(1)}
    answer = maintainer.post(f"{QUEUE}{case.request_id}/change/", fields, follow=True)
    assert "has changed since you opened it" in answer.content.decode()
    assert case.request.state == State.IN_REVIEW
