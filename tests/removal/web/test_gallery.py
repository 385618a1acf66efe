"""What holds on every page in every state and language: sound markup, and light on a slow line."""

import re
from typing import Any

import pytest
from django.conf import settings as live
from django.test import Client

from tests.removal.web.gallery import Gallery
from tests.removal.web.markup import markup_faults

LIGHT = 100_000
"""Bytes of a page with all that it loads but photos: ten seconds on a slow line."""
STATUS = {"error-400": 400, "error-403": 403, "error-404": 404, "error-405": 405,
          "error-413": 413, "error-500": 500, "error-503-full": 503, "code-purged": 404,
          "status-proof-too-early": 409, "status-unsent": 403, "request-early": 429}  # fmt: skip
_LOADED = re.compile(
    r'<(?:script|img)[^>]* src="(/[^"]+)"|data-(?:altcha|worker)="(/[^"]+)"'
    r'|<link rel="(?:icon|stylesheet)" href="(/[^"]+)"'
)


class Wire:
    """Counts the bytes that the site sends, headers and all; of each file once."""

    def __init__(self) -> None:
        self._files: dict[str, int] = {}

    def weight(self, answer: Any) -> int:
        """Return what a page weighs with all that it loads, photos left out."""
        found = {one for several in _LOADED.findall(answer.content.decode()) for one in several}
        files = [address for address in found if address.startswith("/static/")]
        return self._sent(answer) + sum(self._file(address) for address in files)

    def _file(self, address: str) -> int:
        if address not in self._files:
            accepted = {"Accept-Encoding": "gzip, deflate, br"}
            answer = Client().get(address, headers=accepted)
            assert answer.status_code == 200, address
            self._files[address] = self._sent(answer)
        return self._files[address]

    def _sent(self, answer: Any) -> int:
        body = b"".join(answer) if answer.streaming else answer.content
        cookies = answer.cookies.output()
        return len(answer.serialize_headers()) + len(cookies) + len(body)


def test_every_page_is_sound_and_light(monkeypatch: pytest.MonkeyPatch) -> None:
    gallery, wire = Gallery(monkeypatch), Wire()
    faults: list[str] = []
    for code, _ in live.LANGUAGES:
        names: list[str] = []
        for name, answer in gallery.pages(code):
            assert answer.status_code == STATUS.get(name, answer.status_code), name
            found = markup_faults(answer.content.decode())
            if (weight := wire.weight(answer)) >= LIGHT:
                found.append(f"{weight} bytes")
            faults += [f"{code} {name}: {fault}" for fault in found]
            names.append(name)
        assert len(names) == len(set(names)) > 80
        assert set(STATUS) <= set(names)
    assert not faults, "\n".join(faults)


def test_a_page_that_is_too_heavy_is_seen() -> None:
    class Answer:
        streaming = False
        cookies = Client().cookies
        content = b'<link rel="stylesheet" href="/static/removal/unlist.css">' + b"x" * LIGHT

        def serialize_headers(self) -> bytes:
            return b""

    assert Wire().weight(Answer()) > LIGHT + 10_000


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("<p>a<div>b</div></p>", "<div> in a tag for text"),
        ("<p><b>a</p></b>", "</p> closes another tag"),
        ("<p>a", "</main> closes another tag"),
        ('<p id="a" id="b">a</p>', "an attribute twice"),
        ('<p id="a"></p><p id="a"></p>', "the id a twice"),
        ('<a href="#b">b</a>', "nothing has the id b"),
        ('<label for="c">c</label>', "nothing has the id c"),
        ("<ul><p>a</p></ul>", "<p> in <ul>"),
        ('<a href="/"><button type="submit">a</button></a>', "in a link, button or label"),
        ('<p style="color: red">a</p>', "the policy forbids"),
        ("<script>alert()</script>", "the policy forbids"),
        ('<img src="/a.png">', "a picture without words"),
        ("<button>a</button>", "a button without its type"),
        ("<h1>b</h1>", "2 times <h1>"),
    ],
)
def test_bad_markup_is_seen(body: str, fault: str) -> None:
    whole = (
        "<!doctype html>\n<html><head><title>a</title></head><body><header></header>"
        "<main><h1>a</h1>%s</main><footer></footer></body></html>"
    )
    assert markup_faults(whole % "") == []
    found = markup_faults(whole % body)
    assert any(fault in one for one in found), found
