"""Making a request on the page: the receipt, and every way in which the form is refused."""

import re

import pytest
from django.conf import settings as live
from django.test import Client

from removal.custody import receipts
from removal.intake.gate import ticket_issue
from removal.models import Photo, RemovalRequest
from removal.selectors import request_open
from tests.removal import factories
from tests.removal.web.conftest import form, photo


def _code(text: str) -> str:
    found = re.search(r'<output id="receipt">([^<]+)</output>', text)
    assert found
    return found.group(1)


def test_photo_gives_a_receipt_that_opens_the_request(visitor: Client) -> None:
    answer = visitor.post("/request/", form(photo(), note="a note", category="medical"))
    assert answer.status_code == 201
    opened = request_open(receipt=_code(answer.content.decode()))
    assert opened.request.category == "medical"
    assert Photo.objects.count() == 1


def test_address_alone_is_enough(visitor: Client) -> None:
    answer = visitor.post(
        "/request/", form(urls="https://a.example/1.jpg\r\n\r\nhttp://b.example/")
    )
    assert answer.status_code == 201
    assert RemovalRequest.objects.get().link_count == 2
    assert "2 web addresses" in answer.content.decode()


def test_unusable_photo_among_good_ones_is_named(visitor: Client) -> None:
    answer = visitor.post("/request/", form(photo(), photo(factories.PLAIN)))
    assert answer.status_code == 201
    text = answer.content.decode()
    assert "Photo 1: received" in text
    assert "Photo 2: <strong>not usable.</strong> This is not a picture" in text


@pytest.mark.parametrize(
    ("fields", "sentence", "anchor"),
    [
        ({}, "Choose a photo, or write the web address", "id_photos"),
        ({"urls": "nonsense"}, "Web address 1 cannot be used", "id_urls"),
        ({"urls": "http://a.b/\n" * 21}, "These are 21 web addresses", "id_urls"),
        ({"note": "n" * 2001}, "The note has 2\u202f001 characters", "id_note"),
        ({"category": "nonsense"}, "Choose one of the kinds", "id_category_0"),
        ({"category": ""}, "Choose what kind of picture", "id_category_0"),
    ],
)
def test_fault_is_summed_up_linked_and_keeps_the_words(
    visitor: Client, fields: dict[str, str], sentence: str, anchor: str
) -> None:
    answer = visitor.post("/request/", form(**{"note": "keep <me>", **fields}))
    text = answer.content.decode()
    assert answer.status_code == 400
    assert f'<a href="#{anchor}">{sentence}' in text
    assert f'id="{anchor}"' in text
    assert "note" in fields or "keep &lt;me&gt;" in text
    assert "Mend this" in text
    assert not RemovalRequest.objects.exists()


def test_no_picture_among_the_photos(visitor: Client) -> None:
    answer = visitor.post("/request/", form(photo(factories.PLAIN), photo(b"")))
    text = answer.content.decode()
    assert answer.status_code == 400
    assert "Photo 1: This is not a picture" in text
    assert "Photo 2: The file is empty" in text
    assert not RemovalRequest.objects.exists()


@pytest.mark.parametrize("count", [11, 45])
def test_too_many_photos(visitor: Client, count: int) -> None:
    answer = visitor.post("/request/", form(*[photo(b"x") for _ in range(count)]))
    assert answer.status_code == 400
    assert "at most 10 photos" in answer.content.decode()
    assert not RemovalRequest.objects.exists()


def test_too_large_photo_is_refused_and_the_words_kept(visitor: Client) -> None:
    large = photo(bytes(20 * 1024 * 1024 + 1))
    answer = visitor.post("/request/", form(large, note="keep me"))
    text = answer.content.decode()
    assert answer.status_code == 413
    assert "Photo 1 is larger than 20 MB" in text
    assert "keep me" in text


def test_form_is_good_once(visitor: Client) -> None:
    ticket = ticket_issue()
    assert visitor.post("/request/", form(photo(), ticket=ticket)).status_code == 201
    again = visitor.post("/request/", form(photo(), ticket=ticket, note="keep me"))
    text = again.content.decode()
    assert again.status_code == 400
    assert "already been sent once" in text
    assert "keep me" in text
    assert ticket not in text
    assert RemovalRequest.objects.count() == 1


def test_too_early_form_keeps_words_and_ticket(visitor: Client, settings: object) -> None:
    settings.UNLIST = live.UNLIST.model_copy(update={"ticket_wait_seconds": 9})  # type: ignore[attr-defined]
    assert "from 9 seconds after" in visitor.get("/request/").content.decode()
    ticket = ticket_issue()
    answer = visitor.post("/request/", form(photo(), ticket=ticket, note="keep me"))
    text = answer.content.decode()
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) <= 9
    assert re.search(r"Please wait \d seconds and press the button again", text)
    assert ticket in text
    assert "keep me" in text
    assert not RemovalRequest.objects.exists()


@pytest.mark.parametrize("ticket", ["", "forged", "1.x:abc"])
def test_foreign_ticket_is_refused(visitor: Client, ticket: str) -> None:
    answer = visitor.post("/request/", form(photo(), ticket=ticket))
    assert answer.status_code == 400
    assert "still valid" in answer.content.decode()
    assert not RemovalRequest.objects.exists()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"Origin": "http://testserver"}, 201),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 201),
        ({"Sec-Fetch-Site": "none"}, 201),
        ({"Origin": "null"}, 201),  # plain HTTP: browsers send no Sec-Fetch-Site there
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_forms_of_other_sites_are_refused(
    visitor: Client, headers: dict[str, str], status: int
) -> None:
    assert visitor.post("/request/", form(photo()), headers=headers).status_code == status


def test_null_origin_over_https_is_refused(visitor: Client) -> None:
    answer = visitor.post("/request/", form(photo()), headers={"Origin": "null"}, secure=True)
    assert answer.status_code == 403
    assert "another website" in answer.content.decode()


def test_endless_text_is_refused(visitor: Client) -> None:
    answer = visitor.post("/request/", form(note="n" * 300_000))
    assert answer.status_code == 413
    assert "too long" in answer.content.decode()


def test_receipt_page_says_that_it_cannot_be_recovered(visitor: Client) -> None:
    text = visitor.post("/request/", form(photo())).content.decode()
    assert receipts.canonical(_code(text))
    assert "cannot recover it" in text
    assert 'href="/status/"' in text
    assert text.count(_code(text)) == 3, "once to read, twice to send back"


def test_service_without_secrets_takes_nothing(visitor: Client, settings: object) -> None:
    elsewhere = live.UNLIST.secret_dir / "absent"
    settings.UNLIST = live.UNLIST.model_copy(update={"secret_dir": elsewhere})  # type: ignore[attr-defined]
    answer = visitor.post("/request/", form(photo()))
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    assert not RemovalRequest.objects.exists()
