"""Peers, each in a Python environment of its own, driven from here as a child that stays alive.

A peer is a file `<name>.txt` beside this one: exact pins of the newest version and of everything
it needs. Its worker `<name>_worker.py` runs in that environment and answers calls (`serving.py`),
so that its timings can be interleaved with ours: same machine, same minute, same data files.

    with Peer("threatexchange", threads=1) as peer:
        peer.call("build", codes="/data/codes.npy")
        timings = interleaved({"ours": ours, "threatexchange": lambda: peer.timed("search")})
"""

import fcntl
import hashlib
import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

from benchmarks import ROOT, bench_dir

HERE: Final = Path(__file__).resolve().parent
# What the libraries in question read their number of threads from, at their start.
THREAD_VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
_STAMP: Final = ".ready"


class PeerUnknown(LookupError):
    """There is no list of pins by that name."""


class PeerNotInstalled(RuntimeError):
    """pip could not make the peer's environment; the sentence holds pip's own last words."""


class PeerFailed(RuntimeError):
    """A call to a peer's worker raised, took too long, or the worker died."""


class Measured(float):
    """Seconds that a peer measured itself, around its own work, without the way here and back."""


def peer_names() -> list[str]:
    """The peers there are, by name."""
    return sorted(path.stem for path in HERE.glob("*.txt"))


def peer_python(name: str) -> Path:
    """The interpreter of a peer's environment, made on first use and again when its pins change.

    Raises:
        PeerUnknown: there is no `<name>.txt`.
        PeerNotInstalled: pip failed, or the pins contradict each other.
    """
    pins = HERE / f"{name}.txt"
    if not pins.is_file():
        raise PeerUnknown(f"no peer {name!r}: there are {', '.join(peer_names())}")
    folder = bench_dir("venvs") / name
    stamp = _stamp_of(pins)
    with _locked(folder.with_suffix(".lock")):
        if not _is_ready(folder, stamp):
            _install(folder, pins)
            (folder / _STAMP).write_text(stamp, encoding="utf-8")
    return folder / "bin" / "python"


class Peer:
    """A peer's worker as a child process. Use it in a `with`, which ends the child."""

    def __init__(
        self, name: str, *, threads: int | None = None, timeout: float = 3600, worker: str = ""
    ) -> None:
        """Start the worker, once its environment stands.

        Args:
            name: of the list of pins.
            threads: how many its numeric libraries may use; None leaves them their defaults.
            timeout: seconds after which a call counts as failed.
            worker: the worker's module beside this file, where it is not `<name>_worker`.
        """
        self.name = name
        self.timeout = timeout
        self.log = bench_dir("logs") / f"{name}-{os.getpid()}.log"
        with self.log.open("w", encoding="utf-8") as log:
            self._child = subprocess.Popen(
                [peer_python(name), *worker_command(worker or f"{name}_worker")],
                cwd=ROOT,
                env=child_env(threads),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    @property
    def pid(self) -> int:
        """Of the worker, for `timing.watched_memory`."""
        return self._child.pid

    def call(self, function: str, **arguments: Any) -> Any:
        """What the worker's function returned, as JSON gives it back."""
        return self._ask(function, arguments)["result"]

    def timed(self, function: str, **arguments: Any) -> Measured:
        """The seconds that the worker's function took, by the worker's own clock."""
        return Measured(self._ask(function, arguments)["seconds"])

    def peak_rss(self) -> int:
        """Most bytes that the worker has had in memory so far, mapped file pages included."""
        return int(self._ask("peak_rss", {})["result"])

    def kill(self) -> None:
        """End the worker at once, whatever it is doing."""
        self._child.kill()
        self._child.wait()

    def close(self) -> None:
        """End the worker: it leaves at the end of its input."""
        if self._child.stdin is not None:
            with suppress(BrokenPipeError):  # it has died already: the call that saw it said so
                self._child.stdin.close()
        try:
            self._child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()
        if self._child.stdout is not None:
            self._child.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, function: str, arguments: dict[str, Any]) -> dict[str, Any]:
        asked, answers = self._child.stdin, self._child.stdout
        if asked is None or answers is None:
            raise PeerFailed(f"{self.name}: the worker has no pipes")
        try:
            asked.write(json.dumps({"call": function, "with": arguments}) + "\n")
            asked.flush()
        except BrokenPipeError:
            raise PeerFailed(self._death(function)) from None
        if not select.select([answers], [], [], self.timeout)[0]:
            raise PeerFailed(f"{self.name}: {function} gave no answer in {self.timeout:.0f} s")
        line = answers.readline()
        if not line:
            raise PeerFailed(self._death(function))
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise PeerFailed(f"{self.name}: {function} failed:\n{reply['error']}")
        return reply

    def _death(self, function: str) -> str:
        code = self._child.wait()
        last = "\n".join(self.log.read_text(encoding="utf-8").splitlines()[-20:])
        return f"{self.name}: the worker ended with {code} in {function}; its last words:\n{last}"


def worker_command(module: str) -> list[str]:
    """An interpreter's arguments that run a worker of this folder."""
    return ["-m", f"benchmarks.peers.{module}"]


def child_env(threads: int | None) -> dict[str, str]:
    """The environment for a child whose numeric libraries may use so many threads."""
    pinned = {} if threads is None else dict.fromkeys(THREAD_VARIABLES, str(threads))
    return {**os.environ, "PYTHONUNBUFFERED": "1", **pinned}


def _stamp_of(pins: Path) -> str:
    digest = hashlib.sha256(pins.read_bytes()).hexdigest()
    return f"{digest} python {sys.version_info.major}.{sys.version_info.minor}\n"


def _is_ready(folder: Path, stamp: str) -> bool:
    kept = folder / _STAMP
    return kept.is_file() and kept.read_text(encoding="utf-8") == stamp


def _install(folder: Path, pins: Path) -> None:
    print(f"Installing {pins.stem} into {folder} (once)", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    _ran([sys.executable, "-m", "venv", str(folder)], pins.stem)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    # Every package is pinned, so nothing needs resolving; `check` says if one is missing.
    _ran([*pip, "install", "--quiet", "--no-input", "--no-deps", "-r", str(pins)], pins.stem)
    _ran([*pip, "check"], pins.stem)


def _ran(command: list[str], name: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise PeerNotInstalled(f"the environment of {name} could not be made:\n{last}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a file's lock: two benches must not make one environment at the same time."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
