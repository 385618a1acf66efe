"""`make test`: every test, with a real PostgreSQL, Redis and browser.

Three runs of pytest, so that each closes with its own count: all tests but the functional ones, on
SQLite; on PostgreSQL once more those that reach the database (marked `database` by
tests/conftest.py), but for the few marked `once`; the functional ones, which start real processes
and wait for them, so that three of them run at once. Files that take long come first
(tests/conftest.py says which), so that no run ends with one process at work.

Nothing is skipped but what needs files that lie outside the repository (the foreign vectors, the
evaluation kit); where they are missing, the last words of the run name each test that was left out.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

from config.embedded import ServerMissing, redis_program
from scripts.browser import BrowserMissing, browser_bring
from scripts.postgres import PostgresMissing, private_postgres

ROOT = Path(__file__).resolve().parent.parent
VECTORS = ROOT.parent / "shared" / "vectors"
ON_POSTGRES = "database and not once"
_BAR = "!" * 79


def main() -> int:
    """Run the tests; return the exit code."""
    try:
        chromium, redis = browser_bring(), redis_program()
        with private_postgres() as database_url:
            print(f"Chromium: {chromium}\nRedis: {redis}\nPostgreSQL: private, for this run")
            return _run_all({"UNLIST_TEST_CHROMIUM": chromium}, database_url)
    except (BrowserMissing, PostgresMissing, ServerMissing) as missing:
        print(f"make test: {missing}", file=sys.stderr)
        return 1


def _run_all(env: Mapping[str, str], database_url: str) -> int:
    inner, postgres = ["--ignore", "tests/functional"], {"DATABASE_URL": database_url}
    runs: tuple[tuple[str, list[str], Mapping[str, str]], ...] = (
        ("all but functional, SQLite", [*_spread(2), *inner], {}),
        ("the database's, PostgreSQL", [*_spread(2), *inner, "-m", ON_POSTGRES], postgres),
        ("functional", [*_spread(3), "tests/functional"], {}),
    )
    codes, reports = list[int](), list[Path]()
    with tempfile.TemporaryDirectory(prefix="unlist-reports-") as folder:
        for name, words, more in runs:
            reports.append(Path(folder) / f"{len(reports)}.xml")
            codes.append(_pytest(name, [*words, f"--junitxml={reports[-1]}"], {**env, **more}))
        left = left_out(*reports)
    print(told_of(left, vectors=VECTORS), flush=True)
    return int(any(codes))


def _spread(processes: int) -> list[str]:
    return ["-n", str(processes), "--dist", "loadfile", "--no-loadscope-reorder"]


def _pytest(name: str, words: list[str], env: Mapping[str, str]) -> int:
    print(f"\n=== tests: {name}", flush=True)
    began = time.monotonic()
    # What the caller's shell has set for the service must not reach the tests.
    inherited = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("UNLIST_", "DJANGO_")) and key not in {"DATABASE_URL", "REDIS_URL"}
    }
    code = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *words],
        check=False,
        cwd=ROOT,
        env={**inherited, **env},
    ).returncode
    print(f"=== {name}: {time.monotonic() - began:.0f} s", flush=True)
    return code


def left_out(*reports: Path) -> dict[str, str]:
    """Return the tests that ran in no run, each with the reason, as JUnit reports have them.

    A test that is skipped in one run and runs in another is not left out.
    """
    skipped, ran = dict[str, str](), set[str]()
    for case in _cases(reports):
        name, why = f"{case.get('classname')}::{case.get('name')}", case.find("skipped")
        if why is None:
            ran.add(name)
        else:
            skipped[name] = why.get("message") or "no reason given"
    return {name: why for name, why in skipped.items() if name not in ran}


def _cases(reports: Iterable[Path]) -> Iterator[ET.Element]:
    for report in reports:
        if report.is_file():  # else pytest ended before it could write one, and its code says so
            yield from ET.parse(report).iter("testcase")  # noqa: S314  # pytest's, written just now


def told_of(left: Mapping[str, str], *, vectors: Path) -> str:
    """Say which tests were left out and why, too loud to be overlooked; or that none were."""
    if not left and vectors.is_dir():
        return "\nEvery test ran: none was left out."
    lines = [f"{len(left)} tests were LEFT OUT of this run. What they hold was NOT checked:"]
    lines += [f"  {name}: {why}" for name, why in sorted(left.items())]
    if not vectors.is_dir():
        lines += [
            "",
            f"The foreign test vectors are not at {vectors}.",
            "Tests of published hashes, foreign files and hostile pictures are made of them:",
            "put them there, and run again.",
        ]
    return "\n".join(["", _BAR, *lines, _BAR])


if __name__ == "__main__":
    sys.exit(main())
