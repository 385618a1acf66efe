"""Every public page in every state that a person can meet: for tests that look at all of them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from releases import signing
from removal.custody.receipts import mint
from removal.life import appeals, questions
from removal.life.messages import message_post, message_send
from removal.models import today
from tests.releases.conftest import out
from tests.removal import factories
from tests.removal.factories import Case
from tests.removal.web.conftest import form, photo
from tests.removal.web.following import begin

READING = {
    "home": "/",
    "request": "/request/",
    "status": "/status/",
    "datasets": "/datasets/",
    "privacy": "/privacy/",
    "releases": "/releases/",
    "transparency": "/transparency/",
    "status-left": "/status/left/",
    "not-found": "/no-such-page/",
}
ASIDE = {"delete": "/status/photo/delete/", "withdraw": "/status/withdraw/"}


class Gallery:
    """Requests in each state, made once, and the pages about them in any language."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        factories.secrets_made()
        monkeypatch.setattr(questions, "row_picture", lambda *_: factories.photo_bytes(5))
        self.cases: dict[str, Case] = {
            "received": factories.received(note="A note"),
            "in-review": _with_messages(factories.in_review()),
            "question": _asked(factories.in_review()),
            "no-match": factories.no_match(),
            "denied": factories.decided(
                approve=[], reason="different_picture", statement="We looked twice.\nSorry."
            ),
            "partly": factories.decided(approve=[0], reason="public_interest"),
            "appealed": _appealed(
                factories.decided(approve=[], reason="unfounded", statement="See above.")
            ),
            "released": factories.released(release=1),
        }
        _releases_made()

    def pages(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Yield each page's name and answer, under a language's prefix such as "/de"."""
        client = Client()
        for name, path in READING.items():
            yield name, client.get(f"{prefix}{path}")
        yield from _asking(lambda path, fields: client.post(f"{prefix}{path}", fields))
        for name, case in self.cases.items():
            subject = Client()
            assert begin(subject, case.receipt).status_code == 303
            yield f"status-{name}", subject.get(f"{prefix}/status/")
            for aside, path in ASIDE.items() if name == "in-review" else ():
                yield f"status-{aside}", subject.get(f"{prefix}{path}")
            if name == "denied":
                yield "status-appeal", subject.get(f"{prefix}/status/appeal/")
                yield "status-appeal-empty", subject.post(f"{prefix}/status/appeal/", {"text": ""})


def _asking(post: Callable[[str, dict[str, object]], Any]) -> Iterator[tuple[str, Any]]:
    """The answers to the forms: refusals, and the receipt with its two pages after."""
    yield "request-empty", post("/request/", form(category="nonsense", note="x" * 2001))
    yield "request-wrong", post("/request/", form(photo(b"no picture"), urls="ftp://x"))
    yield "request-no-ticket", post("/request/", {**form(photo()), "ticket": "x"})
    receipt = post("/request/", form(photo(), photo(b"no picture"), urls="https://a.example/b"))
    yield "receipt", receipt
    code = receipt.context["receipt"]
    words = {"receipt": code, "due": today().isoformat()}
    yield "receipt-kept", post("/request/kept/", dict(words))
    yield "receipt-kept-wrong", post("/request/kept/", {**words, "end": "AAAAA-B"})
    yield "receipt-well-kept", post("/request/kept/", {**words, "end": code[-7:]})
    yield "status-empty", post("/status/", {"receipt": ""})
    yield "status-mistyped", post("/status/", {"receipt": "AAAAA"})
    yield "status-unknown", post("/status/", {"receipt": mint()})


def _with_messages(case: Case) -> Case:
    message_post(opened=case.opened(), text="When will it be?")
    message_send(request_id=case.request_id, reviewer=factories.staff_user(), text="Soon.")
    return case


def _asked(case: Case) -> Case:
    similar = [one.pk for one in case.candidates if one.kind == "similar"]
    questions.question_put(
        request_id=case.request_id, reviewer=factories.staff_user(), candidate_ids=similar
    )
    return case


def _appealed(case: Case) -> Case:
    appeals.request_appeal(opened=case.opened(), text="It is my picture.")
    return case


def _releases_made() -> None:
    signing.keys_create()
    out(1)
    out(2, 3)
