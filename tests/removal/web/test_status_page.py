"""Following a request by its receipt, in every state, and taking it back."""

from collections.abc import Callable

import pytest
from django.test import Client

from removal import receipts
from removal.models import Photo, State
from tests.removal import factories
from tests.removal.factories import Case

STATES: list[tuple[Callable[[], Case], str, str]] = [
    (factories.received, "Received", "Waiting for the search to start"),
    (factories.in_review, "With a maintainer", "A maintainer is to look"),
    (factories.no_match, "Closed: nothing was found", "found no row that holds this picture"),
    (factories.decided, "Approved", "goes into the next removal list"),
    (
        lambda: factories.decided(approve=(), reason="unfounded", statement="Because <b>so</b>."),
        "Refused",
        "Because &lt;b&gt;so&lt;/b&gt;.",
    ),
    (
        lambda: factories.decided(approve=(0,), reason="different_picture"),
        "Partly approved",
        "stays in the dataset",
    ),
    (factories.released, "Removed", "In release 1."),
]


@pytest.mark.parametrize(("make", "state", "sentence"), STATES)
def test_status_in_plain_words(
    visitor: Client, make: Callable[[], Case], state: str, sentence: str
) -> None:
    answer = visitor.post("/status/", {"receipt": make().receipt})
    text = answer.content.decode()
    assert answer.status_code == 200
    assert f'<span class="state">{state}</span>' in text
    assert sentence in text
    assert "marked-url" not in text
    assert "000000001" not in text


def test_refusal_says_where_to_complain(visitor: Client) -> None:
    case = factories.decided(approve=(), reason="unfounded")
    text = visitor.post("/status/", {"receipt": case.receipt}).content.decode()
    assert "You can complain to" in text
    assert "manifestly unfounded" in text


def test_code_may_be_typed_loosely(visitor: Client) -> None:
    receipt = factories.submitted().receipt
    loose = f"  {receipt.lower().replace('-', ' ')} "
    assert visitor.post("/status/", {"receipt": loose}).status_code == 200


def test_mistyped_code(visitor: Client) -> None:
    receipt = factories.submitted().receipt
    wrong = ("0" if receipt[0] != "0" else "2") + receipt[1:]
    answer = visitor.post("/status/", {"receipt": wrong})
    assert answer.status_code == 400
    assert "mistyped" in answer.content.decode()
    assert 'href="#id_receipt"' in answer.content.decode()


def test_unknown_codes_get_the_same_bytes(visitor: Client) -> None:
    answers = [visitor.post("/status/", {"receipt": receipts.mint()}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


def test_missing_code(visitor: Client) -> None:
    answer = visitor.post("/status/", {})
    assert answer.status_code == 400
    assert "Enter your receipt code" in answer.content.decode()


def test_withdrawing_needs_the_tick_then_deletes_the_photos(visitor: Client) -> None:
    case = factories.in_review()
    unsure = visitor.post("/status/withdraw/", {"receipt": case.receipt})
    assert unsure.status_code == 400
    assert 'href="#id_confirm"' in unsure.content.decode()
    assert case.request.state == State.IN_REVIEW


@pytest.mark.django_db(transaction=True)
def test_withdrawing_ends_the_request(visitor: Client) -> None:
    case = factories.in_review()
    answer = visitor.post("/status/withdraw/", {"receipt": case.receipt, "confirm": "yes"})
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "You have taken the request back" in text
    assert "Photo 1: deleted on" in text
    assert "Take the request back" not in text
    assert case.request.state == State.WITHDRAWN
    assert Photo.objects.get().state == Photo.State.DELETED


def test_decided_request_cannot_be_taken_back(visitor: Client) -> None:
    case = factories.decided()
    answer = visitor.post("/status/withdraw/", {"receipt": case.receipt, "confirm": "yes"})
    assert answer.status_code == 409
    assert "can no longer be taken back" in answer.content.decode()
    assert case.request.state == State.APPROVED


def test_withdraw_address_has_no_page_of_its_own(visitor: Client) -> None:
    answer = visitor.get("/status/withdraw/")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/status/"


def test_another_site_cannot_withdraw(visitor: Client) -> None:
    case = factories.in_review()
    answer = visitor.post(
        "/status/withdraw/",
        {"receipt": case.receipt, "confirm": "yes"},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 403
    assert case.request.state == State.IN_REVIEW
