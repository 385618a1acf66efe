"""Keep a few child processes running: the site, its worker, its scheduler, its Redis.

What always holds: a child that dies is named and started again; one that keeps dying stops the
whole, loudly, for a service that is half there is worse than none; and when this process ends,
however it ends, no child outlives it (where the system can promise that).
"""

import collections
import functools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

DEATHS_BORNE = 5
WITHIN_SECONDS = 60.0
GRACE_SECONDS = 15.0


class ChildKeepsDying(Exception):
    """A child died too often in too short a time: it cannot be kept running."""


@dataclass
class Child:
    """One process: its name for messages, and how it is started."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    deaths: collections.deque[float] = field(default_factory=collections.deque)


class Supervisor:
    """Starts children in order, watches them, stops them in the opposite order."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        """Keep children whose working directory is `folder`; tell what happens through `say`."""
        self._folder = folder
        self._say = say
        self._children: list[Child] = []

    def start(self, child: Child) -> None:
        """Start `child` and keep it from now on."""
        self._children.append(child)
        self._run(child)

    def check(self) -> None:
        """Start again what has died.

        Raises:
            ChildKeepsDying: a child died more than `DEATHS_BORNE` times within `WITHIN_SECONDS`.
        """
        for child in self._children:
            if child.process is None or child.process.poll() is None:
                continue
            self._say(f"{child.name} died ({_cause(child.process.returncode)}); starting it again")
            _bear(child)
            self._run(child)

    def stop(self) -> None:
        """End every child, the last started first: ask, wait, then kill."""
        while self._children:
            child = self._children.pop()
            if child.process is not None:
                _end(child.process)

    def _run(self, child: Child) -> None:
        # A session of its own: Ctrl-C at the terminal reaches this process alone, which then
        # stops the children in their order.
        child.process = subprocess.Popen(
            [*_dies_with_parent(), *child.command],
            cwd=self._folder,
            env={**os.environ, **child.env},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._say(f"{child.name} started (process {child.process.pid})")


def _bear(child: Child) -> None:
    now = time.monotonic()
    child.deaths.append(now)
    while child.deaths and child.deaths[0] < now - WITHIN_SECONDS:
        child.deaths.popleft()
    if len(child.deaths) > DEATHS_BORNE:
        raise ChildKeepsDying(
            f"{child.name} died {len(child.deaths)} times within {WITHIN_SECONDS:.0f} seconds, "
            "so everything was stopped: see its words above; `python manage.py doctor` "
            "tells what may be missing"
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:  # leases and the database make this safe
        process.kill()
        process.wait()


def _cause(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


@functools.cache
def _dies_with_parent() -> tuple[str, ...]:
    """Return the prefix that has the kernel end a child when this process is killed."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return ()
    prefix = (setpriv, "--pdeathsig", "TERM")
    tried = subprocess.run([*prefix, "true"], check=False, capture_output=True)
    return prefix if tried.returncode == 0 else ()
