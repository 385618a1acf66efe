"""Where the time of a submission and of a status look-up goes, by sampling one process.

Requests are answered one after the other by the service's own Django, in this process, while a
second thread notes every millisecond what the first is doing. A sample counts for the innermost
frame that belongs to a group: a wait for the database is the database's, however Django came to
it. The web server's sockets and threads are not in it: `benchmarks.service` measures from outside.
"""

import argparse
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import django

from benchmarks import ROOT

_OWN: Final = ("removal", "releases", "catalog", "indexer", "unlist", "config")
_OWN_CRYPTO: Final = ("custody/sealing", "custody/receipts", "life/sessions")
_OWN_FILES: Final = (
    *("removal/custody/blobs", "removal/custody/shred", "removal/custody/secrets"),
    "unlist/durable",
)
GROUPS: Final = (
    ("database", ("/django/db/backends/", "/psycopg", "/sqlite3/")),
    ("broker", ("/celery/", "/kombu/", "/amqp/", "/redis/", "/vine/")),
    ("pictures", (f"{ROOT}/indexer/decode", "/PIL/")),
    ("crypto", ("/cryptography/", "/hmac.py", *(f"{ROOT}/removal/{name}" for name in _OWN_CRYPTO))),
    ("files", tuple(f"{ROOT}/{name}" for name in _OWN_FILES)),
    ("Django", ("/django/", "/rest_framework/", "/drf_spectacular/", "/csp/")),
    ("own code", tuple(f"{ROOT}/{name}/" for name in _OWN)),
)
"""By part of a source file's path; the first that fits."""
REST: Final = "other"
NAMES: Final = (*(name for name, _ in GROUPS), REST)
_EVERY: Final = 0.001


def group_of(frame: FrameType | None) -> str:
    """Return the group of the innermost frame that belongs to one."""
    while frame is not None:
        path = frame.f_code.co_filename
        for name, parts in GROUPS:
            if any(part in path for part in parts):
                return name
        frame = frame.f_back
    return REST


@contextmanager
def sampled() -> Iterator[Counter[str]]:
    """Sample the calling thread while the block runs; the counts are whole at its end."""
    counts: Counter[str] = Counter()
    watched, done = threading.get_ident(), threading.Event()

    def watch() -> None:
        while not done.wait(_EVERY):
            counts[group_of(sys._current_frames().get(watched))] += 1  # noqa: SLF001  # the only way

    before = sys.getswitchinterval()
    sys.setswitchinterval(_EVERY / 10)  # a sample does not wait for the watched thread's turn
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield counts
    finally:
        done.set()
        watcher.join()
        sys.setswitchinterval(before)


def shares(counts: Counter[str]) -> dict[str, float]:
    """Return each group's part of all samples, those of no group included."""
    total = counts.total() or 1
    return {name: counts[name] / total for name in NAMES}


def measured(call: Callable[[int], object], *, seconds: float) -> dict[str, Any]:
    """Call for some seconds, sampled, after a few calls that do not count."""
    for n in range(3):
        call(n)
    done = 0
    began = time.perf_counter()
    with sampled() as counts:
        while time.perf_counter() - began < seconds:
            call(done)
            done += 1
    each = (time.perf_counter() - began) / done
    return {"ms_each": each * 1e3, "samples": counts.total(), "shares": shares(counts)}


def main() -> None:
    """Measure both and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--receipts", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    django.setup()
    facts = {
        "submit": measured(submitter(), seconds=asked.seconds),
        "status": measured(looker(asked.receipts.read_text().split()), seconds=asked.seconds),
    }
    asked.out.write_text(json.dumps(facts))


def submitter() -> Callable[[int], object]:
    """Return what submits the n-th request to the site in this process."""
    from benchmarks.service_load import submissions  # noqa: PLC0415  # apps loaded by now

    return _asker(submissions(), 201)


def looker(receipts: list[str]) -> Callable[[int], object]:
    """Return what looks up the n-th status."""
    from benchmarks.service_load import lookups  # noqa: PLC0415  # apps loaded by now

    return _asker(lookups(receipts), 200)


def _asker(calls: Sequence[Any], status: int) -> Callable[[int], object]:
    """Return what sends the n-th call; one client, so that middleware is loaded once."""
    from django.test import Client  # noqa: PLC0415  # apps loaded by now

    client = Client(SERVER_NAME="127.0.0.1")

    def ask(n: int) -> None:
        call = calls[n % len(calls)]
        answer = client.generic("POST", call.path, call.body, content_type=call.content_type)
        if answer.status_code != status:
            raise RuntimeError(f"{call.path} answered {answer.status_code}")

    return ask


if __name__ == "__main__":
    main()
