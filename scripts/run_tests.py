"""`make test`: every test, with a real PostgreSQL, Redis and browser, and nothing skipped.

Three runs of pytest, so that each closes with its own count: all tests but the functional ones, on
SQLite; the apps' tests once more on PostgreSQL; the functional ones, which start real processes.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from config.embedded import ServerMissing, redis_program
from scripts.browser import BrowserMissing, browser_bring
from scripts.postgres import PostgresMissing, private_postgres

ROOT = Path(__file__).resolve().parent.parent
ON_POSTGRES = ("tests/catalog", "tests/removal", "tests/releases")


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
        ("functional", ["tests/functional"], {}),
    )
    codes = [_pytest(name, words, {**env, **more}) for name, words, more in runs]
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


if __name__ == "__main__":
    sys.exit(main())
