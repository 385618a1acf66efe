"""Guessing receipts tells nothing: what is mistyped is not looked up, and of the rest a code that
was purged is answered as one that never was: the same bytes, the same queries, the same time.

Times are compared over 2,000 interleaved calls of the whole application, in this process. So that
"no difference was found" means something, the same test is asked of calls that do differ: by the
opening that the decoy makes up for, the fault that is guarded against.
"""

import gc
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from scipy import stats

from removal.custody import receipts
from removal.life.destroying import request_erase
from removal.selectors import subject
from tests.removal import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]

CALLS = 1000  # of either kind
FEW_CALLS = 250  # show the fault already: its value then is smaller than any that chance gives
CODES = 20
# Equal distributions are called different once in ten thousand runs; the fault that is guarded
# against gives values many orders of magnitude smaller.
SURE = 1e-4


def looked_up(client: Client, code: str) -> bytes:
    answer = client.post(
        "/api/v1/status/", json.dumps({"receipt": code}), content_type="application/json"
    )
    assert answer.status_code == 404
    return answer.content + answer.serialize_headers()


def purged_codes() -> list[str]:
    """Return the codes of requests that were made, and of which no trace is left."""
    codes = []
    for _ in range(CODES):
        case = factories.received()
        codes.append(case.receipt)
        request_erase(case.request_id)
    return codes


def unknown_codes() -> list[str]:
    return [receipts.mint() for _ in range(CODES)]


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep this process's own housekeeping out of the times."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def timed(
    one: Callable[[int], object], other: Callable[[int], object], *, calls: int = CALLS
) -> list[list[float]]:
    """Time both, interleaved in random order, so that what slows the machine slows both alike."""
    times: list[list[float]] = [[], []]
    order, kinds = random.Random(7), (one, other)
    with undisturbed():
        for n in range(calls):
            for kind in order.sample((0, 1), 2):
                began = time.perf_counter()
                kinds[kind](n)
                times[kind].append(time.perf_counter() - began)
    return times


def told_apart(times: Sequence[Sequence[float]]) -> float:
    """Return the smaller p-value of two tests: by rank within neighbors, and of the whole shape."""
    one, other = times
    paired = stats.wilcoxon(one, other).pvalue
    whole = stats.ks_2samp(one, other).pvalue
    return float(min(paired, whole))


@pytest.mark.parametrize("place", [0, 7, 25])
def test_a_mistyped_code_is_told_without_a_look_up(client: Client, place: int) -> None:
    code = factories.received().receipt.replace("-", "")
    slipped = receipts.ALPHABET[(receipts.ALPHABET.index(code[place]) + 1) % 32]
    wrong = code[:place] + slipped + code[place + 1 :]
    for address, kind in [("/api/v1/status/", "application/json"), ("/status/", None)]:
        with CaptureQueriesContext(connection) as queries:
            body = {"receipt": wrong}
            answer = (
                client.post(address, json.dumps(body), content_type=kind)
                if kind
                else client.post(address, body)
            )
        assert (answer.status_code, len(queries)) == (400, 0)
        assert b"mistyped" in answer.content


def test_unknown_and_purged_codes_are_the_same_bytes_after_the_same_queries(client: Client) -> None:
    seen = []
    for code in (purged_codes()[0], unknown_codes()[0]):
        with CaptureQueriesContext(connection) as queries:
            answer = looked_up(client, code)
        seen.append((answer, [query["sql"].split("receipt_tag")[0] for query in queries]))
    assert seen[0] == seen[1]
    assert len(seen[0][1]) == 2


@pytest.mark.timeout(900)
def test_unknown_and_purged_codes_take_the_same_time(client: Client) -> None:
    purged, unknown = purged_codes(), unknown_codes()
    for code in (*purged, *unknown):
        looked_up(client, code)
    times = timed(
        lambda n: looked_up(client, purged[n % CODES]),
        lambda n: looked_up(client, unknown[n % CODES]),
    )
    assert told_apart(times) > SURE


@pytest.mark.timeout(900)
def test_the_same_test_tells_a_missing_decoy(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a code without request would save, were nothing opened for it: it shows at once."""
    unknown, decoy = unknown_codes(), subject._decoy_opened
    for code in unknown:
        looked_up(client, code)

    def bare(n: int) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(subject, "_decoy_opened", lambda: None)
            looked_up(client, unknown[n % CODES])

    def whole(n: int) -> None:
        with monkeypatch.context() as patch:  # patched as well, so that patching costs both alike
            patch.setattr(subject, "_decoy_opened", decoy)
            looked_up(client, unknown[n % CODES])

    assert told_apart(timed(bare, whole, calls=FEW_CALLS)) < SURE / 1000
