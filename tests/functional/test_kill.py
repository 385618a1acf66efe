"""A worker dies in mid-search, without a word, and the request is concluded all the same."""

import os
import signal
import time
from pathlib import Path

import pytest

from scripts.demo.pictures import pictures_make
from scripts.house import House
from scripts.web import Subject, Unexpected

PATIENCE = 60.0


def test_a_killed_workers_request_is_concluded_by_another(house: House, tmp_path: Path) -> None:
    subject = Subject(house.url)
    copy, screenshot, _other = pictures_make(tmp_path)
    subject.searched(subject.submit([copy.path])["receipt"])  # the worker has its models by now
    for _attempt in range(8):
        receipt = subject.submit([copy.path, screenshot.path])["receipt"]
        worker = house.process_id("worker")
        if killed_in_midsearch(subject, receipt, worker):
            break
    else:
        pytest.fail("the search was over too soon, eight times, to kill the worker within it")
    began = time.monotonic()
    status = subject.searched(receipt, seconds=PATIENCE)
    assert time.monotonic() - began < PATIENCE
    assert status["state"] == "in_review"
    assert status["found"]
    assert house.process_id("worker") != worker
    assert f"worker died (signal {signal.SIGKILL.name})" in house.words()


def killed_in_midsearch(subject: Subject, receipt: str, worker: int) -> bool:
    """Stop the worker once the search has begun; kill it if the search is not over by then."""
    ends = time.monotonic() + 30
    while subject.status(receipt)["state"] == "received":
        assert time.monotonic() < ends
    os.kill(worker, signal.SIGSTOP)
    if state_seen(subject, receipt) == "searching":
        os.kill(worker, signal.SIGKILL)
        return True
    os.kill(worker, signal.SIGCONT)
    return False


def state_seen(subject: Subject, receipt: str) -> str | None:
    """Return the request's state; None where the worker was stopped with SQLite's lock in its hand.

    A process that dies lets go of the lock, one that is merely stopped does not.
    """
    try:
        return str(subject.status(receipt)["state"])
    except Unexpected:
        return None
