"""The worker's side: functions answered over standard input and output, one JSON line each.

Runs in a peer's environment, so it needs the standard library alone. Arrays travel as paths of
`.npy` files, never through the pipe. Whatever a library prints goes to the log, not between the
answers. A function may return a `Timed`, when only a part of it is to count.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO


@dataclass(frozen=True, slots=True)
class Timed:
    """A result whose function took the time itself.

    Attributes:
        result: anything that JSON can carry.
        seconds: what is to count.
    """

    result: Any
    seconds: float


def serve(functions: Mapping[str, Callable[..., Any]]) -> None:
    """Answer calls until the input ends."""
    answers = _own_output()
    for line in sys.stdin:
        print(json.dumps(answer({"peak_rss": peak_rss, **functions}, line)), file=answers)
        answers.flush()


def answer(functions: Mapping[str, Callable[..., Any]], line: str) -> dict[str, Any]:
    """Call the function that a line asks for; a fault becomes an answer too."""
    try:
        asked = json.loads(line)
        function = functions[asked["call"]]
        began = time.perf_counter()
        result = function(**asked["with"])
        seconds = time.perf_counter() - began
    except Exception:  # noqa: BLE001 - whatever a peer raises is told to the bench
        return {"error": traceback.format_exc()}
    if isinstance(result, Timed):
        return {"result": result.result, "seconds": result.seconds}
    return {"result": result, "seconds": seconds}


def peak_rss() -> int:
    """Most bytes this process has had in memory, by the kernel's own high-water mark.

    Not `getrusage`, whose figure includes what the parent held when it started this process.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _own_output() -> TextIO:
    """Keep standard output for the answers; prints of libraries go to standard error."""
    kept = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return kept
