"""The public pages: what they say, and what no answer of theirs may carry."""

import re
from pathlib import Path

import pytest
from django.conf import settings as live
from django.test import Client

from tests.removal import factories
from tests.removal.web.conftest import form, photo

PAGES = ["/", "/request/", "/status/", "/datasets/", "/privacy/"]
STATIC = Path(__file__).parents[3] / "removal" / "static" / "removal"


@pytest.mark.parametrize("address", [*PAGES, "/no-such-page/"])
def test_page_sets_no_cookie_and_has_no_inline_script(visitor: Client, address: str) -> None:
    answer = visitor.get(address)
    text = answer.content.decode()
    assert not answer.cookies
    assert "Set-Cookie" not in answer.headers
    assert "Cookie" not in answer.get("Vary", "")
    assert "<script" not in text.replace('<script src="/static/removal/asking.js" defer>', "")
    assert ("<script" in text) == (address == "/request/")
    assert "style=" not in text
    assert not re.search(r' on\w+="', text)


@pytest.mark.parametrize("address", PAGES)
def test_page_loads_nothing_from_elsewhere(visitor: Client, address: str) -> None:
    text = visitor.get(address).content.decode()
    loaded = re.findall(r'(?:src|action)="([^"]*)"|<link[^>]*href="([^"]*)"', text)
    assert loaded
    assert all((a or b).startswith("/") for a, b in loaded)


@pytest.mark.parametrize("address", [*PAGES, "/no-such-page/", "/api/v1/challenge/"])
def test_answer_carries_the_protective_headers(visitor: Client, address: str) -> None:
    headers = visitor.get(address).headers
    policy = headers["Content-Security-Policy"]
    for part in ("default-src 'none'", "style-src 'self'", "form-action 'self'"):
        assert part in policy
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "unsafe" not in policy
    scripted = address == "/request/"
    assert ("script-src 'self'" in policy) == ("script-src" in policy) == scripted
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]


@pytest.mark.parametrize("address", PAGES)
def test_page_has_one_heading_and_landmarks(visitor: Client, address: str) -> None:
    text = visitor.get(address).content.decode()
    assert text.count("<h1") == 1
    for landmark in ("<main", "<header", "<footer", "<nav aria-label", 'lang="en"'):
        assert landmark in text


def test_every_field_has_its_label(visitor: Client) -> None:
    for address in ("/request/", "/status/"):
        text = visitor.get(address).content.decode()
        controls = re.findall(r'<(?:input|textarea)(?![^>]*type="hidden")[^>]* id="([^"]+)"', text)
        assert controls
        for control in controls:
            assert f'<label for="{control}"' in text


def test_request_page_warns_before_the_file_control(visitor: Client) -> None:
    before, _, _ = visitor.get("/request/").content.decode().partition('type="file"')
    assert "do not send them here" in before
    assert live.UNLIST.hotline_url in before
    assert live.UNLIST.hotline_name in before
    assert "What happens to your photo" in before
    assert f"{live.UNLIST.keep_photo_days} days after the decision" in before


def test_datasets_page_shows_coverage(visitor: Client) -> None:
    assert "No dataset is covered yet" in visitor.get("/datasets/").content.decode()
    factories.catalog_group(dataset="sample", rows=1234)
    text = visitor.get("/datasets/").content.decode()
    assert "Sample" in text
    assert "1 of 1" in text


def test_stylesheet_is_small_and_self_contained() -> None:
    css = (STATIC / "unlist.css").read_text()
    assert len(css.encode()) < 25 * 1024
    assert "url(" not in css
    assert "@import" not in css
    assert "prefers-color-scheme: dark" in css
    assert "@media print" in css


def test_health(visitor: Client) -> None:
    assert visitor.get("/health/live").json() == {"status": "ok"}
    assert visitor.get("/health/ready").json()["database"] == "ok"


def test_answers_to_forms_are_never_stored(visitor: Client) -> None:
    receipt = factories.submitted().receipt
    answers = [
        visitor.post("/request/", form(photo())),
        visitor.post("/request/", form()),
        visitor.post("/status/", {"receipt": "x"}),
        visitor.post("/api/v1/status/", {"receipt": receipt}, content_type="application/json"),
    ]
    assert not any(answer.cookies for answer in answers)
    answers.append(visitor.post("/status/", {"receipt": receipt}))  # begins a session
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}


def test_unknown_page_is_a_page_and_unknown_call_a_problem(visitor: Client) -> None:
    page = visitor.get("/no-such-page/")
    assert page.status_code == 404
    assert "This page does not exist" in page.content.decode()
    call = visitor.get("/api/v1/no-such-call/")
    assert call.status_code == 404
    assert call.headers["Content-Type"] == "application/problem+json"
    assert call.json()["code"] == "not_found"


def test_a_method_that_a_page_does_not_take_is_answered_in_words(visitor: Client) -> None:
    answer = visitor.put("/de/status/")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, POST")
    assert "So nicht" in answer.content.decode()
    call = visitor.put("/api/v1/status/")
    assert call.status_code == 405
    assert call.json()["code"] == "method_not_allowed"


def test_fault_of_ours_is_a_page_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError

    monkeypatch.setattr("removal.site.reading.datasets_covered", broken)
    answer = Client(raise_request_exception=False).get("/datasets/")
    assert answer.status_code == 500
    assert "went wrong on our side" in answer.content.decode()
