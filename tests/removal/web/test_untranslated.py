"""No English is left on a page in another language: every word comes from a catalog.

A made-up language is put in, whose every message is the English one in letters that English does
not have. What then still stands in plain letters on any page, in any state, was never marked for
translation, or was put together from parts.
"""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog

from scripts.messages import NAMED, TAG, mo_bytes, words_found
from tests.removal.web.gallery import Gallery

CODE = "eo"  # Django knows its script and direction; its months are Esperanto
_KEPT = re.compile(rf"{NAMED.pattern}|{TAG.pattern}|&\w+;")
_LETTERS = str.maketrans(
    {chr(n): chr(0xFF21 + n - 65) for n in range(65, 91)}
    | {chr(n): chr(0xFF41 + n - 97) for n in range(97, 123)}
)
_SAID = ("alt", "aria-label", "content", "data-label", "placeholder", "title", "value")
_SILENT = {"script", "style", "textarea"}  # what stands in a field is the person's
_VOID = {"br", "hr", "img", "input", "link", "meta", "wbr", "path"}
_WORD = re.compile(r"[A-Za-z]{2,}")
ALLOWED = {
    "Unlist", "UTC", "SHA", "MB", "JPEG", "PNG", "WebP", "GIF", "HEIC", "AVIF",
    "JSON", "Python", "INHOPE", "GDPR",
}  # fmt: skip
THEIRS = {"A note", "When will it be?", "Soon.", "We looked twice.", "Sorry.", "Many are ill.",
          "It is my picture."}  # fmt: skip
"""Words of people, which nobody translates."""


def in_other_letters(text: str) -> str:
    """Write a message in wide letters; placeholders, tags and entities stay."""
    done, at = [], 0
    for kept in _KEPT.finditer(text):
        done += [text[at : kept.start()].translate(_LETTERS), kept[0]]
        at = kept.end()
    return "".join([*done, text[at:].translate(_LETTERS)])


class Words(HTMLParser):
    """Collects what a page shows or says, but not what is marked as nobody's language."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._closed: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        closed = tag in {*_SILENT, "code"} or given.get("translate") == "no"
        if not any(self._closed) and not closed:
            self._say(tag, given)
        if tag not in _VOID:
            self._closed.append(closed)

    def _say(self, tag: str, given: dict[str, str]) -> None:
        names = [name for name in _SAID if name in given]
        names += [name for name in given if tag == "template" and name.startswith("data-")]
        coded = tag == "input" or given.get("name") == "viewport" or tag == "button"
        for name in names:
            if not (coded and name in {"value", "content"}):
                self.found.append(given[name])

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID and self._closed:
            self._closed.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._closed):
            self.found.append(data)


def english_left(page: str) -> list[str]:
    """Return the words of a page that did not come from the catalog."""
    words = Words()
    words.feed(page)
    texts = [text for text in words.found if text.strip() not in THEIRS]
    months = {month.lower() for month in MONTHS}
    return [
        f"{word} ({text.strip()[:60]})"
        for text in texts
        for word in _WORD.findall(text)
        if word not in ALLOWED and word.lower() not in months
    ]


MONTHS = [
    "januaro", "februaro", "marto", "aprilo", "majo", "junio", "julio",
    "aŭgusto", "septembro", "oktobro", "novembro", "decembro", "gusto", "de", "je",
]  # fmt: skip


@pytest.fixture
def other_letters(tmp_path: Path, settings: Any) -> None:
    """Put the made-up language in, under a code that Django knows."""
    catalog = Catalog(locale=CODE)
    for message in words_found():
        if message.id:
            forms = [message.id] if isinstance(message.id, str) else list(message.id)
            told = [in_other_letters(form) for form in forms]
            catalog.add(message.id, told[0] if len(told) == 1 else told, context=message.context)
    folder = tmp_path / CODE / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "django.mo").write_bytes(mo_bytes(catalog))
    settings.LOCALE_PATHS = [tmp_path]
    settings.LANGUAGES = [(CODE, "Esperanto")]


@pytest.mark.usefixtures("other_letters")
@pytest.mark.once
def test_no_english_is_left_on_any_page(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = dict(Gallery(monkeypatch).pages(CODE))
    left = [
        f"{name}: {word}"
        for name, answer in pages.items()
        for word in english_left(answer.content.decode())
    ]
    assert not left, "\n".join(left)
    assert len(pages) > 80


def test_words_that_were_not_marked_are_found() -> None:
    told = in_other_letters("abc")
    page = f'<p>{told} <b translate="no">sample</b> left</p><img alt="a face"><code>run</code>'
    assert english_left(page) == ["left (left)", "face (a face)"]
    assert not re.search("[a-z]", told)
    text = in_other_letters('To %(name)s <a href="/x">now</a> &amp; {n}')
    assert re.sub(r"[^ -~]", "", text) == ' %(name)s <a href="/x"></a> &amp; {n}'
