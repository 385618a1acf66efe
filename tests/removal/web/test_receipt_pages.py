"""Keeping the receipt: a file, a check, a reminder; looked up and stored nowhere."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from icalendar import Calendar

from removal.custody import receipts
from removal.models import RemovalRequest, today
from tests.removal.web.conftest import form, photo

CODE = receipts.mint()
DUE = (today() + dt.timedelta(days=31)).isoformat()
SENT = {"receipt": CODE, "due": DUE}
PATHS = ["/request/code/", "/request/kept/", "/request/reminder/"]


def test_the_code_is_saved_as_text(visitor: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        answer = visitor.post("/request/code/", SENT)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="code.txt"'
    assert answer.headers["Cache-Control"] == "no-store"
    text = answer.content.decode()
    assert f"Receipt code: {CODE}\r\n" in text
    assert "/status/" in text
    assert not visitor.cookies


def test_it_is_saved_in_the_readers_language(visitor: Client) -> None:
    answer = visitor.post("/de/request/code/", SENT)
    assert "/de/status/" in answer.content.decode()


def test_who_kept_the_code_can_say_how_it_ends(
    visitor: Client, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        asked = visitor.post("/request/kept/", SENT).content.decode()
        shown = asked.replace(f'name="receipt" value="{CODE}"', "")
        assert CODE not in shown, "the page that asks must not show the answer"
        for end in (CODE[-7:], CODE[-7:].lower().replace("-", " "), CODE):
            answer = visitor.post("/request/kept/", {**SENT, "end": end})
            assert answer.status_code == 200
            assert "you have kept it" in answer.content.decode()
            assert CODE not in answer.content.decode()
    assert not RemovalRequest.objects.exists()


@pytest.mark.parametrize(
    "end", ["", "X", CODE[-1], CODE[:7], "ABCDE-F", "\u00e9" * 6, CODE + "A"], ids=range(7)
)
def test_who_did_not_keep_it_sees_it_again(visitor: Client, end: str) -> None:
    answer = visitor.post("/request/kept/", {**SENT, "end": end})
    text = answer.content.decode()
    assert answer.status_code == 400
    assert f'<output id="receipt">{CODE}</output>' in text
    assert "That is not how your code ends" in text


def test_it_is_shown_again_on_demand(visitor: Client) -> None:
    answer = visitor.post("/request/kept/", {**SENT, "end": "", "show": "yes"})
    assert answer.status_code == 200
    assert f'<output id="receipt">{CODE}</output>' in answer.content.decode()


@pytest.mark.parametrize("path", ["/request/code/", "/request/kept/"])
@pytest.mark.parametrize("code", ["", "nonsense", CODE[:-1], "<script>"], ids=range(4))
def test_what_is_no_code_is_not_repeated(visitor: Client, path: str, code: str) -> None:
    answer = visitor.post(path, {"receipt": code, "due": DUE})
    assert answer.status_code == 400
    assert "without a whole receipt code" in answer.content.decode()
    assert not code or f'"{code}"' not in answer.content.decode()


def test_the_reminder_says_nothing_telling(visitor: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        answer = visitor.post("/request/reminder/", SENT)
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    [event] = Calendar.from_ical(answer.content).events
    assert event.start == dt.date.fromisoformat(DUE)
    assert str(event["summary"]) == "Look up the answer"
    assert [str(alarm["action"]) for alarm in event.walk("VALARM")] == ["DISPLAY"]
    words = answer.content.decode().lower()
    for telling in ("unlist", "request", "photo", "receipt", "http", "127.0.0.1", CODE.lower()):
        assert telling not in words
    assert all(len(line) <= 75 for line in answer.content.split(b"\r\n"))


@pytest.mark.parametrize("due", ["", "nonsense", "2001-01-01", "9999-12-31", "2026-02-30"])
def test_an_unlikely_day_gives_no_reminder(visitor: Client, due: str) -> None:
    answer = visitor.post("/request/reminder/", {"due": due})
    assert answer.status_code == 400
    assert "could not make the reminder" in answer.content.decode()


@pytest.mark.parametrize("path", PATHS)
def test_an_address_alone_shows_nothing(visitor: Client, path: str) -> None:
    answer = visitor.get(path, SENT)
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/request/"


@pytest.mark.parametrize("path", PATHS)
def test_other_sites_cannot_send_these_forms(visitor: Client, path: str) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert visitor.post(path, SENT, headers=headers).status_code == 403


def test_the_whole_way_sets_no_cookie_and_names_no_code_in_an_address(visitor: Client) -> None:
    pages = [visitor.get("/request/"), visitor.post("/request/", form(photo()))]
    pages += [visitor.post(path, SENT) for path in PATHS]
    assert not any(page.cookies for page in pages)
    assert not visitor.cookies
    text = pages[1].content.decode()
    assert 'action="/request/code/"' in text
    assert 'method="get"' not in text
