"""What a row costs, on disk, in memory, to index and per query, in groups of growing size.

    python -m benchmarks.scale                     # 100,000 and 1,000,000 rows
    python -m benchmarks.scale --rows 10000000     # adds that point; 40 GB of disk while it runs

Each size is one group, built and searched by the product's own code, in processes of its own. A
size measured again replaces its point; others stay, each with its own date and machine. Straight
lines through the points (least squares) give the slopes that `docs/scale.md` plans with:
`python -m benchmarks.scale_page` writes them there.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks import bench_dir
from benchmarks.gallery_base import Base, load_base, make_base
from benchmarks.photos import load_pool
from benchmarks.report import Target, at_least_one, finish, load, quick_parser, results_dir, table
from benchmarks.scale_fit import fitted
from benchmarks.scale_group import Work, measure
from indexer.encoder.load import load_encoder
from indexer.storage import layout

NAME: Final = "scale"
SIZES: Final = (100_000, 1_000_000)
QUICK_SIZES: Final = (2_000, 8_000)
DIM: Final = 768
# Figures of a point that grow with its rows; each gets a line.
GROWING: Final = (
    "bytes", "build_s", "build_core_s", "build_peak_bytes", "open_s", "cold_s",
    "cold_read_bytes", "warm_s", "warm_batch_s", "search_own_bytes", "search_mapped_bytes",
)  # fmt: skip
_QUICK_PHOTOS: Final = 12


def main(words: Sequence[str] | None = None) -> int:
    """Measure the sizes asked for, fit, save; return the exit code."""
    asked = _parser().parse_args(words)
    sizes = asked.rows or (QUICK_SIZES if asked.quick else SIZES)
    pool = _pool(quick=asked.quick)
    known = {} if asked.quick else kept_points(results_dir(quick=False) / f"{NAME}.json", asked.dim)
    for rows in sizes:
        print(f"\nA group of {rows:,} rows of {asked.dim} numbers", flush=True)
        folder = bench_dir(NAME) / f"{rows}"
        known[rows] = measure(Work(pool, folder, rows, asked.dim), keep=asked.keep)
        print(points_table([known[rows]]), flush=True)
        points = [known[size] for size in sorted(known)]
        finish(NAME, results(points, pool), targets(points), quick=asked.quick)
    print("\n" + points_table([known[size] for size in sorted(known)]))
    return 0


def results(points: Sequence[Mapping[str, Any]], pool: Path) -> dict[str, Any]:
    """What is saved: points, lines through them, and lines of every file's bytes."""
    base = Base.open(pool)
    return {
        "points": points,
        "lines": fitted(points, GROWING),
        "file_lines": fitted(
            [{"rows": point["rows"], **by_part(point["files"])} for point in points], PARTS
        ),
        "real": {"photos": len(base.photos), "pictures": len(base.vectors)},
    }


# Files of a group by what they are for, from their names' beginnings.
_BEGINNINGS: Final = {
    "embeddings": layout.VECTORS_FILE,
    "vector index": layout.VECTORS,
    "PDQ index": layout.PDQ,
    "pHash index": layout.PHASH,
    "digest index": layout.DIGEST,
    "row table": layout.ROWS_FILE,
}
PARTS: Final = (*_BEGINNINGS, "other")


def by_part(files: Mapping[str, int]) -> dict[str, int]:
    """A group's bytes by what they are for."""
    parts = dict.fromkeys(PARTS, 0)
    for name, size in files.items():
        parts[part_of(name)] += size
    return parts


def part_of(file: str) -> str:
    """What a file of a group is for."""
    return next((part for part, begin in _BEGINNINGS.items() if file.startswith(begin)), "other")


def targets(points: Sequence[Mapping[str, Any]]) -> list[Target]:
    """What the slopes must show for the plan to hold."""
    largest = points[-1]
    size = f"{largest['rows']:,} rows"
    return [
        Target(f"a group of {size} opens", 50, largest["open_s"] * 1e3, at_least=False, unit="ms"),
        Target(f"rows sought are found, {size}", 0.99, largest["found"], unit="of all"),
    ]


def points_table(points: Sequence[Mapping[str, Any]]) -> str:
    """Points as people read them."""
    headers = [
        "rows", "bytes/row", "rows/s built", "peak MB", "open ms", "cold ms", "cold MB read",
        "one ms", "of 64 ms", "found",
    ]  # fmt: skip
    return table(
        headers,
        [
            [
                float(point["rows"]),
                point["bytes"] / point["rows"],
                point["rows"] / point["build_s"],
                point["build_peak_bytes"] / 1e6,
                point["open_s"] * 1e3,
                point["cold_s"] * 1e3,
                point["cold_read_bytes"] / 1e6,
                point["warm_s"] * 1e3,
                point["warm_batch_s"] * 1e3,
                float(point["found"]),
            ]
            for point in points
        ],
    )


def kept_points(path: Path, dim: int) -> dict[int, dict[str, Any]]:
    """The points saved before, of this dimension, by their rows."""
    if not path.is_file():
        return {}
    whole, _ = load(path)
    return {point["rows"]: point for point in whole["results"]["points"] if point["dim"] == dim}


def _pool(*, quick: bool) -> Path:
    """The gallery's real part; a small one for a quick run."""
    path = bench_dir("gallery") / ("base-quick.npz" if quick else "base.npz")
    if quick and not path.is_file():
        make_base(load_pool()[:_QUICK_PHOTOS], load_encoder()).save(path)
    load_base(path)
    return path


def _parser() -> argparse.ArgumentParser:
    parser = quick_parser(__doc__)
    parser.add_argument(
        "--rows", type=at_least_one, action="append", help="a size; may be repeated"
    )
    parser.add_argument("--dim", type=int, default=DIM, help=f"of an embedding ({DIM})")
    parser.add_argument("--keep", action="store_true", help="leave the groups under var/bench")
    return parser


if __name__ == "__main__":
    sys.exit(main())
