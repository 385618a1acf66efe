"""`docs/benchmarks.md` holds every target with its figure: made from `results/*.json`.

`python -m benchmarks.targets_page` brings the page in step; a test compares. A bench that has
left no results yet is said to be not measured.
"""

import argparse
from pathlib import Path
from typing import Final

from benchmarks import RESULTS, ROOT, endtoend
from benchmarks.pages import markdown, part_put
from benchmarks.report import Target, load, machine_line, number

PAGE: Final = ROOT / "docs" / "benchmarks.md"
# A part of the page, and the files of results that it shows.
PARTS: Final = {
    "hamming": "hamming.json",
    "vectors": "vectors.json",
    "ingest": "ingest.json",
    "quality": "quality-*.json",
}
_COMMAND: Final = "benchmarks.targets_page"
_NOTHING: Final = "Not measured yet.\n"


def page_in_step(page: str, results: Path = RESULTS) -> str:
    """The page with each generated part as the results have it."""
    for name, pattern in PARTS.items():
        page = part_put(page, name, _COMMAND, shown(sorted(results.glob(pattern))))
    page = part_put(page, "vector peers", _COMMAND, vector_peers(results / "vectors.json"))
    return part_put(page, "endtoend", _COMMAND, whole_story(results / "endtoend.json"))


def vector_peers(path: Path) -> str:
    """Time and recall of everyone on one thread, of the first case."""
    if not path.is_file():
        return _NOTHING
    case = load(path)[0]["results"]["cases"][0]
    batches = [case["threads_1"][f"batch_{size}"]["seconds_per_query"] for size in (1, 64)]
    rows = [
        [name, *(1e3 * batch[name]["median_s"] for batch in batches), case["recall"].get(name, 1.0)]
        for name in batches[0]
    ]
    return markdown(["", "ms a query", "ms, in batches of 64", "recall@10"], rows)


def whole_story(path: Path) -> str:
    """From files to conclusions: indexing, the stages, the service's own processes."""
    if not path.is_file():
        return _NOTHING
    whole, _ = load(path)
    indexed = whole["results"]["indexing"]
    head = (
        f"{machine_line(whole['machine'])}, commit {whole['machine']['commit']}: "
        f"{indexed['rows']:,} rows in {indexed['groups']} groups, {indexed['index_bytes']:,} bytes "
        f"of index, made in {number(indexed['seconds'])} s with "
        f"{indexed['peak']['anon'] / 2**20:,.0f} MiB of the processes' own memory.\n\n"
    )
    return head + "\n".join(markdown(*one) for one in endtoend.tables(whole["results"]))


def shown(files: list[Path]) -> str:
    """The targets of some files under the machine that each was measured on."""
    return "\n".join(one_file(path) for path in files) or _NOTHING


def one_file(path: Path) -> str:
    """The targets of one file of results."""
    whole, targets = load(path)
    head = f"{machine_line(whole['machine'])}, commit {whole['machine']['commit']}:\n\n"
    rows = [_row(target) for target in targets]
    return head + markdown(["", "measured", "goal", "verdict"], rows)


def _row(target: Target) -> list[str]:
    measured = "-" if target.measured is None else number(target.measured)
    sign = "≥" if target.at_least else "≤"
    goal = f"{sign} {number(target.goal)} {target.unit}".rstrip()
    name = f"{target.name} ({target.note})" if target.note else target.name
    return [name, measured, goal, target.verdict]


def main() -> None:
    """Bring the page in step."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    PAGE.write_text(page_in_step(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
