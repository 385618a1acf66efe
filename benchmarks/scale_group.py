"""One group of so many rows: what it takes to build it, to hold it and to search it.

Build and search run each in a process of their own, started for it, so that memory and pages are
those of that work alone: `python -m benchmarks.scale_group {build,search} …` is what `measure`
starts, and each leaves its figures in a JSON file.
"""

import argparse
import gc
import json
import os
import resource
import shutil
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from benchmarks.gallery_base import Base
from benchmarks.report import machine, machine_line
from benchmarks.scale_rows import PREPROCESSING, Rows, turned
from benchmarks.timing import Peak, timed, watched_memory, watched_run
from indexer.group.build import build_group
from indexer.group.index import IndexGroup
from indexer.prepare.batches import Prepared
from indexer.query.fingerprint import Fingerprint
from indexer.query.views import query_views
from indexer.storage.manifest import EncoderFacts

ENCODER: Final = "scale/768"
TOP: Final = 20
TOGETHER: Final = 64
LEAST_FOUND: Final = 0.9


class GroupWrong(RuntimeError):
    """The group does not find what was put into it: its timings mean nothing."""


@dataclass(frozen=True, slots=True)
class Work:
    """Where a measurement keeps its files.

    Attributes:
        pool: a file of `gallery_base`.
        folder: for the group; it is removed when the measurement is done.
        rows, dim: the group's size.
    """

    pool: Path
    folder: Path
    rows: int
    dim: int


def measure(work: Work, *, keep: bool = False) -> dict[str, Any]:
    """Build a group and search it; the point's figures, by name.

    Args:
        work: what and where.
        keep: leave the group there.
    """
    try:
        built = _in_child("build", work, threads=None)
        sought = _in_child("search", work, threads=1)
    finally:
        if not keep:
            shutil.rmtree(work.folder, ignore_errors=True)
    facts = machine()
    return {
        "rows": work.rows,
        "dim": work.dim,
        "date": facts["date"],
        "machine": machine_line(facts),
        **built,
        **sought,
    }


def _in_child(step: str, work: Work, *, threads: int | None) -> dict[str, Any]:
    work.folder.mkdir(parents=True, exist_ok=True)
    out = work.folder / f"{step}.json"
    words = [step, work.pool, work.folder, work.rows, work.dim, out]
    watched_run([sys.executable, "-m", "benchmarks.scale_group", *map(str, words)], threads=threads)
    figures: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return figures


def build(work: Work) -> dict[str, Any]:
    """Build the group; the seconds that making the rows took are not counted.

    Returns:
        `build_s`, `build_core_s` (processor time), `build_peak_bytes` (memory of its own beyond
        what the process had before), `bytes` and `files` on disk.
    """
    rows = rows_of(work)
    source = _Timed(rows)
    with watched_memory() as peak:
        began, cpu = time.perf_counter(), _core_seconds()
        build_group(
            group_path(work),
            source,
            encoder=EncoderFacts(ENCODER, PREPROCESSING, work.dim),
            dataset="scale",
            group=0,
            shards=[],
            refused=Counter(),
            progress=_no_progress,
        )
        took, core = time.perf_counter() - began, _core_seconds() - cpu
    files = {path.name: path.stat().st_size for path in sorted(group_path(work).iterdir())}
    return {
        "build_s": took - source.seconds,
        "build_core_s": core - source.core_seconds,
        "build_peak_bytes": peak.anon - (peak.started or 0),
        "bytes": sum(files.values()),
        "files": files,
    }


def search(work: Work) -> dict[str, Any]:
    """Open and search the group with one thread.

    Cold: the kernel was told to drop the group's pages, so every page comes from the disk. Warm:
    the same queries again. A query is a whole photo: its embeddings, hashes and digests.

    Returns:
        `open_s`; `cold_s`, `cold_read_bytes` (first search of one query after opening);
        `warm_s` (one query), `warm_batch_s` (each of 64 together); `search_own_bytes`;
        `search_mapped_bytes` (file pages touched); `found`, the share of queries whose row came,
        half of which have no hash near it; `query_views`, `query_codes`: what a query has.
    """
    rows = rows_of(work)
    places = np.random.default_rng(11).choice(work.rows, min(TOGETHER, work.rows), replace=False)
    places.sort()
    views, parts = query_size()
    queries = [
        rows.query(row, views=views, parts=parts, encoder=ENCODER, hashed=bool(at % 2))
        for at, row in enumerate(places.tolist())
    ]
    _compiled(work, queries[:1])
    drop_pages(group_path(work))
    with watched_memory() as peak:
        began = time.perf_counter()
        group = IndexGroup.open(group_path(work))
        opened = time.perf_counter() - began
        read = read_bytes()
        cold = timed(partial(group.search, queries[:1], top=TOP))
        read = read_bytes() - read
        hits = group.search(queries, top=TOP)
        alone = statistics.median(
            timed(partial(group.search, [query], top=TOP)) for query in queries[:16]
        )
        together = min(timed(partial(group.search, queries, top=TOP)) for _ in range(3))
    keys = [{candidate.row.key for candidate in one.candidates} for one in hits]
    found = [f"{row:012d}" in key for row, key in zip(places.tolist(), keys, strict=True)]
    share = sum(found) / len(found)
    if share < LEAST_FOUND:
        raise GroupWrong(f"of {len(found)} rows sought {sum(found)} were found")
    return {
        "open_s": opened,
        "cold_s": cold,
        "cold_read_bytes": read,
        "warm_s": alone,
        "warm_batch_s": together / len(queries),
        "search_own_bytes": peak.anon - (peak.started or 0),
        "search_mapped_bytes": _mapped(peak),
        "found": share,
        "query_views": views,
        "query_codes": 8 * parts,
    }


def query_size() -> tuple[int, int]:
    """How many embeddings a photo is searched by, and how many parts of it are hashed."""
    noise = np.random.default_rng(5).integers(256, size=(12, 16, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC)
    views = query_views(picture)
    return len(views), sum(view.hashed or view.name == "whole" for view in views)


def _compiled(work: Work, queries: Sequence[Fingerprint]) -> None:
    """Search once, so that compiling kernels and loading libraries is not timed."""
    IndexGroup.open(group_path(work)).search(queries, top=TOP)
    gc.collect()  # what is still mapped cannot be dropped


def drop_pages(folder: Path) -> None:
    """Have the kernel forget the files' pages, as far as nobody has them mapped."""
    for path in folder.iterdir():
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)


def read_bytes() -> int:
    """Bytes that this process has had fetched from disks so far."""
    counts = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(next(line for line in counts if line.startswith("read_bytes:")).split()[1])


def rows_of(work: Work) -> Rows:
    """What the group is made of."""
    return Rows(turned(Base.open(work.pool), work.dim), work.rows)


def group_path(work: Work) -> Path:
    """The group's own directory."""
    return work.folder / "group"


class _Timed:
    """Batches, and how long making them took."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.seconds = 0.0
        self.core_seconds = 0.0

    def __iter__(self) -> Iterator[Prepared]:
        batches = iter(self._rows)
        while True:
            began, cpu = time.perf_counter(), _core_seconds()
            batch = next(batches, None)
            self.seconds += time.perf_counter() - began
            self.core_seconds += _core_seconds() - cpu
            if batch is None:
                return
            yield batch


def _mapped(peak: Peak) -> int:
    """File pages that came to be in memory: the group's, libraries being there before."""
    before = (peak.started_rss or 0) - (peak.started or 0)
    return max(0, peak.rss - peak.anon - before)


def _core_seconds() -> float:
    """Processor time of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _no_progress(_: int) -> None:
    """Nobody watches."""


def main() -> None:
    """Run a step, as `measure` asks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["build", "search"])
    parser.add_argument("pool", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("rows", type=int)
    parser.add_argument("dim", type=int)
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    work = Work(asked.pool, asked.folder, asked.rows, asked.dim)
    figures = {"build": build, "search": search}[asked.step](work)
    asked.out.write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
