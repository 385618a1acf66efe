"""What a subject does in their session: each act, its refusals, and the pages that ask again."""

import re
import uuid
from typing import Any

import pytest
from django.test import Client

from removal.life import questions
from removal.life.messages import message_send
from removal.models import Message, Photo, Question, State, SubjectSession
from tests.removal import factories
from tests.removal.factories import Case
from tests.removal.web.following import noted, shown

ACTS = ["answer", "messages", "photo/delete", "withdraw", "appeal"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Case:
    """A request whose subject was asked about its one look-alike."""
    monkeypatch.setattr(questions, "row_picture", lambda *_: factories.photo_bytes(5))
    case = factories.in_review()
    similar = [one.pk for one in case.candidates if one.kind == "similar"]
    questions.question_put(
        request_id=case.request_id,
        reviewer=factories.staff_user(),
        candidate_ids=similar,
        text="Is this <you>?",
    )
    return case


def test_a_question_is_a_tiny_tile_with_two_answers(visitor: Client, asked: Case) -> None:
    text = shown(visitor, asked.receipt)
    assert "We have a question for you" in text
    assert "Is this &lt;you&gt;?" in text
    [question] = Question.objects.all()
    assert str(question.candidate_id) not in text
    fields = {"question": str(question.pk), "mine": "no"}
    after = noted(visitor, "/status/answer/", fields)
    assert "Your answer has been saved" in after
    assert "You said: this is not me." in after
    assert asked.request.state == State.IN_REVIEW
    again = visitor.post("/status/answer/", fields)
    assert again.status_code == 409


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 400),
        ({"question": "nonsense", "mine": "yes"}, 400),
        ({"question": str(uuid.uuid4()), "mine": "yes"}, 400),
        ({"question": str(uuid.uuid4()), "mine": "perhaps"}, 400),
    ],
)
def test_answers_that_are_none(
    visitor: Client, asked: Case, fields: dict[str, str], status: int
) -> None:
    shown(visitor, asked.receipt)
    answer = visitor.post("/status/answer/", fields)
    assert answer.status_code == status
    assert 'href="#questions"' in answer.content.decode()
    assert asked.request.state == State.NEEDS_INFO


def test_a_question_of_somebody_else_is_no_question(visitor: Client, asked: Case) -> None:
    [question] = Question.objects.all()
    shown(visitor, factories.in_review().receipt)
    answer = visitor.post("/status/answer/", {"question": str(question.pk), "mine": "yes"})
    assert answer.status_code == 409
    question.refresh_from_db()
    assert question.mine is None


def test_messages_go_both_ways_as_plain_text(visitor: Client) -> None:
    case = factories.in_review()
    message_send(
        request_id=case.request_id, reviewer=factories.staff_user(), text="Which <b>one</b>?"
    )
    assert "Which &lt;b&gt;one&lt;/b&gt;?" in shown(visitor, case.receipt)
    after = noted(visitor, "/status/messages/", {"text": "The left one.\r\nNá pravo."})
    assert "Your message has been sent." in after
    assert "The left one.<br>Ná pravo." in after
    once = visitor.get("/status/").content.decode()
    assert "Your message has been sent." not in once


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 2001])
def test_a_message_that_cannot_be_taken_is_given_back(visitor: Client, text: str) -> None:
    shown(visitor, factories.in_review().receipt)
    answer = visitor.post("/status/messages/", {"text": text})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert 'href="#id_text"' in page
    assert 'aria-invalid="true"' in page
    assert text.strip() in page
    assert not Message.objects.exists()


def test_words_that_came_too_late_for_the_session_are_given_back(visitor: Client) -> None:
    shown(visitor, factories.in_review().receipt)
    SubjectSession.objects.all().delete()
    answer = visitor.post("/status/messages/", {"text": "Long <and> dear."})
    page = answer.content.decode()
    assert answer.status_code == 403
    assert "Your words were not sent" in page
    assert "Long &lt;and&gt; dear." in page


@pytest.mark.django_db(transaction=True)
def test_deleting_the_photos_asks_again_and_then_does_it(visitor: Client) -> None:
    case = factories.in_review()
    assert 'href="/status/photo/delete/"' in shown(visitor, case.receipt)
    page = visitor.get("/status/photo/delete/").content.decode()
    assert "They are deleted by themselves on" in page
    assert case.request.photos.get().state == Photo.State.HELD
    after = noted(visitor, "/status/photo/delete/", {})
    assert "Your photos have been deleted." in after
    assert "Photo 1: deleted on" in after
    assert case.request.state == State.IN_REVIEW
    assert visitor.post("/status/photo/delete/").status_code == 409
    assert visitor.get("/status/photo/delete/").status_code == 302


def test_deleting_before_the_search_is_over_says_what_it_costs(visitor: Client) -> None:
    shown(visitor, factories.received().receipt)
    page = visitor.get("/status/photo/delete/").content.decode()
    assert "Without the photos it stops" in page


@pytest.mark.django_db(transaction=True)
def test_withdrawing_asks_again_and_then_ends_the_request(visitor: Client) -> None:
    case = factories.in_review()
    shown(visitor, case.receipt)
    assert "cannot be undone" in visitor.get("/status/withdraw/").content.decode()
    after = noted(visitor, "/status/withdraw/", {})
    assert "You have taken the request back" in after
    assert "Photo 1: deleted on" in after
    assert 'href="/status/withdraw/"' not in after
    assert case.request.state == State.WITHDRAWN


def test_a_decided_request_cannot_be_taken_back(visitor: Client) -> None:
    case = factories.decided()
    shown(visitor, case.receipt)
    assert visitor.get("/status/withdraw/").status_code == 302
    answer = visitor.post("/status/withdraw/")
    assert answer.status_code == 409
    assert 'role="alert"' in answer.content.decode()
    assert case.request.state == State.APPROVED


def test_one_appeal(visitor: Client) -> None:
    case = factories.decided(approve=(), reason="unfounded")
    shown(visitor, case.receipt)
    assert "You have one" in visitor.get("/status/appeal/").content.decode()
    empty = visitor.post("/status/appeal/", {"text": " "})
    assert empty.status_code == 400
    assert 'href="#id_text"' in empty.content.decode()
    after = noted(visitor, "/status/appeal/", {"text": "It <is> me."})
    assert "Your appeal has been received" in after
    assert "You appealed" in after
    assert "It &lt;is&gt; me." in after
    assert "One month from your appeal." in after
    assert case.request.state == State.IN_REVIEW
    again = visitor.post("/status/appeal/", {"text": "Again."})
    assert again.status_code == 409


@pytest.mark.parametrize("act", ACTS)
def test_acts_need_a_session(visitor: Client, act: str) -> None:
    case = factories.in_review()
    assert visitor.get(f"/status/{act}/").headers["Location"] == "/status/"
    answer = visitor.post(f"/status/{act}/", {"receipt": case.receipt, "text": ""})
    assert answer.status_code == 403
    assert "Receipt code" in answer.content.decode()
    assert case.request.state == State.IN_REVIEW


@pytest.mark.parametrize("act", [*ACTS, "leave"])
def test_another_site_cannot_act(visitor: Client, act: str) -> None:
    case = factories.in_review()
    shown(visitor, case.receipt)
    answer = visitor.post(f"/status/{act}/", {}, headers={"Sec-Fetch-Site": "same-site"})
    assert answer.status_code == 403
    assert case.request.state == State.IN_REVIEW
    assert SubjectSession.objects.count() == 1


def test_a_crafted_notice_says_nothing_of_its_own(visitor: Client) -> None:
    shown(visitor, factories.in_review().receipt)
    visitor.cookies["status-note"] = "<b>You owe us money</b>"
    assert "money" not in visitor.get("/status/").content.decode()


@pytest.mark.parametrize("make", [factories.received, factories.in_review, factories.decided])
def test_each_form_and_link_of_the_page_leads_somewhere(visitor: Client, make: Any) -> None:
    text = shown(visitor, make().receipt)
    for path in re.findall(r'(?:href|src)="(/status/[^"#]*)"', text):
        assert visitor.get(path).status_code == 200, path
    for path in re.findall(r'action="([^"]+)"', text):
        assert path.startswith("/status/")
