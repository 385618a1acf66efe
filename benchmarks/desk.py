"""How fast the maintainers' pages are with 20,000 requests and two million rows on PostgreSQL.

Every page of the admin is asked for in the process that answers it, on a private PostgreSQL that
was filled for it (`desk_seed`); queries are counted as well, and compared with those of a tenth of
the requests: a page whose queries grow with them has not reached its target.

    python -m benchmarks.desk --quick
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any, Final

from benchmarks import bench_dir, report
from benchmarks.report import Target
from benchmarks.service import child
from scripts.postgres import private_postgres

NAME: Final = "desk"
GOAL_MS: Final = 300.0
EACH: Final = 112
_FOREIGN: Final = ("UNLIST_", "DJANGO_")


def main(words: list[str] | None = None) -> int:
    """Measure both sizes, print, save."""
    asked = _parser().parse_args(words)
    requests = asked.requests or (400 if asked.quick else 20_000)
    small = measured(max(100, requests // 10), asked)
    whole = measured(requests, asked)
    print(shown(small, whole), flush=True)
    results = {"small": small, "whole": whole}
    report.finish(NAME, results, targets(small, whole, quick=asked.quick), quick=asked.quick)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = report.quick_parser(__doc__)
    parser.add_argument("--requests", type=report.at_least_one, help="20,000; 400 with --quick")
    parser.add_argument("--each", type=report.at_least_one, default=EACH, help="rows of a request")
    parser.add_argument("--rounds", type=report.at_least_one, default=5, help="of each page")
    return parser


def measured(requests: int, asked: argparse.Namespace) -> dict[str, Any]:
    """Fill a new database and measure every page in a process of its own."""
    folder = bench_dir(NAME) / str(requests)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    out = folder / "pages.json"
    with private_postgres() as url:
        words = ["--requests", str(requests), "--each", str(asked.each)]
        words += ["--rounds", str(asked.rounds), "--out", str(out)]
        child("desk_pages", words, _environment(str(folder), url))
    facts: dict[str, Any] = json.loads(out.read_text())
    return facts


def _environment(folder: str, url: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {
        **inherited,
        "DATABASE_URL": url,
        "REDIS_URL": "memory://",
        "UNLIST_DATA_DIR": f"{folder}/data",
        "UNLIST_SECRET_DIR": f"{folder}/secrets",
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
    }


def targets(small: Mapping[str, Any], whole: Mapping[str, Any], *, quick: bool) -> list[Target]:
    """Return the promises: every page in time, and none whose queries grow."""
    pages = whole["pages"]
    slowest = max(pages, key=lambda name: pages[name]["median_ms"])
    more = [name for name in pages if pages[name]["queries"] > small["pages"][name]["queries"]]
    size = f"{whole['requests']:,} requests, {whole['candidates']:,} rows"
    return [
        Target(
            f"slowest page of the admin ({slowest}), {size}",
            GOAL_MS,
            None if quick else pages[slowest]["median_ms"],
            at_least=False,
            unit="ms",
        ),
        Target(
            "pages whose queries grow with the requests",
            0,
            len(more),
            at_least=False,
            note=", ".join(more),
        ),
    ]


def shown(small: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    """Return the pages as a table, the slowest first."""
    pages = sorted(whole["pages"].items(), key=lambda pair: -pair[1]["median_ms"])
    rows: list[list[object]] = [
        [name, one["median_ms"], one["worst_ms"], one["queries"], small["pages"][name]["queries"]]
        for name, one in pages
    ]
    heads = ["page", "median ms", "worst ms", "queries", f"queries at {small['requests']:,}"]
    return (
        f"\n{whole['requests']:,} requests, {whole['candidates']:,} rows; "
        f"filled in {whole['seed_seconds']:.0f} s\n{report.table(heads, rows)}"
    )


if __name__ == "__main__":
    sys.exit(main())
