"""Timings take turns, and memory is what the kernel says."""

import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import ROOT
from benchmarks.peers import Measured
from benchmarks.timing import (
    CommandFailed,
    Timing,
    interleaved,
    ratios,
    thread_facts,
    threads,
    watched_run,
)

_MIB = 2**20


def test_contestants_take_turns_and_each_is_first_equally_often() -> None:
    order: list[str] = []
    contestants = {name: lambda name=name: order.append(name) for name in "abc"}
    interleaved(contestants, rounds=6, warmup=0)
    rounds = [order[start : start + 3] for start in range(0, 18, 3)]
    assert all(sorted(one) == ["a", "b", "c"] for one in rounds)
    assert sorted(one[0] for one in rounds) == ["a", "a", "b", "b", "c", "c"]


def test_warm_up_rounds_do_not_count() -> None:
    calls: list[int] = []
    timings = interleaved({"one": lambda: calls.append(1)}, rounds=3, warmup=2)
    assert len(calls) == 5
    assert len(timings["one"].seconds) == 3


def test_what_a_peer_measured_itself_counts_instead_of_the_clock() -> None:
    assert interleaved({"peer": lambda: Measured(4.0)}, rounds=2)["peer"].seconds == (4.0, 4.0)


def test_nothing_to_time_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one contestant"):
        interleaved({})
    with pytest.raises(ValueError, match="one round"):
        interleaved({"one": lambda: None}, rounds=0)


def test_ratios_are_taken_within_a_round_so_that_a_slow_minute_drops_out() -> None:
    timings = {"ours": Timing((1.0, 10.0, 1.0)), "peer": Timing((3.0, 30.0, 4.0))}
    assert ratios(timings) == {"peer": 3.0}


def test_figures_of_a_timing() -> None:
    timing = Timing((3.0, 1.0, 2.0)).per(2)
    assert timing.as_json() == {"min_s": 0.5, "median_s": 1.0, "max_s": 1.5, "rounds": 3}


def pools() -> list[tuple[str, int]]:
    """Some libraries bring a pool of the same name each: FAISS and torch a libgomp."""
    return sorted((pool["library"], pool["threads"]) for pool in thread_facts())


def test_threads_are_limited_and_given_back() -> None:
    np.ones((4, 4)) @ np.ones((4, 4))
    with threads(1):
        pass  # torch sets up its pool when it is first asked
    before = pools()
    with threads(1):
        during = pools()
    assert {count for _, count in during} == {1}
    assert pools() == before


_HOLD_FOR_A_MOMENT = """
import json, time
from benchmarks.timing import watched_memory

with watched_memory(every=0.005) as peak:
    held = b"x" * (96 << 20)
    time.sleep(0.3)
    del held
print(json.dumps(peak.as_json()))
"""


def test_memory_held_for_a_moment_is_seen() -> None:
    # In a process of its own: this one's may fall by as much in the same moment.
    command = [sys.executable, "-c", _HOLD_FOR_A_MOMENT]
    ran = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
    peak = json.loads(ran.stdout)
    assert 90 * _MIB < peak["anon"] - peak["anon_at_start"] < 160 * _MIB
    assert peak["rss"] >= peak["anon"]


def test_a_command_is_timed_with_its_memory() -> None:
    hold = "import time; held = b'x' * (128 << 20); time.sleep(0.3)"
    ran = watched_run([sys.executable, "-c", hold])
    assert ran.seconds > 0.3
    assert ran.peak.anon > 128 * _MIB


def test_a_command_that_fails_is_never_a_figure() -> None:
    with pytest.raises(CommandFailed, match="ended with 7"):
        watched_run([sys.executable, "-c", "raise SystemExit(7)"])
