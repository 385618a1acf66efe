"""The way in through the page: work or ticket, dearer with load, closed until a time it tells."""

import hashlib
import json
import re
import time
from collections.abc import Callable
from typing import Any

import altcha
import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from removal.intake import load
from removal.intake.counters import MemoryCounters
from removal.intake.gate import challenge_issue, ticket_issue
from removal.intake.load import Gate, admit
from removal.models import RemovalRequest, SpentTicket
from scripts.vendor_altcha import COMPRESSED, FOLDER, compressed, digests
from tests.removal.web.conftest import form, photo


@pytest.fixture(autouse=True)
def counts(monkeypatch: pytest.MonkeyPatch) -> MemoryCounters:
    own = MemoryCounters()
    monkeypatch.setattr("removal.intake.load.counters", lambda: own)
    return own


@pytest.fixture
def unlist(settings: Any) -> Callable[..., None]:
    """Return a function that changes settings."""

    def change(**values: int) -> None:
        settings.UNLIST = settings.UNLIST.model_copy(update=values)

    return change


def solved(challenge: dict[str, Any]) -> str:
    asked = altcha.Challenge.from_dict(challenge)
    solution = altcha.solve_challenge(asked)
    assert solution is not None
    return altcha.Payload(asked, solution).to_base64()


def fill(gate: Gate, share: float) -> None:
    for _ in range(int(load._buckets(gate, None)[0].bound * share)):
        admit(gate, None)


def test_work_lets_a_form_through_without_waiting(
    visitor: Client, unlist: Callable[..., None]
) -> None:
    unlist(pow_cost=2, ticket_wait_seconds=60)
    ticket = ticket_issue()
    work = solved(challenge_issue())
    assert visitor.post("/request/", form(photo(), ticket=ticket)).status_code == 429
    answer = visitor.post("/request/", form(photo(), ticket=ticket, altcha=work))
    assert answer.status_code == 201
    again = visitor.post("/request/", form(photo(), ticket=ticket, altcha=work))
    assert again.status_code == 400
    assert "used before" in again.content.decode()
    assert RemovalRequest.objects.count() == 1


def test_work_is_spent_after_what_is_cheap_to_check(
    visitor: Client, unlist: Callable[..., None]
) -> None:
    unlist(pow_cost=2)
    work = solved(challenge_issue())
    for fault in ({"urls": "nonsense"}, {"category": "none"}, {"note": "n" * 2001}):
        words: dict[str, str] = {"altcha": work, **fault}
        assert visitor.post("/request/", form(photo(), **words)).status_code == 400
        sent = {"photos": [photo()], **words}
        assert visitor.post("/api/v1/requests/", sent).status_code == 400
    assert not SpentTicket.objects.exists()
    assert visitor.post("/request/", form(photo(), altcha=work)).status_code == 201


def test_both_costs_rise_with_their_own_load(visitor: Client, unlist: Callable[..., None]) -> None:
    unlist(pow_cost=10, ticket_wait_seconds=3, requests_per_hour=1200)
    fill(Gate.TICKET, 0.72)
    assert "from 24 seconds after" in visitor.get("/request/").content.decode()
    assert visitor.get("/api/v1/challenge/").json()["parameters"]["cost"] == 10
    fill(Gate.WORK, 0.62)
    assert visitor.get("/api/v1/challenge/").json()["parameters"]["cost"] == 40


def test_a_network_that_floods_pays_first(visitor: Client, unlist: Callable[..., None]) -> None:
    unlist(pow_cost=10, requests_per_hour=1200)
    for _ in range(load._buckets(Gate.WORK, None)[0].bound // load.NETWORK_PART):
        admit(Gate.WORK, "93.184.216.0/24")
    costs = [
        visitor.get("/api/v1/challenge/", REMOTE_ADDR=address).json()["parameters"]["cost"]
        for address in ("93.184.216.34", "8.8.8.8", "127.0.0.1")
    ]
    assert costs == [320, 10, 10]


def test_past_the_bound_one_is_told_when_to_come_back_and_loses_nothing(
    visitor: Client, unlist: Callable[..., None], counts: MemoryCounters
) -> None:
    unlist(pow_cost=2, requests_per_hour=600)
    work, ticket = solved(challenge_issue()), ticket_issue()
    fill(Gate.TICKET, 1)
    refused = visitor.post("/request/", form(photo(), ticket=ticket, note="keep me"))
    text = refused.content.decode()
    assert refused.status_code == 503
    assert 0 < int(refused.headers["Retry-After"]) <= 1200
    assert re.search(r"Please send it again in \d+ minutes?\.", text)
    assert "keep me" in text
    assert ticket in text
    assert visitor.get("/request/").status_code == 200, "the other way is open"
    fill(Gate.WORK, 1)
    for path, fields in (("/request/", form(photo(), altcha=work)), ("/api/v1/requests/", None)):
        answer = visitor.post(path, fields or {"photos": [photo()], "altcha": work})
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["type"] == "urn:unlist:problem:busy"
    assert not SpentTicket.objects.exists()
    closed = visitor.get("/request/")
    assert closed.status_code == 503
    assert re.search(r"come back in \d+ minutes?\.", closed.content.decode())
    assert int(closed.headers["Retry-After"]) > 0
    counts.add(f"all.work.{int(time.time() // load.WINDOW_SECONDS)}", -1, 60)
    assert visitor.post("/request/", form(photo(), altcha=work)).status_code == 201


def test_at_cost_zero_nothing_is_asked_and_nothing_bounded(
    visitor: Client, unlist: Callable[..., None]
) -> None:
    unlist(pow_cost=0, requests_per_hour=6)
    for _ in range(5):
        assert visitor.post("/api/v1/requests/", {"photos": [photo()]}).status_code == 201
    assert "data-challenge" not in visitor.get("/request/").content.decode()


# --- what the page loads ---------------------------------------------------------------------


def directives(policy: str) -> dict[str, list[str]]:
    parts = (part.split() for part in policy.split(";"))
    return {name: values for name, *values in parts}


@pytest.mark.parametrize("path", ["/request/", "/", "/privacy/", "/status/"])
def test_only_the_form_may_run_scripts_and_none_inline(visitor: Client, path: str) -> None:
    answer = visitor.get(path)
    policy = directives(answer.headers["Content-Security-Policy"])
    assert policy["default-src"] == ["'none'"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert ("worker-src" in policy) == (path == "/request/")
    if path == "/request/":
        assert policy["script-src"] == policy["worker-src"] == policy["connect-src"] == ["'self'"]
        assert policy["img-src"] == ["'self'", "data:", "blob:"]
    text = answer.content.decode()
    assert " style=" not in text
    assert "<style" not in text
    assert not re.search(r"\son[a-z]+=", text)
    assert all(tag.startswith('src="/static/') for tag in re.findall(r"<script\s+([^>]*)>", text))


def test_the_page_stays_under_100_kilobytes(visitor: Client, unlist: Callable[..., None]) -> None:
    unlist(pow_cost=20_000)
    text = visitor.get("/request/").content.decode()
    light = len(text.encode())
    for address in set(re.findall(r'(?:src|href)="/static/([^"]+)"', text)):
        light += len(_static(address))
    assert light < 70_000
    widget = re.search(r'data-altcha="/static/([^"]+)" data-worker="/static/([^"]+)"', text)
    assert widget
    assert light + sum(len(_static(f"{name}.gz")) for name in widget.groups()) < 100_000


def _static(name: str) -> bytes:
    path = finders.find(name)
    assert path, name
    with open(path, "rb") as file:  # noqa: PTH123  # finders give names
        return file.read()


def test_what_a_browser_takes_compressed_is_sent_compressed(visitor: Client) -> None:
    answer = visitor.get("/static/removal/altcha/altcha.js", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    content = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    assert content == _static("removal/altcha/altcha.js.gz")


def test_the_widget_is_the_one_that_was_vendored() -> None:
    facts = json.loads((FOLDER / "vendored.json").read_text())
    assert facts["package"] == "altcha"
    assert facts["sha256"] == digests()
    assert hashlib.sha256((FOLDER / "altcha.js").read_bytes()).hexdigest() in str(facts)
    for name in COMPRESSED:
        content = (FOLDER / name).read_bytes()
        assert compressed(content) == (FOLDER / f"{name}.gz").read_bytes()
    assert "MIT License" in (FOLDER / "LICENSE.txt").read_text()


def test_the_widget_evaluates_nothing_and_asks_nobody_else() -> None:
    code = (FOLDER / "altcha.js").read_text() + (FOLDER / "pbkdf2.js").read_text()
    assert not re.search(r"\beval\(|new Function\b", code)
    hosts = set(re.findall(r"https?://([a-z0-9.-]+)", code))
    assert hosts <= {"altcha.org", "svelte.dev", "www.w3.org"}, "names in texts and namespaces"
