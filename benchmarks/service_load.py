"""Clients that knock at the site as fast as it answers; each waits for one answer at a time.

`benchmarks.service` starts it as a child, so that the clients' own work is counted apart. A round
in which any answer is not the one expected measures nothing, and fails.
"""

import argparse
import http.client
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from urllib3 import encode_multipart_formdata

from benchmarks.endtoend_stages import photos

API: Final = "/api/v1"
EXPECTED: Final = {"submit": 201, "status": 200}
_PHOTOS: Final = 8
_NOTE: Final = "It was taken at work, in 2019. " * 4


class LoadFailed(RuntimeError):
    """The site answered otherwise than it should."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, ready to be sent again and again."""

    path: str
    body: bytes
    content_type: str


@dataclass(slots=True)
class Round:
    """What one round of clients measured: seconds of every answer, and receipts that came."""

    kind: str
    seconds: list[float] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def heard(self, took: float, status: int, body: bytes) -> None:
        """Take down one answer."""
        with self.lock:
            self.seconds.append(took)
            if status != EXPECTED[self.kind]:
                self.faults.append(f"{status}: {body[:200]!r}")
            elif self.kind == "submit":
                self.receipts.append(json.loads(body)["receipt"])

    def facts(self, elapsed: float, clients: int) -> dict[str, Any]:
        """Return what is saved.

        Raises:
            LoadFailed: an answer was wrong, or none came.
        """
        if self.faults or not self.seconds:
            raise LoadFailed(f"{len(self.faults)} of {len(self.seconds)}: {self.faults[:1]}")
        taken = np.array(self.seconds) * 1e3
        p50, p90, p99 = np.percentile(taken, [50, 90, 99]).tolist()
        return {
            "clients": clients,
            "seconds": elapsed,
            "count": len(self.seconds),
            "per_second": len(self.seconds) / elapsed,
            "p50_ms": p50,
            "p90_ms": p90,
            "p99_ms": p99,
            "max_ms": float(taken.max()),
        }


def submissions() -> list[Call]:
    """Return requests with one photo of a phone's size on screen, a note and an address."""
    calls = []
    for n, data in enumerate(photos(None, _PHOTOS)):
        fields: list[tuple[str, Any]] = [("photos", (f"{n}.jpg", data)), ("note", _NOTE)]
        fields += [("urls", f"https://example.org/{n}.jpg"), ("category", "personal")]
        body, kind = encode_multipart_formdata(fields)
        calls.append(Call(f"{API}/requests/", body, kind))
    return calls


def lookups(receipts: Sequence[str]) -> list[Call]:
    """Return look-ups of the status that each receipt opens."""
    bodies = (json.dumps({"receipt": receipt}).encode() for receipt in receipts)
    return [Call(f"{API}/status/", body, "application/json") for body in bodies]


def played(
    address: tuple[str, int], kind: str, calls: Sequence[Call], *, clients: int, seconds: float
) -> tuple[Round, float]:
    """Let `clients` send the calls in turn for some seconds; return what they heard, and how long.

    Each client keeps its connection, as a browser does.
    """
    played_round = Round(kind)
    begins = threading.Barrier(clients + 1)
    ends = [0.0]

    def client(first: int) -> None:
        connection = http.client.HTTPConnection(*address, timeout=120)
        begins.wait()
        turn = first
        while time.perf_counter() < ends[0]:
            _ask(connection, calls[turn % len(calls)], played_round)
            turn += clients
        connection.close()

    threads = [threading.Thread(target=client, args=(first,)) for first in range(clients)]
    for thread in threads:
        thread.start()
    ends[0] = time.perf_counter() + seconds
    began = time.perf_counter()
    begins.wait()
    for thread in threads:
        thread.join()
    return played_round, time.perf_counter() - began


def _ask(connection: http.client.HTTPConnection, call: Call, heard: Round) -> None:
    began = time.perf_counter()
    try:
        connection.request("POST", call.path, call.body, {"Content-Type": call.content_type})
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        heard.heard(time.perf_counter() - began, 0, repr(error).encode())
        connection.close()
        return
    heard.heard(time.perf_counter() - began, answer.status, body)


def main() -> None:
    """Play one round and write what it measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=list(EXPECTED))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--receipts", type=Path, required=True, help="read from, or written to")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    known = asked.receipts.read_text().split() if asked.receipts.exists() else []
    calls = submissions() if asked.kind == "submit" else lookups(known)
    address = ("127.0.0.1", asked.port)
    cpu = time.process_time()
    heard, elapsed = played(
        address, asked.kind, calls, clients=asked.clients, seconds=asked.seconds
    )
    facts = heard.facts(elapsed, asked.clients)
    facts["client_core_seconds"] = time.process_time() - cpu
    asked.receipts.write_text("\n".join([*known, *heard.receipts]))
    asked.out.write_text(json.dumps(facts))


if __name__ == "__main__":
    main()
