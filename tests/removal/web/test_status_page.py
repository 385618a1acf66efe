"""Following a request: what its page says in every state, and the session that opens it."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings as live
from django.test import Client
from PIL import Image

from removal.custody import receipts
from removal.life.destroying import case_destroy, request_erase
from removal.life.review import photos_delete_now, request_extend, request_withdraw
from removal.models import SubjectSession
from removal.site import following
from removal.site.session import NAME, NOTE, SECRET
from tests.removal import factories
from tests.removal.factories import Case, match
from tests.removal.web.following import begin, cookie, shown

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
        "Stays in the dataset",
    ),
    (factories.released, "Removed", "In release 1."),
]


@pytest.mark.parametrize(("make", "state", "sentence"), STATES)
def test_status_in_plain_words(
    visitor: Client, make: Callable[[], Case], state: str, sentence: str
) -> None:
    text = shown(visitor, make().receipt)
    assert f'<span class="state">{state}</span>' in text
    assert sentence in text
    for secret in ("marked-url", "000000001", "0.97", "<script"):
        assert secret not in text


def test_refusal_says_where_to_complain_and_how_to_appeal(visitor: Client) -> None:
    text = shown(visitor, factories.decided(approve=(), reason="unfounded").receipt)
    assert "You can complain to" in text
    assert "manifestly unfounded" in text
    assert 'href="/status/appeal/"' in text


def test_an_extended_clock_says_why(visitor: Client) -> None:
    case = factories.in_review()
    request_extend(
        request_id=case.request_id, reviewer=factories.staff_user(), reason="Ill <i>staff</i>."
    )
    text = shown(visitor, case.receipt)
    assert "Extended by two months." in text
    assert "Ill &lt;i&gt;staff&lt;/i&gt;." in text


def test_what_was_searched_says_rows_parts_and_why_not(visitor: Client) -> None:
    case = factories.in_review()
    factories.catalog_group(number=1, rows=50)
    text = shown(visitor, case.receipt)
    assert "1 of 2" in text
    assert "1 part came after your search" in text


def test_after_approval_the_site_is_named(visitor: Client) -> None:
    assert "pictures.example.org" not in shown(visitor, factories.in_review().receipt)
    assert "pictures.example.org" in shown(visitor, factories.decided().receipt)


def test_what_nobody_decides_any_more_is_not_said_to_wait(visitor: Client) -> None:
    case = factories.in_review()
    assert "Not decided yet." in shown(visitor, case.receipt)
    request_withdraw(opened=case.opened())
    text = shown(visitor, case.receipt)
    assert "Not decided, because the request ended first." in text
    assert "Not decided yet." not in text


def test_a_search_that_never_began_is_not_said_to_have_found_nothing(visitor: Client) -> None:
    factories.catalog_group()
    case = factories.received()
    photos_delete_now(opened=case.opened())
    text = shown(visitor, case.receipt)
    assert "The search ended before any part of the datasets was searched." in text
    assert "The search was not finished." in text
    assert "No copy of" not in text


def test_who_sent_addresses_alone_is_told_of_no_photo(visitor: Client) -> None:
    text = shown(visitor, factories.no_match(photos=[], urls=["https://a.example/b"]).receipt)
    assert "We did not find the picture." in text
    assert "Nothing was found in the datasets that were searched." in text
    assert "your photo" not in text.split("<main")[1].split('id="photos"')[0]


def test_a_tombstone_says_when_its_details_went(visitor: Client) -> None:
    case = factories.released()
    case_destroy(case.request_id)
    text = shown(visitor, case.receipt)
    assert "by our rule" in text
    assert "What was searched has been deleted since." in text
    assert 'id="messages"' not in text
    assert "your proof are left" in text
    denied = factories.decided(approve=(), reason="unfounded")
    case_destroy(denied.request_id)
    assert "The outcome is left." in shown(Client(), denied.receipt)


# --- the code, and the session that it begins -------------------------------------------------


def test_the_code_may_be_typed_loosely(visitor: Client) -> None:
    receipt = factories.submitted().receipt
    answer = begin(visitor, f"  {receipt.lower().replace('-', ' ')} ")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/status/#opened")


def test_the_receipt_is_in_no_answer_cookie_or_address(visitor: Client) -> None:
    receipt = factories.submitted().receipt
    symbols = receipts.canonical(receipt)
    first = begin(visitor, receipt)
    second = visitor.get("/status/")
    for answer in (first, second):
        text = f"{answer.serialize_headers()!r}{answer.content!r}{answer.cookies}".upper()
        assert receipt not in text
        assert symbols not in text.replace("-", "")
        assert answer.headers["Cache-Control"] == "no-store"


def test_cookies_are_strict_and_out_of_reach_and_end_with_the_browser(visitor: Client) -> None:
    begin(visitor, factories.submitted().receipt)
    for name in (NAME, SECRET):
        held = cookie(visitor, name)
        assert (held["samesite"], held["path"], held["httponly"]) == ("Strict", "/", True)
        assert not held["expires"]
        assert not held["max-age"]
        assert not held["domain"]


def test_over_https_cookies_are_held_to_this_host(visitor: Client, settings: Any) -> None:
    changed = {"public_url": "https://unlist.example"}
    settings.UNLIST = live.UNLIST.model_copy(update=changed)
    begin(visitor, factories.submitted().receipt)
    assert set(visitor.cookies) == {"__Host-status", "__Host-status-key"}
    assert all(held["secure"] for held in visitor.cookies.values())


def test_no_cookie_comes_before_a_code_opened_something(visitor: Client) -> None:
    visitor.get("/status/")
    begin(visitor, receipts.mint())
    begin(visitor, "nonsense")
    assert not visitor.cookies
    assert not SubjectSession.objects.exists()


def test_a_code_begins_a_new_session_each_time(visitor: Client) -> None:
    receipt = factories.submitted().receipt
    begin(visitor, receipt)
    before = cookie(visitor, NAME).value, cookie(visitor, SECRET).value
    begin(visitor, receipt)
    assert cookie(visitor, NAME).value != before[0]
    assert cookie(visitor, SECRET).value != before[1]
    assert SubjectSession.objects.count() == 1
    old = Client()
    old.cookies["status"], old.cookies["status-key"] = before
    assert "Enter the code to go on" in old.get("/status/").content.decode()


def test_leaving_ends_the_session_and_clears_the_site(visitor: Client) -> None:
    shown(visitor, factories.submitted().receipt)
    held = {name: cookie(visitor, name).value for name in (NAME, SECRET)}
    answer = visitor.post("/status/leave/")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/status/left/")
    assert answer.headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    assert not SubjectSession.objects.exists()
    assert all(answer.cookies[name]["max-age"] == 0 for name in (NAME, SECRET, NOTE))
    assert "You have left" in visitor.get("/status/left/").content.decode()
    thief = Client()
    for name, value in held.items():
        thief.cookies[name] = value
    assert "Receipt code" in thief.get("/status/").content.decode()


def test_where_cookies_are_off_the_form_says_so() -> None:
    answer = Client().get("/status/")
    text = answer.content.decode()
    assert 'id="opened"' in text
    assert "did not keep the two cookies" in text
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_ended_session_says_so_and_its_cookies_go(visitor: Client) -> None:
    shown(visitor, factories.submitted().receipt)
    SubjectSession.objects.all().delete()
    answer = visitor.get("/status/")
    assert "Your session is over" in answer.content.decode()
    assert answer.cookies[NAME]["max-age"] == 0


def test_mistyped_code(visitor: Client) -> None:
    receipt = factories.submitted().receipt
    wrong = ("0" if receipt[0] != "0" else "2") + receipt[1:]
    answer = begin(visitor, wrong)
    text = answer.content.decode()
    assert answer.status_code == 400
    assert "mistyped" in text
    assert 'href="#id_receipt"' in text
    assert wrong in text  # to be mended: it can be nobody's


def test_unknown_and_purged_codes_get_the_same_bytes(visitor: Client) -> None:
    case = factories.released()
    request_erase(case.request_id)
    answers = [begin(visitor, code) for code in (receipts.mint(), case.receipt)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content
    assert answers[0].serialize_headers() == answers[1].serialize_headers()


def test_missing_code(visitor: Client) -> None:
    answer = visitor.post("/status/", {})
    assert answer.status_code == 400
    assert "Enter your receipt code" in answer.content.decode()


def test_another_site_cannot_begin_a_session(visitor: Client) -> None:
    receipt = factories.submitted().receipt
    answer = visitor.post(
        "/status/", {"receipt": receipt}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
    assert not visitor.cookies


# --- the photo ------------------------------------------------------------------------------------


def found_part(region: tuple[float, float, float, float] | None) -> Case:
    found = match("copy")
    evidence = replace(found.evidence, box=region)
    return factories.in_review([replace(found, evidence=evidence)])


def test_their_own_photo_is_shown_small_with_the_part_marked(visitor: Client) -> None:
    case = found_part((0.25, 0.25, 0.75, 0.75))
    text = shown(visitor, case.receipt)
    assert 'src="/status/photo/1/"' in text
    assert "A part of it was found." in text
    answer = visitor.get("/status/photo/1/")
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Cache-Control"] == "no-store"
    shown_photo = Image.open(io.BytesIO(answer.content))
    assert max(shown_photo.size) <= 480
    assert not shown_photo.getexif()


@pytest.mark.parametrize(
    ("region", "sentence"),
    [
        ((0.0, 0.0, 1.0, 0.98), "The whole photo was found."),
        (None, "It was found."),
    ],
)
def test_how_much_was_found_is_said(visitor: Client, region: Any, sentence: str) -> None:
    assert sentence in shown(visitor, found_part(region).receipt)


def test_a_photo_is_shown_to_its_session_alone(visitor: Client) -> None:
    factories.received()
    assert visitor.get("/status/photo/1/").status_code == 404
    begin(visitor, factories.received().receipt)
    assert visitor.get("/status/photo/1/").status_code == 200
    assert visitor.get("/status/photo/2/").status_code == 404
    del visitor.cookies[SECRET]
    assert visitor.get("/status/photo/1/").status_code == 404


def test_one_photo_at_a_time_is_made_small(
    visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One costly photo, asked for in a loop, took every decoder and thread of the site."""
    begin(visitor, factories.received().receipt)
    monkeypatch.setattr(following, "MAKING_SECONDS", 0.1)
    with following._making:
        answer = visitor.get("/status/photo/1/")
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    assert visitor.get("/status/photo/1/").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_deleted_photo_is_not_shown(visitor: Client) -> None:
    case = factories.in_review()
    photos_delete_now(opened=case.opened())
    text = shown(visitor, case.receipt)
    assert "Photo 1: deleted on" in text
    assert "/status/photo/1/" not in text
    assert visitor.get("/status/photo/1/").status_code == 404
