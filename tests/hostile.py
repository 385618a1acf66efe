"""The hostile pictures that foreign vectors bring, and the bounds that every way in keeps.

Used where the vectors lie beside the project; without them the cases are none. The bound on time is
one on computing: what a file costs is then told the same on an idle machine and on a busy one, and
what it costs is never less than how long it takes where nothing else runs.
"""

import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

from indexer.decode import FORMATS, process
from tests.conftest import VECTORS

FOLDER: Final = VECTORS / "hostile-images"
SECONDS: Final = 2.0
"""Of computing, in all threads and processes that a file keeps busy. Nothing widens it."""
MEGABYTES: Final = 300
_TICKS: Final = os.sysconf("SC_CLK_TCK")

T = TypeVar("T")


def manifest() -> dict[str, Any]:
    """What is expected of each file."""
    expected = FOLDER / "expected.json"
    if not expected.is_file():
        return {"cases": [], "upload_names": []}
    found: dict[str, Any] = json.loads(expected.read_text())
    return found


def expected_of(case: dict[str, Any]) -> str:
    """`accept`, `reject` or another word of the manifest; `optional` hangs on the libraries."""
    expect = str(case["expect"])
    if expect == "optional":
        return "accept" if case["file"].rpartition(".")[2].upper() in FORMATS else "reject"
    return expect


def computing(act: Callable[[], T]) -> tuple[T, float]:
    """Act; return what came of it, and how many seconds of computing it took."""
    before = computed()
    result = act()
    return result, computed() - before


def computed() -> float:
    """Seconds that this process and all that it ever started have computed so far."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    living = sum(_computed_by(child) for child in _children_of(os.getpid()))
    return time.process_time() + ended.ru_utime + ended.ru_stime + living


def _computed_by(process: int) -> float:
    """Seconds of a process, of those that it started, and of those of them that have ended."""
    below = sum(_computed_by(child) for child in _children_of(process))
    words = _told(Path(f"/proc/{process}/stat")).rpartition(")")[2].split()
    return below + sum(map(int, words[11:15])) / _TICKS  # its own, and of its ended ones


def _children_of(process: int) -> list[int]:
    try:
        threads = list(Path(f"/proc/{process}/task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return []  # it has ended
    return [int(child) for thread in threads for child in _told(thread / "children").split()]


def _told(file: Path) -> str:
    """Return what the kernel tells of a process; nothing where it has ended meanwhile."""
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def own_peak() -> float:
    """The most memory that this process ever held, in megabytes.

    What decodes is another process: `tests/indexer/test_decode_child.py` holds it to `MEGABYTES`.
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def acting(monkeypatch: pytest.MonkeyPatch, act: str) -> None:
    """Have the process of each picture do something in place of decoding it."""
    code = f"import os, signal, time, indexer.decode.child as c\ndef act(*_, **__):\n    {act}\n"
    code += "c.pixels_decode = act\n"
    patched = process._MAIN.replace("; ", "\n").replace("from indexer", f"{code}from indexer", 1)
    monkeypatch.setattr(process, "_COMMAND", (*process._COMMAND[:-1], patched))
