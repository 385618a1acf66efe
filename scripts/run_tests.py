"""`make test`: every test, with a real PostgreSQL, Redis and browser.

Three runs of pytest, so that each closes with its own count: all tests but the functional ones, on
SQLite; the apps' tests once more on PostgreSQL; the functional ones, which start real processes.
Nothing is skipped but what needs files that lie outside the repository (the foreign vectors, the
evaluation kit); where they are missing, the last words of the run name each test that was left out.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

from config.embedded import ServerMissing, redis_program
from scripts.browser import BrowserMissing, browser_bring
from scripts.postgres import PostgresMissing, private_postgres

ROOT = Path(__file__).resolve().parent.parent
VECTORS = ROOT.parent / "shared" / "vectors"
ON_POSTGRES = ("tests/catalog", "tests/removal", "tests/releases")
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
    spread = ["-n", "2", "--dist", "loadfile"]
    runs: tuple[tuple[str, list[str], dict[str, str]], ...] = (
        ("all but functional, SQLite", [*spread, "--ignore", "tests/functional"], {}),
        ("apps, PostgreSQL", [*spread, *ON_POSTGRES], {"DATABASE_URL": database_url}),
        ("functional", [*spread, "tests/functional"], {}),
    )
    codes, left = list[int](), dict[str, str]()
    with tempfile.TemporaryDirectory(prefix="unlist-reports-") as folder:
        for name, words, more in runs:
            report = Path(folder) / f"{len(codes)}.xml"
            codes.append(_pytest(name, [*words, f"--junitxml={report}"], {**env, **more}))
            left |= left_out(report)
    print(told_of(left, vectors=VECTORS), flush=True)
    return int(any(codes))


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


def left_out(report: Path) -> dict[str, str]:
    """Return the tests that a run skipped, each with the reason, as its JUnit report has them."""
    if not report.is_file():  # pytest ended before it could write one, and its code says so
        return {}
    cases = ET.parse(report).iter("testcase")  # noqa: S314  # written by our own pytest just now
    skipped = ((case, case.find("skipped")) for case in cases)
    return {
        f"{case.get('classname')}::{case.get('name')}": why.get("message") or "no reason given"
        for case, why in skipped
        if why is not None
    }


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
