"""The load bench counts every answer, takes no wrong one, and tells whose the time was."""

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from benchmarks import ROOT, service_load, service_page
from benchmarks.report import load
from benchmarks.service import KINDS, shown
from benchmarks.service_load import Call, LoadFailed, played
from benchmarks.service_shares import NAMES, REST, group_of, sampled, shares


class Site(BaseHTTPRequestHandler):
    """Answers every request alike, after a moment."""

    protocol_version = "HTTP/1.1"
    status = 201

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.005)
        body = json.dumps({"receipt": "AAAAA"}).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name
        del format, args


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield "127.0.0.1", server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


CALLS = [Call("/api/v1/requests/", b"x" * 100, "text/plain")]


def test_every_answer_counts(address: tuple[str, int]) -> None:
    heard, elapsed = played(address, "submit", CALLS, clients=2, seconds=0.3)
    facts = heard.facts(elapsed, 2)
    assert facts["count"] == len(heard.receipts) == len(heard.seconds) > 2
    assert facts["per_second"] == pytest.approx(facts["count"] / elapsed)
    assert 5 <= facts["p50_ms"] <= facts["p90_ms"] <= facts["p99_ms"] <= facts["max_ms"]


def test_a_wrong_answer_fails_the_round(address: tuple[str, int]) -> None:
    heard, elapsed = played(address, "status", CALLS, clients=1, seconds=0.05)
    with pytest.raises(LoadFailed, match="201"):
        heard.facts(elapsed, 1)


def test_a_site_that_is_not_there_fails_the_round() -> None:
    heard, elapsed = played(("127.0.0.1", 9), "submit", CALLS, clients=1, seconds=0.01)
    with pytest.raises(LoadFailed, match="refused"):
        heard.facts(elapsed, 1)


def test_submissions_hold_a_photo_and_words() -> None:
    for call in service_load.submissions():
        assert call.path == "/api/v1/requests/"
        assert b"\xff\xd8\xff" in call.body
        assert b'name="note"' in call.body
        assert call.content_type.startswith("multipart/form-data; boundary=")


def _framed(path: str, inside: Any) -> Any:
    """Return a function that seems to lie in the file `path` and calls `inside`."""
    names: dict[str, Any] = {"inside": inside}
    exec(compile("def outside(*args):\n    return inside(*args)", path, "exec"), names)  # noqa: S102
    return names["outside"]


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("/x/django/db/backends/utils.py", "database"),
        ("/x/psycopg/cursor.py", "database"),
        ("/x/django/template/base.py", "Django"),
        (f"{ROOT}/removal/custody/sealing.py", "crypto"),
        (f"{ROOT}/removal/life/sessions.py", "crypto"),
        (f"{ROOT}/removal/custody/shred.py", "files"),
        (f"{ROOT}/indexer/decode.py", "pictures"),
        (f"{ROOT}/removal/intake/submission.py", "own code"),
        ("/x/json/encoder.py", REST),
    ],
)
def test_a_file_has_its_group(path: str, group: str) -> None:
    asked = _framed(path, lambda: group_of(sys._getframe(1)))
    assert asked() == group


def test_the_innermost_group_has_the_sample() -> None:
    def nap(seconds: float) -> None:
        time.sleep(seconds)

    database = _framed("/x/django/db/backends/utils.py", nap)

    def both() -> None:
        database(0.3)
        nap(0.1)

    own = _framed(f"{ROOT}/removal/intake/submission.py", both)
    with sampled() as counts:
        own()
    parts = shares(counts)
    assert set(parts) == set(NAMES)
    assert sum(parts.values()) == pytest.approx(1)
    assert 0.55 < parts["database"] < 0.9
    assert parts["own code"] == pytest.approx(1 - parts["database"], abs=0.1)


def test_no_sample_is_no_share() -> None:
    assert set(shares(Counter()).values()) == {0.0}


def test_the_page_is_in_step_with_the_results() -> None:
    page = service_page.PAGE.read_text(encoding="utf-8")
    whole = load(service_page.SOURCE)[0] if service_page.SOURCE.is_file() else None
    assert page == service_page.page_in_step(page, whole), "run: python -m benchmarks.service_page"


def test_the_tables_show_every_round_and_every_share() -> None:
    one: dict[str, Any] = {
        "clients": 8,
        "count": 9,
        "per_second": 41.0,
        "p50_ms": 1.0,
        "p99_ms": 17.25,
    }
    core = {"site": 2.0, "worker": 0.5, "scheduler": 0.0, "clients": 0.25}
    one |= {"max_ms": 23.0, "core_ms_each": core}
    shared = {"ms_each": 3.5, "samples": 10, "shares": dict.fromkeys(NAMES, 0.125)}
    measured = {kind: [one] for kind in KINDS} | {"shares": dict.fromkeys(KINDS, shared)}
    begin = "<!-- rates: generated by python -m benchmarks.service_page -->"
    page = f"a\n{begin}\n\nold\n<!-- end of rates -->\nz"
    facts = {"memory_bytes": 2**30, "cores": 2, "cpu": "C", "python": "3", "date": "d"}
    whole = {
        "machine": {**facts, "load_average": [1.0]},
        "results": {"load_before": [0.1], "databases": {"sqlite": measured}},
    }
    filled = service_page.page_in_step(page, whole)
    assert "### On SQLite" in filled
    assert filled.count("| 41 | 1 ms | 17.2 ms | 23 ms | 2 ms of a core | 0.25 ms |") == len(KINDS)
    assert filled.count("12%") == len(KINDS) * len(NAMES)
    assert service_page.page_in_step(filled, None) == page.replace(
        "old\n", service_page.NOTHING + "\n"
    )
    assert "17.2" in shown("sqlite", measured)


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for 'rates'"):
        service_page.page_in_step("# Load\n", None)
