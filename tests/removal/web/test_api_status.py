"""What a receipt opens at the API: each act, each refusal, by the same rules as the pages."""

import base64
import io
import json
import uuid
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from PIL import Image

from removal.api.status_shapes import RequestStatus
from removal.custody import receipts
from removal.life.messages import message_send
from removal.models import Message, Question, State
from tests.removal import factories
from tests.removal.factories import Case, match
from tests.removal.web.test_api import fits, is_problem
from tests.removal.web.test_status_acts import asked  # noqa: F401  # a fixture

BASE = "/api/v1/status/"
CALLS = ["", "answer/", "messages/", "photo/delete/", "withdraw/", "appeal/", "proof/"]


def send(client: Client, call: str, body: Any) -> Any:
    return client.post(BASE + call, json.dumps(body), content_type="application/json")


def told(client: Client, call: str, body: Any) -> Any:
    """Call, and return the status that it answers."""
    answer = send(client, call, body)
    assert answer.status_code == 200, answer.content
    assert answer.headers["Cache-Control"] == "no-store"
    fits(answer.json(), RequestStatus())
    return answer.json()


@pytest.mark.parametrize(
    "make",
    [
        factories.received,
        factories.in_review,
        factories.no_match,
        factories.decided,
        factories.released,
    ],
)
def test_status_has_its_shape_in_every_state(visitor: Client, make: Any) -> None:
    told(visitor, "", {"receipt": make().receipt})


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("body", [{}, {"receipt": ""}, {"receipt": 5}, [], "text", None])
def test_missing_receipt(visitor: Client, call: str, body: Any) -> None:
    is_problem(send(visitor, call, body), 400, "receipt_missing")


@pytest.mark.parametrize("call", CALLS)
def test_mistyped_and_unknown_receipts(visitor: Client, call: str) -> None:
    is_problem(send(visitor, call, {"receipt": "ABCDE"}), 400, "receipt_mistyped")
    unknown = [send(visitor, call, {"receipt": receipts.mint()}) for _ in range(2)]
    is_problem(unknown[0], 404, "receipt_unknown")
    assert unknown[0].content == unknown[1].content


def test_a_question_and_its_answer(visitor: Client, asked: Case) -> None:  # noqa: F811
    receipt = {"receipt": asked.receipt}
    status = told(visitor, "", receipt)
    [question] = status["questions"]
    assert (status["state"], question["mine"]) == ("needs_info", None)
    assert status["acts"] == ["answer", "message", "photo_delete", "withdraw"]
    picture = base64.b64decode(question["tile"].removeprefix("data:image/png;base64,"))
    assert max(Image.open(io.BytesIO(picture)).size) <= 16
    after = told(visitor, "answer/", {**receipt, "question": question["id"], "mine": True})
    assert after["questions"][0]["mine"] is True
    assert (after["state"], after["answer_due_on"]) == ("in_review", None)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"mine": True}, "question_unknown"),
        ({"question": 7, "mine": True}, "question_unknown"),
        ({"question": "7", "mine": True}, "question_unknown"),
        ({"question": str(uuid.uuid4()), "mine": True}, "question_unknown"),
        ({"question": str(uuid.uuid4())}, "answer_missing"),
        ({"question": str(uuid.uuid4()), "mine": 1}, "answer_missing"),
        ({"question": str(uuid.uuid4()), "mine": []}, "answer_missing"),
    ],
)
def test_answers_that_are_none(
    visitor: Client,
    asked: Case,  # noqa: F811
    fields: dict[str, Any],
    code: str,
) -> None:
    is_problem(send(visitor, "answer/", {"receipt": asked.receipt, **fields}), 400, code)
    assert Question.objects.get().mine is None


def test_answering_when_nothing_is_asked(visitor: Client) -> None:
    body = {"receipt": factories.in_review().receipt, "question": str(uuid.uuid4()), "mine": False}
    is_problem(send(visitor, "answer/", body), 409, "state_forbids")


def test_messages_both_ways(visitor: Client) -> None:
    case = factories.in_review()
    message_send(request_id=case.request_id, reviewer=factories.staff_user(), text="Which one?")
    status = told(visitor, "messages/", {"receipt": case.receipt, "text": " The left one. "})
    said = [(message["from"], message["text"]) for message in status["messages"]]
    assert said == [("maintainer", "Which one?"), ("you", "The left one.")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, "words_missing"),
        (["a"], "words_missing"),
        (" \n\x00 ", "words_missing"),
        ("x" * 2001, "words_too_long"),
        ("\ud800", "words_unreadable"),
    ],
)
def test_words_that_cannot_be_taken(visitor: Client, text: Any, code: str) -> None:
    case = factories.in_review()
    for call in ("messages/", "appeal/"):
        longer = text * 2 if isinstance(text, str) and len(text) > 9 else text
        is_problem(send(visitor, call, {"receipt": case.receipt, "text": longer}), 400, code)
    assert not Message.objects.exists()


def test_a_withdrawn_request_takes_no_words(visitor: Client) -> None:
    receipt = {"receipt": factories.in_review().receipt}
    told(visitor, "withdraw/", receipt)
    answer = send(visitor, "messages/", {**receipt, "text": "Wait"})
    is_problem(answer, 409, "conversation_closed")


def test_withdraw_once(visitor: Client) -> None:
    case = factories.in_review()
    status = told(visitor, "withdraw/", {"receipt": case.receipt})
    assert (status["state"], "withdraw" in status["acts"]) == ("withdrawn", False)
    assert case.request.state == State.WITHDRAWN
    again = send(visitor, "withdraw/", {"receipt": case.receipt})
    is_problem(again, 409, "state_forbids")


@pytest.mark.django_db(transaction=True)
def test_photos_go_at_once_and_once(visitor: Client) -> None:
    receipt = {"receipt": factories.in_review().receipt}
    [photo] = told(visitor, "photo/delete/", receipt)["photos"]
    assert (photo["state"], photo["deletes_on"]) == ("deleted", None)
    assert photo["deleted_on"]
    is_problem(send(visitor, "photo/delete/", receipt), 409, "state_forbids")


def test_one_appeal(visitor: Client) -> None:
    receipt = {"receipt": factories.decided(approve=(), reason="unfounded").receipt}
    before = told(visitor, "", receipt)
    assert "appeal" in before["acts"]
    assert before["appeal_until"] > before["decision"]["decided_on"]
    status = told(visitor, "appeal/", {**receipt, "text": "It is me."})
    assert (status["state"], status["appeal"]["text"]) == ("in_review", "It is me.")
    again = send(visitor, "appeal/", {**receipt, "text": "Again."})
    is_problem(again, 409, "appealed_before")


def test_nothing_to_appeal(visitor: Client) -> None:
    receipt = {"receipt": factories.decided().receipt}
    answer = send(visitor, "appeal/", {**receipt, "text": "More."})
    is_problem(answer, 409, "nothing_to_appeal")


def test_no_proof_before_a_release(visitor: Client) -> None:
    receipt = {"receipt": factories.decided().receipt}
    is_problem(send(visitor, "proof/", receipt), 409, "not_released")


def test_parts_of_a_photo_that_were_found(visitor: Client) -> None:
    near, far = (0.1, 0.2, 0.5, 0.6), (0.11, 0.21, 0.51, 0.61)
    whole = (0.0, 0.0, 1.0, 1.0)
    found = [
        replace(one, evidence=replace(one.evidence, box=box))
        for one, box in [
            (match("copy", key="000000001"), near),
            (match("copy", key="000000002"), far),
            (match("exact", key="000000003"), None),
            (match("similar", key="000000004"), (0.9, 0.9, 1.0, 1.0)),
        ]
    ]
    case = factories.in_review(found)
    [photo] = told(visitor, "", {"receipt": case.receipt})["photos"]
    assert photo["matched"] == [list(whole), list(near)]


def test_a_photo_that_was_found_by_look_alikes_alone_matched_nothing(visitor: Client) -> None:
    case = factories.in_review([match("similar")])
    [photo] = told(visitor, "", {"receipt": case.receipt})["photos"]
    assert photo["matched"] is None


def test_forms_work_as_well_as_json(visitor: Client, asked: Case) -> None:  # noqa: F811
    question = Question.objects.get()
    fields = {"receipt": asked.receipt, "question": str(question.pk), "mine": "false"}
    assert visitor.post(BASE + "answer/", fields).status_code == 415  # multipart is for photos
    answer = visitor.post(
        BASE + "answer/",
        f"receipt={asked.receipt}&question={question.pk}&mine=false",
        content_type="application/x-www-form-urlencoded",
    )
    assert answer.json()["questions"][0]["mine"] is False
