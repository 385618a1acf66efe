"""Nothing that identifies anyone reaches a log, whatever is sent and however it ends."""

import json
import logging
from collections.abc import Iterator

import pytest
from django.test import Client

from tests.removal import factories
from tests.removal.web.conftest import form, photo

MARKS = {
    "file name": "marked-file-name",
    "note": "marked-note",
    "address": "203.0.113.77",
    "agent": "marked-agent",
    "url": "marked-url",
    "word": "marked-word",
}


def _visitor() -> Client:
    return Client(
        enforce_csrf_checks=True,
        raise_request_exception=False,
        headers={"User-Agent": MARKS["agent"]},
        REMOTE_ADDR=MARKS["address"],
    )


class Everything(logging.Handler):
    """Keeps whatever any logger says, with its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        formatted = logging.Formatter("%(name)s %(message)s").format(record)
        self.lines.append(f"{formatted} {record.args}")


@pytest.fixture
def said() -> Iterator[Everything]:
    """Listen to the loggers as the settings leave them."""
    handler, root = Everything(), logging.getLogger()
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)


def test_marked_values_reach_no_log(said: Everything, capfd: pytest.CaptureFixture[str]) -> None:
    visitor = _visitor()
    name = f"{MARKS['file name']}.jpg"
    good = {"note": MARKS["note"], "urls": f"https://a.example/{MARKS['url']}"}
    taken = visitor.post("/request/", form(photo(name=name), **good))
    assert taken.status_code == 201
    answer = visitor.post("/api/v1/requests/", {"photos": photo(name=name), **good})
    receipt = answer.json()["receipt"]
    mistyped = receipt[:-1] + ("0" if receipt[-1] != "0" else "1")
    _every_fault(visitor, name, receipt, mistyped)
    logged = "\n".join(said.lines) + "".join(capfd.readouterr())
    for what in (*MARKS.values(), receipt, mistyped, receipt.replace("-", ""), receipt[:11]):
        assert what not in logged


def _every_fault(visitor: Client, name: str, receipt: str, mistyped: str) -> None:
    bad = photo(factories.PLAIN, name)
    answers = [
        visitor.post("/request/", form(bad, note=MARKS["note"])),
        visitor.post("/request/", form(bad, ticket=MARKS["word"])),
        visitor.post("/request/", form(bad, note=MARKS["note"] * 30_000)),
        visitor.post("/request/", form(bad), headers={"Origin": "https://evil.example"}),
        visitor.post("/status/", {"receipt": receipt}),
        visitor.post("/status/", {"receipt": mistyped}),
        visitor.post("/status/withdraw/", {"receipt": receipt, "confirm": "yes"}),
        visitor.post("/api/v1/requests/", {"photos": bad, "note": MARKS["note"]}),
        visitor.post(
            "/api/v1/status/",
            json.dumps({"receipt": mistyped}),
            content_type="application/json",
        ),
        visitor.get(f"/{MARKS['word']}/"),
        visitor.get(f"/api/v1/{MARKS['word']}/"),
        visitor.get("/", headers={"Host": f"{MARKS['word']}.example"}),
    ]
    statuses = [answer.status_code for answer in answers]
    assert statuses == [400, 400, 413, 403, 303, 400, 303, 400, 400, 404, 404, 400]


def test_fault_of_ours_does_not_log_what_was_sent(
    said: Everything, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**words: object) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr("removal.site.asking.request_submit", broken)
    visitor = _visitor()
    fields = form(photo(name=f"{MARKS['file name']}.jpg"), note=MARKS["note"])
    answer = visitor.post("/request/", fields)
    logged = "\n".join(said.lines)
    assert answer.status_code == 500
    assert "broken on purpose" in logged
    assert not any(mark in logged for mark in MARKS.values())
