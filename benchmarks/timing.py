"""Timings that can be compared: contestants take turns, so that a busy minute hits all alike."""

import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any, Final

import psutil
from threadpoolctl import threadpool_info, threadpool_limits

from benchmarks.peers import Measured, child_env

OURS: Final = "ours"


@dataclass(frozen=True, slots=True)
class Timing:
    """One contestant's seconds per call, round by round."""

    seconds: tuple[float, ...]

    @property
    def fastest(self) -> float:
        """The best round."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """The round in the middle: the figure to quote."""
        return statistics.median(self.seconds)

    @property
    def slowest(self) -> float:
        """The worst round."""
        return max(self.seconds)

    def per(self, count: int) -> "Timing":
        """The same per item, where one call does `count` of them."""
        return Timing(tuple(one / count for one in self.seconds))

    def as_json(self) -> dict[str, Any]:
        """What is saved: seconds."""
        return {
            "min_s": self.fastest,
            "median_s": self.median,
            "max_s": self.slowest,
            "rounds": len(self.seconds),
        }


def interleaved(
    contestants: Mapping[str, Callable[[], object]], *, rounds: int = 7, warmup: int = 1
) -> dict[str, Timing]:
    """Time contestants in turns.

    Each round calls every contestant once, another one first each time. A callable that returns
    `Measured` (as `Peer.timed` does) counts with those seconds; any other by the clock here.

    Args:
        contestants: callables by name.
        rounds: how many calls of each count.
        warmup: how many before them do not.
    """
    if not contestants or rounds < 1:
        raise ValueError("interleaved needs at least one contestant and one round")
    names = list(contestants)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(-warmup, rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            took = timed(contestants[name])
            if turn >= 0:
                seconds[name].append(took)
    return {name: Timing(tuple(taken)) for name, taken in seconds.items()}


def timed(function: Callable[[], object]) -> float:
    """Seconds of one call, or those that it measured itself."""
    began = time.perf_counter()
    result = function()
    took = time.perf_counter() - began
    return float(result) if isinstance(result, Measured) else took


def ratios(timings: Mapping[str, Timing], *, ours: str = OURS) -> dict[str, float]:
    """How many times longer each other contestant takes than `ours`.

    The median over the rounds of the ratio within a round: what slowed a whole round drops out.
    """
    base = timings[ours].seconds
    return {
        name: statistics.median(a / b for a, b in zip(timing.seconds, base, strict=True))
        for name, timing in timings.items()
        if name != ours
    }


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let the numeric libraries of this process (BLAS, OpenMP, Numba, torch) use `count` threads.

    Numba and torch are limited only where they are already imported: import them first.
    """
    numba, torch = sys.modules.get("numba"), sys.modules.get("torch")
    before = (numba.get_num_threads() if numba else 0, torch.get_num_threads() if torch else 0)
    with threadpool_limits(count):
        _set_threads(numba, torch, (count, count))
        try:
            yield
        finally:
            _set_threads(numba, torch, before)


def thread_facts() -> list[dict[str, Any]]:
    """The pools that the loaded libraries have, and how many threads each may use now."""
    return [
        {"library": pool["prefix"], "threads": pool["num_threads"]} for pool in threadpool_info()
    ]


@dataclass(slots=True)
class Peak:
    """The most memory that a process and its descendants held at any one sample, in bytes.

    Attributes:
        rss: resident, mapped file pages included (they can be dropped at any time).
        anon: resident and of the processes' own: what the machine must really have.
        started, started_rss: what `anon` and `rss` were at the first sample.
    """

    rss: int = 0
    anon: int = 0
    started: int | None = None
    started_rss: int | None = None

    def sample(self, pid: int) -> None:
        """Look once."""
        rss, anon = tree_memory(pid)
        if self.started is None:
            self.started, self.started_rss = anon, rss
        self.rss, self.anon = max(self.rss, rss), max(self.anon, anon)

    def as_json(self) -> dict[str, int | None]:
        """What is saved: bytes."""
        return {"rss": self.rss, "anon": self.anon, "anon_at_start": self.started}


@contextmanager
def watched_memory(pid: int | None = None, *, every: float = 0.02) -> Iterator[Peak]:
    """Sample the memory of a process tree while the block runs.

    Args:
        pid: the root of the tree; this process where it is not given.
        every: seconds between samples.
    """
    root = psutil.Process(pid).pid
    peak, done = Peak(), threading.Event()
    peak.sample(root)

    def watch() -> None:
        while not done.wait(every):
            peak.sample(root)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()
        peak.sample(root)


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended well: its wall-clock seconds and its tree's peak memory."""

    seconds: float
    peak: Peak


class CommandFailed(RuntimeError):
    """A command that a bench measures ended with an error."""


def watched_run(command: Sequence[str | Path], *, threads: int | None = None, **more: Any) -> Ran:
    """Run a command to its end, watching its memory.

    Args:
        command: program and arguments.
        threads: how many its numeric libraries may use.
        more: for `subprocess.Popen`.

    Raises:
        CommandFailed: it ended with an error.
    """
    began = time.perf_counter()
    with (
        Popen(list(command), env=child_env(threads), **more) as child,
        watched_memory(child.pid) as peak,
    ):
        code = child.wait()
    took = time.perf_counter() - began
    if code:
        raise CommandFailed(f"{' '.join(map(str, command))} ended with {code}")
    return Ran(took, peak)


def tree_memory(pid: int) -> tuple[int, int]:
    """Bytes resident, and of those anonymous, of a process and its descendants now."""
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0, 0
    parts = [_memory(process.pid) for process in tree]
    return sum(rss for rss, _ in parts), sum(anon for _, anon in parts)


def _memory(pid: int) -> tuple[int, int]:
    """One process's resident and anonymous bytes; zeros for one that has just ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0
    sizes = {
        line.split(":")[0]: int(line.split()[1]) * 1024
        for line in status.splitlines()
        if line.startswith(("VmRSS:", "RssAnon:"))
    }
    return sizes.get("VmRSS", 0), sizes.get("RssAnon", 0)


def _set_threads(numba: Any, torch: Any, counts: tuple[int, int]) -> None:
    if numba and counts[0]:
        numba.set_num_threads(min(counts[0], numba.config.NUMBA_NUM_THREADS))
    if torch and counts[1]:
        torch.set_num_threads(counts[1])
