"""`docs/load.md` holds what was measured: its tables are made from `results/service.json`.

`python -m benchmarks.service_page` brings the page in step; a test compares. Before the first full
run there is no such file, and the page says so.
"""

import argparse
from collections.abc import Mapping
from typing import Any, Final

from benchmarks import RESULTS, ROOT
from benchmarks.pages import markdown, part_put
from benchmarks.report import load, machine_line, number
from benchmarks.service import KINDS
from benchmarks.service_shares import NAMES

PAGE: Final = ROOT / "docs" / "load.md"
SOURCE: Final = RESULTS / "service.json"
_COMMAND: Final = "benchmarks.service_page"
NOTHING: Final = "Not measured yet.\n"
_WORDS: Final = {"submit": "submission", "status": "look-up"}
_DATABASES: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def page_in_step(page: str, whole: Mapping[str, Any] | None) -> str:
    """The page with its tables as the results have them; None before there are any.

    Raises:
        ValueError: the page lacks the marks.
    """
    return part_put(page, "rates", _COMMAND, NOTHING if whole is None else tables(whole))


def tables(whole: Mapping[str, Any]) -> str:
    """All tables, in Markdown, under the machine that they were measured on."""
    databases = whole["results"]["databases"].items()
    parts = [f"### On {_DATABASES[name]}\n\n{rates(one)}\n{shares(one)}" for name, one in databases]
    before = ", ".join(f"{one:.2f}" for one in whole["results"]["load_before"])
    head = f"Measured on {machine_line(whole['machine'])}; load before it {before}.\n\n"
    return head + "\n".join(parts)


def rates(results: Mapping[str, Any]) -> str:
    """How many a second, how fast, and what each costs the web process and the clients."""
    heads = ["", "clients", "a second", "p50", "p99", "slowest", "web process", "clients' own"]
    return markdown(heads, [_rate(kind, one) for kind in KINDS for one in results[kind]])


def shares(results: Mapping[str, Any]) -> str:
    """Where the time of one goes."""
    rows = [
        [_WORDS[kind], _ms(one["ms_each"]), *(f"{one['shares'][name]:.0%}" for name in NAMES)]
        for kind, one in results["shares"].items()
    ]
    return markdown(["one after the other", "each", *NAMES], rows)


def _rate(kind: str, one: Mapping[str, Any]) -> list[str]:
    core = one["core_ms_each"]
    return [
        _WORDS[kind],
        str(one["clients"]),
        number(one["per_second"]),
        _ms(one["p50_ms"]),
        _ms(one["p99_ms"]),
        _ms(one["max_ms"]),
        f"{_ms(core['site'])} of a core",
        _ms(core["clients"]),
    ]


def _ms(milliseconds: float) -> str:
    return f"{number(milliseconds)} ms"


def main() -> None:
    """Bring the page in step."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    whole = load(SOURCE)[0] if SOURCE.is_file() else None
    PAGE.write_text(page_in_step(PAGE.read_text(encoding="utf-8"), whole), encoding="utf-8")


if __name__ == "__main__":
    main()
