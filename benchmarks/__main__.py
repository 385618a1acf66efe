"""`python -m benchmarks`: list the benches, or run them all, in order, each in its own process.

What always holds: a bench whose run fails, or that leaves no result of this run behind, makes the
exit code 1, and the rest still run. A target that is not reached is shown as such; it changes
the exit code (to 3) only with `--strict`.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import ROOT, bench_dir, report
from benchmarks.report import Target


@dataclass(frozen=True, slots=True)
class Bench:
    """A module `benchmarks.<name>`, which ends with `report.finish`.

    Attributes:
        name: of the module.
        subject: what it measures.
        words: what it is called with.
        quick: what beside them makes it small.
        saved: name of its file of results, where that is another than the module's.
    """

    name: str
    subject: str
    words: tuple[str, ...] = ()
    quick: tuple[str, ...] = ("--quick",)
    saved: str = ""

    def command(self, *, quick: bool) -> list[str]:
        """What runs it."""
        more = self.quick if quick else ()
        return [sys.executable, "-m", f"benchmarks.{self.name}", *self.words, *more]

    def results(self, *, quick: bool) -> Path:
        """The file that it leaves."""
        return report.results_dir(quick=quick) / f"{self.saved or self.name}.json"


BENCHES: Final = (
    Bench("hamming", "exact search within a radius, beside threatexchange and FAISS"),
    Bench("vectors", "nearest embeddings: recall, time, bytes, beside FAISS flat and autofaiss"),
    Bench("ingest", "pictures to fingerprints, beside threatexchange's PDQ; memory of indexing"),
    Bench(
        "quality",
        "which copies are found and which strangers are not; calibration",
        words=("--trial", "test"),
        quick=("--limit", "12", "--plots", str(bench_dir("plots"))),
        saved="quality-test",
    ),
    Bench("scale", "bytes, seconds and memory per row at growing sizes, with fitted slopes"),
    Bench("endtoend", "one dataset from indexing to requests concluded, 100 against 1"),
    Bench("service", "submissions and status look-ups a second, and where their time goes"),
    Bench("desk", "the maintainers' pages with 20,000 requests and two million rows"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a bench went: whether it ran, how long, and its targets."""

    bench: Bench
    fault: str
    seconds: float
    targets: Sequence[Target] = ()

    def row(self) -> list[object]:
        """Its line in the table of runs."""
        return [self.bench.name, self.fault or "ran", f"{self.seconds:.0f} s"]


def main(words: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; return the exit code."""
    asked = _parser().parse_args(words)
    if not asked.all and not asked.names:
        print(report.table(["bench", "measures"], [[one.name, one.subject] for one in BENCHES]))
        print("\npython -m benchmarks --all [--quick]  runs them; so does `make bench [QUICK=1]`")
        return 0
    wanted = [one for one in BENCHES if asked.all or one.name in asked.names]
    print(report.machine_line(report.machine()), flush=True)
    return concluded([run(one, quick=asked.quick) for one in wanted], strict=asked.strict)


def run(bench: Bench, *, quick: bool) -> Outcome:
    """Run one bench to its end and read what it saved."""
    print(f"\n=== {bench.name}: {bench.subject}", flush=True)
    wall, began = time.time(), time.monotonic()
    code = exit_code(bench.command(quick=quick))
    took = time.monotonic() - began
    if code:
        return Outcome(bench, f"FAILED with exit code {code}", took)
    saved = bench.results(quick=quick)
    if not saved.is_file() or saved.stat().st_mtime < wall:
        return Outcome(bench, "FAILED: it saved no result", took)
    return Outcome(bench, "", took, report.load(saved)[1])


def exit_code(command: Sequence[str]) -> int:
    """Run a command from the checkout, its output on this terminal."""
    return subprocess.run(command, check=False, cwd=ROOT).returncode


def concluded(outcomes: Sequence[Outcome], *, strict: bool) -> int:
    """Print all targets and all runs; return the exit code."""
    targets = [target for outcome in outcomes for target in outcome.targets]
    print("\n=== Targets\n" + report.targets_table(targets))
    print("\n=== Runs\n" + report.table(["bench", "run", "took"], [one.row() for one in outcomes]))
    missed = sum(target.verdict != "reached" for target in targets)
    print(f"\n{len(targets) - missed} of {len(targets)} targets reached")
    if any(outcome.fault for outcome in outcomes):
        return 1
    return 3 if strict and missed else 0


def _parser() -> argparse.ArgumentParser:
    parser = report.quick_parser(__doc__)
    parser.prog = "python -m benchmarks"
    parser.add_argument("names", nargs="*", type=_known, metavar="BENCH", help="which to run")
    parser.add_argument("--all", action="store_true", help="run every bench")
    parser.add_argument(
        "--strict", action="store_true", help="exit 3 where a target is not reached"
    )
    return parser


def _known(name: str) -> str:
    names = [one.name for one in BENCHES]
    if name not in names:
        raise argparse.ArgumentTypeError(f"no bench {name!r}: there are {', '.join(names)}")
    return name


if __name__ == "__main__":
    sys.exit(main())
