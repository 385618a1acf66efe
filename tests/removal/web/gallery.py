"""Every public page in every state that a person can meet: for tests that look at all of them.

A page or state that is added here is looked at by all of them: `test_gallery` (markup, weight),
`test_untranslated` (words), `tests/functional/test_browser_axe.py` (axe, width).
"""

import copy
import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from releases.months import months_close
from removal.life import questions, retention
from removal.models import RetentionRun
from tests.releases.months import answered
from tests.removal import factories
from tests.removal.web.gallery_cases import codes_unknown, visits_made
from tests.removal.web.gallery_refusals import Shown, asking, failing, flooded, refused, under

READING = {
    "home": "/",
    "request": "/request/",
    "status": "/status/",
    "datasets": "/datasets/",
    "privacy": "/privacy/",
    "releases": "/releases/",
    "transparency": "/transparency/",
    "status-left": "/status/left/",
}
ASIDE = {
    "delete": ("in-review", "/status/photo/delete/"),
    "delete-searching": ("searching", "/status/photo/delete/"),
    "delete-decided": ("denied", "/status/photo/delete/"),
    "withdraw": ("in-review", "/status/withdraw/"),
    "withdraw-no-photos": ("photos-deleted", "/status/withdraw/"),
    "appeal": ("denied", "/status/appeal/"),
    "proof-too-early": ("in-review", "/status/proof/"),
}
ACTS: dict[str, tuple[str, str, dict[str, str]]] = {
    "message-empty": ("in-review", "/status/messages/", {"text": ""}),
    "message-long": ("in-review", "/status/messages/", {"text": "x" * 2001}),
    "answer-none": ("question", "/status/answer/", {}),
    "delete-again": ("photos-deleted", "/status/photo/delete/", {}),
    "withdraw-again": ("withdrawn", "/status/withdraw/", {}),
    "appeal-empty": ("denied", "/status/appeal/", {"text": ""}),
    "appeal-again": ("appealed", "/status/appeal/", {"text": "Again."}),
    "unsent": ("ended", "/status/messages/", {"text": "Too late."}),
}
PRIVACY: dict[str, dict[str, Any]] = {
    "https": {
        "public_url": "https://unlist.example",
        "role": "public",
        "operator_name": "Ada",
        "complaint_authority": "the CNIL",
    },
    "onion": {"public_url": "http://abcdef.onion"},
    "plain": {"public_url": "http://unlist.example"},
}


class Gallery:
    """Requests in each state, made once, and the pages about them in any language."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        factories.secrets_made()
        monkeypatch.setattr(questions, "row_picture", lambda *_: factories.photo_bytes(5))
        self._patch = monkeypatch
        self._empty = {code: dict(_read(f"/{code}")) for code, _ in settings.LANGUAGES}
        answered(23)
        answered(40, days=9, months=2, state="denied")
        months_close()
        self._codes = codes_unknown()
        self._visits = visits_made()

    def pages(self, code: str) -> Shown:
        """Yield each page's name and answer, in the language of a code such as "de"."""
        prefix = f"/{code}"
        yield from ((f"{name}-new", answer) for name, answer in self._empty[code].items())
        yield from _read(prefix)
        yield from _privacy(prefix, self._patch)
        yield from asking(prefix, self._codes)
        yield from refused(prefix)
        yield from failing(prefix, self._patch)
        yield from flooded(prefix, self._patch)
        yield from self._following(prefix)

    def photo(self) -> bytes:
        """Return a subject's own photo, as the page of their request shows it."""
        shown: bytes = self._visitor("found-partly").get("/status/photo/1/").content
        return shown

    def _following(self, prefix: str) -> Shown:
        for name in self._visits:
            yield f"status-{name}", self._visitor(name).get(f"{prefix}/status/")
        for name, (state, path) in ASIDE.items():
            yield f"status-{name}", self._visitor(state).get(f"{prefix}{path}")
        for name, (state, path, fields) in ACTS.items():
            yield f"status-{name}", self._visitor(state).post(f"{prefix}{path}", fields)

    def _visitor(self, state: str) -> Client:
        """Return a browser with the cookies of a visit; what it is given changes no other's."""
        client = Client()
        client.cookies = copy.deepcopy(self._visits[state].cookies)
        return client


def _read(prefix: str) -> Shown:
    client = Client()
    for name, path in READING.items():
        yield name, client.get(f"{prefix}{path}")


def _privacy(prefix: str, patch: pytest.MonkeyPatch) -> Shown:
    """Show the privacy page of other services: reached otherwise, named, late with deleting."""
    path = f"{prefix}/privacy/"
    for name, changed in PRIVACY.items():
        with under(patch, **changed):
            answer = Client().get(path)
        yield f"privacy-{name}", answer
    for name, ran_at in {"late": timezone.now() - 2 * retention.LATE, "never-ran": None}.items():
        with _retention_ran(ran_at):
            answer = Client().get(path)
        yield f"privacy-{name}", answer


@contextmanager
def _retention_ran(at: dt.datetime | None) -> Iterator[None]:
    """Let retention have run at another moment, or never."""
    [run] = RetentionRun.objects.all()
    if at is None:
        run.delete()
    else:
        RetentionRun.objects.update(ran_at=at)
    yield
    RetentionRun.objects.update_or_create(pk=1, defaults={"ran_at": run.ran_at})
