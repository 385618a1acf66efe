"""What a bench says: a table on the terminal, a JSON file with the machine's facts, and verdicts.

A bench module ends with `finish`; its results are plain numbers, its targets the figures that the
project promised. A target that is not reached is a finding, shown as such; a run that fails is a
failure and must raise.
"""

import argparse
import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks import RESULTS, ROOT, bench_dir
from benchmarks.peers import THREAD_VARIABLES
from benchmarks.timing import thread_facts

_PACKAGES: Final = (
    "faiss-cpu", "imagehash", "numba", "numpy", "open_clip_torch", "opencv-python-headless",
    "pdqhash", "pillow", "pyarrow", "timm", "torch",
)  # fmt: skip
# Set from outside, these change what a numeric library does.
_VARIABLES: Final = (*THREAD_VARIABLES, "OPENBLAS_CORETYPE", "MALLOC_ARENA_MAX", "LD_PRELOAD")


@dataclass(frozen=True, slots=True)
class Target:
    """A promised figure and the measured one.

    Attributes:
        name: what was measured, at which size.
        goal: the promised figure.
        measured: the figure found; None where this run did not measure it (a quick one).
        at_least: whether more is better.
        unit: of both.
        note: what a reader must know beside it.
    """

    name: str
    goal: float
    measured: float | None
    at_least: bool = True
    unit: str = ""
    note: str = ""

    @property
    def verdict(self) -> str:
        """One of `reached`, `not reached`, `not measured`."""
        if self.measured is None:
            return "not measured"
        if not math.isfinite(self.measured):
            return "not reached"
        good = self.measured >= self.goal if self.at_least else self.measured <= self.goal
        return "reached" if good else "not reached"

    def row(self) -> list[str]:
        """Its line in the table of targets."""
        sign = "≥" if self.at_least else "≤"
        found = "-" if self.measured is None else number(self.measured)
        goal = f"{sign} {number(self.goal)} {self.unit}".rstrip()
        return [self.verdict, self.name, found, goal, self.note]


def quick_parser(description: str | None) -> argparse.ArgumentParser:
    """A bench's command line: `--quick` runs it small, to see that it works."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="small data and few rounds: figures prove nothing"
    )
    return parser


def at_least_one(text: str) -> int:
    """A count on a command line. Of no rows there is nothing to write or to measure."""
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number.") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too few: ask for 1 at least.")
    return number


def finish(
    name: str, results: Mapping[str, Any], targets: Sequence[Target] = (), *, quick: bool
) -> Path:
    """Save a bench's results, print its targets, and say where the file is."""
    if targets:
        print("\n" + targets_table(targets))
    path = save(name, results, targets, quick=quick)
    print(f"\n{name}: saved in {path}", flush=True)
    return path


def save(
    name: str, results: Mapping[str, Any], targets: Sequence[Target] = (), *, quick: bool = False
) -> Path:
    """Write `<name>.json` with the machine's facts; a quick run's never replaces a full one's.

    Raises:
        ValueError: a result is not a number that JSON knows (NaN, infinity).
    """
    path = results_dir(quick=quick) / f"{name}.json"
    whole = {
        "bench": name,
        "quick": quick,
        "machine": machine(),
        "results": results,
        "targets": [{**asdict(target), "verdict": target.verdict} for target in targets],
    }
    text = json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False, default=_plain)
    working = path.with_suffix(".tmp")
    working.write_text(text + "\n", encoding="utf-8")
    working.replace(path)
    return path


def results_dir(*, quick: bool) -> Path:
    """Where results lie: in the repository, or with the data for a quick run."""
    if quick:
        return bench_dir("quick-results")
    RESULTS.mkdir(exist_ok=True)
    return RESULTS


def load(path: Path) -> tuple[dict[str, Any], list[Target]]:
    """A saved file and its targets."""
    whole: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    known = Target.__dataclass_fields__
    targets = [
        Target(**{key: value for key, value in one.items() if key in known})
        for one in whole["targets"]
    ]
    return whole, targets


def machine() -> dict[str, Any]:
    """The facts that a figure depends on."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": cpu_model(Path("/proc/cpuinfo").read_text(encoding="utf-8")),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": psutil.virtual_memory().total,
        "load_average": [round(one, 2) for one in os.getloadavg()],
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "commit": _commit(),
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
        "threads": thread_facts(),
        "environment": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
    }


def machine_line(facts: Mapping[str, Any]) -> str:
    """The facts in one line."""
    memory = facts["memory_bytes"] / 2**30
    load_average = ", ".join(str(one) for one in facts["load_average"])
    return (
        f"{facts['cpu']}, {facts['cores']} cores, {memory:.0f} GiB, Python {facts['python']}, "
        f"{facts['date']}, load {load_average}"
    )


def cpu_model(cpuinfo: str) -> str:
    """The processor's name from the text of /proc/cpuinfo."""
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == "model name"), "?")


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows under headers in columns; numbers to three digits, to the right."""
    cells = [[number(cell) if isinstance(cell, float) else str(cell) for cell in r] for r in rows]
    right = [
        bool(cells) and all(_numeric(r[place]) for r in cells) for place in range(len(headers))
    ]
    lines = [list(headers), *cells]
    widths = [max(len(line[place]) for line in lines) for place in range(len(headers))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def targets_table(targets: Iterable[Target]) -> str:
    """Each target with its verdict."""
    return table(["verdict", "target", "measured", "goal", "note"], [one.row() for one in targets])


def number(value: float) -> str:
    """A figure as people read it: three digits, thousands set apart."""
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _numeric(cell: str) -> bool:
    return not cell.strip("0123456789.,-+e% ") and cell != ""


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> str:
    """The checkout's commit, with a + where files differ from it; empty outside a checkout."""
    git = ["git", "-C", str(ROOT)]
    head = subprocess.run(
        [*git, "rev-parse", "--short", "HEAD"], check=False, capture_output=True, text=True
    )
    changed = subprocess.run(
        [*git, "status", "--porcelain", "--untracked-files=no"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's."""
    if hasattr(value, "item"):
        return value.item()
    print(f"report: {type(value).__name__} cannot be saved", file=sys.stderr)
    raise TypeError(f"{type(value).__name__} is not a result that JSON can carry")
