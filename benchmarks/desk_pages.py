"""Each page of the admin, asked for as a maintainer's browser does: how long, how many queries.

`benchmarks.desk` starts it as a child, on a database of its own. The time is that of the whole
answer in the process that gives it (middleware, queries, rendering), without a network.
"""

import argparse
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import django

QUEUE: Final = "/admin/removal/removalrequest/"
PAGE: Final = 50
SHOWN: Final = (
    "free", "mine", "second", "overdue", "soon", "asked", "written", "underway", "closed", "all",
    "escalated",
)  # fmt: skip
EVIDENCE: Final = ("sure", "mixed", "unsure", "none")


def pages(request_ids: Sequence[object], last: int) -> dict[str, str]:
    """Return every page to measure by its name; `last` is the number of the queue's last page."""
    both = "state__exact=released&category__exact=child"
    return {
        "front with dashboard": "/admin/",
        "queue": QUEUE,
        **{f"queue, {name}": f"{QUEUE}?show={name}" for name in SHOWN},
        **{f"queue, evidence {name}": f"{QUEUE}?evidence={name}" for name in EVIDENCE},
        "queue, evidence sure of all": f"{QUEUE}?show=all&evidence=sure",
        "queue, signs of abuse": f"{QUEUE}?flagged=new",
        "queue, by state and category": f"{QUEUE}?show=all&{both}",
        "queue, by due day": f"{QUEUE}?o=2",
        "queue, last page": f"{QUEUE}?p={last}",
        "one request": f"{QUEUE}{request_ids[0]}/change/",
        "settings of pictures": f"{QUEUE}pictures/",
        "audit log": "/admin/removal/auditentry/",
        "releases": "/admin/releases/release/",
        "ledger": "/admin/releases/listentry/",
        "datasets": "/admin/catalog/dataset/",
        "groups": "/admin/catalog/group/",
        "second factor": "/admin/second-factor/",
    }


def measured(client: Any, address: str, rounds: int) -> dict[str, Any]:
    """Ask for a page some times, after one that does not count."""
    from django.db import connection, reset_queries  # noqa: PLC0415  # apps loaded by now

    connection.force_debug_cursor = True
    reset_queries()
    answer = client.get(address)
    queries = len(connection.queries)
    connection.force_debug_cursor = False
    if answer.status_code != 200:
        raise RuntimeError(f"{address} answered {answer.status_code}")
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        client.get(address)
        taken.append(1e3 * (time.perf_counter() - began))
    return {
        "queries": queries,
        "median_ms": statistics.median(taken),
        "worst_ms": max(taken),
        "bytes": len(answer.content),
    }


def posted(client: Any, rounds: int) -> dict[str, Any]:
    """Press `Take the next` some times: each claims another request."""
    taken = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        answer = client.post(f"{QUEUE}next/")
        taken.append(1e3 * (time.perf_counter() - began))
        if answer.status_code != 302 or "/change/" not in answer.headers["Location"]:
            raise RuntimeError("there was no next request")
    return {"queries": 0, "median_ms": statistics.median(taken[1:]), "worst_ms": max(taken[1:])}


def signed_in() -> Any:
    """Return the browser of a maintainer with every right, both steps of the sign-in done."""
    from django.contrib.auth.models import User  # noqa: PLC0415  # apps loaded by now
    from django.test import Client  # noqa: PLC0415
    from django_otp import DEVICE_ID_SESSION_KEY  # noqa: PLC0415
    from django_otp.plugins.otp_totp.models import TOTPDevice  # noqa: PLC0415

    user = User.objects.create_superuser("maintainer")
    device = TOTPDevice.objects.create(user=user, name="app")
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(user)
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = device.persistent_id
    session.save()
    return client


def run(*, requests: int, each: int, rounds: int) -> Mapping[str, Any]:
    """Seed and measure."""
    from django.core.management import call_command  # noqa: PLC0415  # apps loaded by now

    from benchmarks.desk_seed import seed  # noqa: PLC0415
    from removal.models import Candidate, RemovalRequest, State  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    began = time.perf_counter()
    opened = seed(requests=requests, each=each, real=3)
    took = time.perf_counter() - began
    client = signed_in()
    last = -(-RemovalRequest.objects.filter(state=State.IN_REVIEW).count() // PAGE)
    found = {name: measured(client, to, rounds) for name, to in pages(opened, last).items()}
    found["take the next (POST)"] = posted(client, rounds)
    return {
        "requests": RemovalRequest.objects.count(),
        "candidates": Candidate.objects.count(),
        "seed_seconds": took,
        "pages": found,
    }


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--each", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    django.setup()
    found = run(requests=asked.requests, each=asked.each, rounds=asked.rounds)
    asked.out.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
