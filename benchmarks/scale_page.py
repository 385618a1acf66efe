"""`docs/scale.md` holds what was measured: its tables are made from `results/scale.json`.

`python -m benchmarks.scale_page` brings the page in step; a test compares.
"""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks import RESULTS, ROOT
from benchmarks.pages import markdown, part_put
from benchmarks.report import load, number
from benchmarks.scale import PARTS, by_part
from benchmarks.scale_plan import DATASETS, Assumptions, plan, plans_rows

PAGE: Final = ROOT / "docs" / "scale.md"
SOURCE: Final = RESULTS / "scale.json"
_COMMAND: Final = "benchmarks.scale_page"
# What a line is of, the unit shown, and how many of those are one of what was measured.
_LINES: Final = (
    ("on disk", "bytes", "bytes", 1.0),
    ("to build, one process", "build_s", "µs", 1e6),
    ("to build, processor time", "build_core_s", "µs", 1e6),
    ("to build, memory of its own", "build_peak_bytes", "bytes", 1.0),
    ("to open", "open_s", "ns", 1e9),
    ("one photo, nothing in memory", "cold_s", "ns", 1e9),
    ("read from disk for it", "cold_read_bytes", "bytes", 1.0),
    ("one photo, in memory", "warm_s", "ns", 1e9),
    ("one photo of 64, in memory", "warm_batch_s", "ns", 1e9),
    ("searching, memory of its own", "search_own_bytes", "bytes", 1.0),
    ("searching, file pages touched", "search_mapped_bytes", "bytes", 1.0),
)


def page_in_step(page: str, whole: Mapping[str, Any]) -> str:
    """The page with each generated part as the results have it.

    Raises:
        ValueError: the page lacks a part's marks.
    """
    for name, text in parts(whole["results"]).items():
        page = part_put(page, name, _COMMAND, text)
    return page


def parts(results: Mapping[str, Any]) -> dict[str, str]:
    """The generated parts by name, in Markdown."""
    points = results["points"]
    return {
        "machines": machines(points),
        "measured": measured(points),
        "slopes": slopes(results["lines"], len(points)),
        "disk": disk(points, results["file_lines"]),
        "plan": planned(points),
    }


def machines(points: Sequence[Mapping[str, Any]]) -> str:
    """Where and when each point was measured, and with what queries."""
    return "".join(
        f"- {point['rows']:,} rows: {point['machine']}; a query has {point['query_views']} "
        f"embeddings, {point['query_codes']} PDQ and as many pHash codes\n"
        for point in points
    )


def measured(points: Sequence[Mapping[str, Any]]) -> str:
    """The points, a size a column."""
    lines: tuple[tuple[str, str, float], ...] = (
        ("bytes on disk, GB", "bytes", 1e-9),
        ("building, s", "build_s", 1),
        ("building, processor s", "build_core_s", 1),
        ("building, memory of its own, MB", "build_peak_bytes", 1e-6),
        ("opening, ms", "open_s", 1e3),
        ("one photo with nothing in memory, ms", "cold_s", 1e3),
        ("read from disk for it, MB", "cold_read_bytes", 1e-6),
        ("one photo in memory, ms", "warm_s", 1e3),
        ("one photo of a batch of 64 in memory, ms", "warm_batch_s", 1e3),
        ("searching, memory of its own, MB", "search_own_bytes", 1e-6),
        ("searching, file pages touched, MB", "search_mapped_bytes", 1e-6),
        ("rows sought that were found, %", "found", 100),
    )
    headers = ["", *(f"{point['rows']:,} rows" for point in points)]
    return markdown(
        headers,
        [[label, *(point[name] * scale for point in points)] for label, name, scale in lines],
    )


def slopes(lines: Mapping[str, Mapping[str, Any]], points: int) -> str:
    """The fitted lines; through two points a line fits by itself, which says nothing."""
    rows = [
        [
            label,
            f"{number(lines[name]['slope'] * scale)} {unit}",
            "" if lines[name]["growth"] is None else f"{lines[name]['growth']:.2f}",
            f"{lines[name]['misfit']:.0%}" if points > 2 else "-",
        ]
        for label, name, unit, scale in _LINES
    ]
    return markdown(["", "per row", "exponent of rows", "worst misfit"], rows)


def disk(points: Sequence[Mapping[str, Any]], file_lines: Mapping[str, Mapping[str, Any]]) -> str:
    """Bytes per row by what they are for, at each size, and the slope."""
    sizes = [by_part(point["files"]) for point in points]
    headers = ["", *(f"{point['rows']:,} rows" for point in points), "slope"]
    rows = [
        [
            part,
            *(size[part] / point["rows"] for size, point in zip(sizes, points, strict=True)),
            file_lines[part]["slope"],
        ]
        for part in PARTS
    ]
    total = [
        "all",
        *(point["bytes"] / point["rows"] for point in points),
        sum(file_lines[part]["slope"] for part in PARTS),
    ]
    return markdown(headers, [*rows, total])


def planned(points: Sequence[Mapping[str, Any]]) -> str:
    """The plan for the datasets in question, from the largest point."""
    largest = max(points, key=lambda point: point["rows"])
    plans = {name: plan(rows, largest, Assumptions()) for name, rows in DATASETS.items()}
    return f"From the group of {largest['rows']:,} rows measured {largest['date']}:\n\n" + markdown(
        *plans_rows(plans)
    )


def main() -> None:
    """Write the page."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    whole, _ = load(SOURCE)
    PAGE.write_text(page_in_step(PAGE.read_text(encoding="utf-8"), whole), encoding="utf-8")


if __name__ == "__main__":
    main()
