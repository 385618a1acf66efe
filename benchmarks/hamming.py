"""Exact Hamming search beside its peers: PDQ within 31 bits, 64-bit hashes within 8.

All contestants search the same file of codes for the same queries, in turns. Codes are random,
which is the hardest even case for an index by bands (nothing is rare), with near ones put in so
that there is something to find; `--real FILE` takes codes from a `.npy` file (uint8[n, 32])
instead, spread to the size asked for by flipping bits. Answers are compared before any is timed.
"""

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks import bench_dir
from benchmarks.peers import Peer
from benchmarks.report import Target, finish, quick_parser, table
from benchmarks.timing import OURS, interleaved, ratios, watched_memory
from indexer.hamming.index import HammingIndex, warm_up

QUERIES: Final = 256
_CHUNK: Final = 1_000_000
_BATCHES: Final = (1, 64)


@dataclass(frozen=True, slots=True)
class Case:
    """One table: codes of so many bytes, searched within so many bits."""

    name: str
    size: int
    rows: int
    radius: int

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return bench_dir("hamming", f"{self.name}-{self.rows}")


def main(arguments: list[str] | None = None) -> int:
    """Build, check and time every case; save and print the figures."""
    parser = quick_parser(__doc__)
    parser.add_argument("--real", type=Path, help="take PDQ codes from this file")
    parser.add_argument("--rounds", type=int, default=5, help="turns of every contestant")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="one run with each")
    parser.add_argument("--only", choices=["pdq", "phash"], help="leave the other out")
    options = parser.parse_args(arguments)
    pdq_rows, phash_rows = (200_000, 400_000) if options.quick else (10_000_000, 20_000_000)
    warm_up()
    results, targets = [], []
    cases = Case("pdq", 32, pdq_rows, 31), Case("phash", 8, phash_rows, 8)
    for case in (one for one in cases if options.only in {None, one.name}):
        source = options.real if case.size == 32 else None
        for threads in options.threads:
            figures = measured(case, source, threads, options.rounds)
            results.append({**asdict(case), "threads": threads, **figures})
            print(shown(case, threads, figures), flush=True)
        targets += promised(case, results[-len(options.threads) :])
    if options.quick:  # at such sizes the figures prove nothing
        targets = [replace(target, measured=None) for target in targets]
    finish("hamming", {"cases": results, "real": bool(options.real)}, targets, quick=options.quick)
    return 0


def measured(case: Case, source: Path | None, threads: int, rounds: int) -> dict[str, Any]:
    """Figures of one case at one number of threads."""
    write_codes(case, source)
    figures = built(case)
    index = HammingIndex.open(case.folder, "codes")
    queries = np.load(case.folder / "queries.npy")
    with Peer("faiss", threads=threads) as faiss:
        peers = {"faiss flat": faiss}
        faiss.call("build", name="flat", kind="flat", codes=str(codes_file(case)))
        if case.size == 32:
            with Peer("threatexchange", threads=threads) as exchange:
                exchange.call("build", codes=str(codes_file(case)))
                peers["PDQIndex"] = exchange
                return figures | raced(case, index, queries, peers, (threads, rounds))
        return figures | raced(case, index, queries, peers, (threads, rounds))


def raced(
    case: Case,
    index: HammingIndex,
    queries: NDArray[np.uint8],
    peers: Mapping[str, Peer],
    effort: tuple[int, int],
) -> dict[str, Any]:
    """Seconds per query of everyone, in batches of each size; and how many times ours.

    `effort` is how many threads everyone may use, and how many rounds count.
    """
    figures: dict[str, Any] = {}
    threads, rounds = effort
    for name, peer in peers.items():
        check(case, index, queries, peer, name)
    index.search(queries, case.radius)  # its pages in memory, as the peers' tables are
    for batch in _BATCHES:
        turns = count(), count()

        def part(batch: int = batch, turn: Iterator[int] = turns[1]) -> int:
            return next(turn) * batch % len(queries)

        def ours(batch: int = batch, turn: Iterator[int] = turns[0]) -> None:
            # A round of ours is 64 queries: the clock must have something to measure.
            first = next(turn) * 64 % len(queries)
            for start in range(first, first + 64, batch):
                index.search(queries[start : start + batch], case.radius, threads=threads)

        contestants: dict[str, Any] = {OURS: ours}
        for name, peer in peers.items():
            contestants[name] = asker(case, peer, name, part, batch)
        timings = interleaved(contestants, rounds=rounds)
        each = {name: t.per(64 if name == OURS else batch) for name, t in timings.items()}
        figures[f"batch_{batch}"] = {
            "seconds_per_query": {name: timing.as_json() for name, timing in each.items()},
            "times_ours": ratios(each),
        }
    return figures


def asker(case: Case, peer: Peer, name: str, part: Any, batch: int) -> Any:
    """A call of a peer for the next `batch` queries."""

    def ask() -> Any:
        start = part()
        return peer.timed("search", **asked(case, name, start, start + batch))

    return ask


def asked(case: Case, name: str, start: int, stop: int) -> dict[str, Any]:
    """What a peer's worker wants to know."""
    what: dict[str, Any] = {"queries": str(case.folder / "queries.npy"), "start": start}
    what["stop"] = stop
    return what if name == "PDQIndex" else {**what, "name": "flat", "radius": case.radius}


def check(
    case: Case, index: HammingIndex, queries: NDArray[np.uint8], peer: Peer, name: str
) -> None:
    """Compare the answers to some queries; an exact peer must agree to the pair.

    Raises:
        AssertionError: they differ.
    """
    found = index.search(queries[:16], case.radius)
    ours = sorted(zip(found.queries.tolist(), found.rows.tolist(), strict=True))
    theirs = sorted(
        (int(q), int(row)) for q, row, *_ in peer.call("search", **asked(case, name, 0, 16))
    )
    missed = sorted(set(theirs) - set(ours))
    if missed or (name == "faiss flat" and ours != theirs):
        raise AssertionError(f"{name} and we disagree about {case.name}: {missed[:5]}")


def built(case: Case) -> dict[str, Any]:
    """Build the index anew: seconds, memory, size, time to open."""
    for name in ("starts", "entries"):
        (case.folder / f"codes-{name}.npy").unlink(missing_ok=True)
    codes = np.load(codes_file(case), mmap_mode="r")
    with watched_memory() as peak:
        began = time.perf_counter()
        HammingIndex.build_in(case.folder, "codes", codes, radius=case.radius)
        took = time.perf_counter() - began
    opening = []
    for _ in range(5):
        began = time.perf_counter()
        HammingIndex.open(case.folder, "codes")
        opening.append(time.perf_counter() - began)
    size = sum(path.stat().st_size for path in case.folder.glob("codes-*.npy"))
    return {
        "build_rows_per_second": case.rows / took,
        "build_peak": peak.as_json(),
        "bytes_per_row": size / case.rows,
        "open_seconds": max(opening),
    }


def write_codes(case: Case, source: Path | None) -> None:
    """Write the table and its queries once: half of the queries have near rows."""
    if (case.folder / "queries.npy").exists():
        return
    rng = np.random.default_rng(case.rows)
    real = None if source is None else np.load(source, mmap_mode="r")
    shape = (case.rows, case.size)
    codes = np.lib.format.open_memmap(codes_file(case), "w+", np.uint8, shape)
    for start in range(0, case.rows, _CHUNK):
        size = min(_CHUNK, case.rows - start)
        if real is None:
            codes[start : start + size] = rng.integers(0, 256, (size, case.size), np.uint8)
        else:
            codes[start : start + size] = flipped(rng, real[rng.integers(0, len(real), size)], 12)
    queries = np.array(codes[rng.integers(0, case.rows, QUERIES)])
    queries[::2] = flipped(rng, queries[::2], case.radius)
    queries[1::2] = rng.integers(0, 256, queries[1::2].shape, np.uint8)
    codes.flush()
    np.save(case.folder / "queries.npy", queries)


def flipped(rng: np.random.Generator, codes: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """Codes with up to `most` bits of each turned."""
    changed = np.array(codes)
    for _ in range(most):
        places = rng.integers(0, codes.shape[1], len(codes))
        turned = 1 << rng.integers(0, 8, len(codes))
        turned *= rng.integers(0, 2, len(codes))
        changed[np.arange(len(codes)), places] ^= turned.astype(np.uint8)
    return changed


def codes_file(case: Case) -> Path:
    """The table: what every contestant reads."""
    return case.folder / "codes-codes.npy"


def shown(case: Case, threads: int, figures: Mapping[str, Any]) -> str:
    """A case's figures as a table."""
    rows: list[list[object]] = []
    for batch in _BATCHES:
        part = figures[f"batch_{batch}"]
        for name, timing in part["seconds_per_query"].items():
            rows.append([batch, name, timing["median_s"] * 1e3, part["times_ours"].get(name, 1.0)])
    return (
        f"\n{case.name}: {case.rows:,} rows, radius {case.radius}, threads {threads}; "
        f"{figures['bytes_per_row']:.1f} bytes a row, opened in "
        f"{figures['open_seconds'] * 1e3:.1f} ms, built at "
        f"{figures['build_rows_per_second'] / 1e6:.2f}M rows/s\n"
        + table(["batch", "who", "ms/query", "times ours"], rows)
    )


def promised(case: Case, results: list[dict[str, Any]]) -> list[Target]:
    """The issue's targets; each by the least favorable number of threads."""

    def least(batch: int, name: str) -> float:
        return min(float(one[f"batch_{batch}"]["times_ours"][name]) for one in results)

    at = f"{case.name} {case.rows:,}"
    if case.size == 8:
        return [
            Target(f"{at}: FAISS flat, batch {batch}", 1, least(batch, "faiss flat"), unit="times")
            for batch in _BATCHES
        ]
    rate = min(one["build_rows_per_second"] for one in results)
    return [
        Target(f"{at}: PDQIndex", 40, least(1, "PDQIndex"), unit="times"),
        Target(f"{at}: FAISS flat, single", 60, least(1, "faiss flat"), unit="times"),
        Target(f"{at}: FAISS flat, batch 64", 20, least(64, "faiss flat"), unit="times"),
        Target(f"{at}: bytes a row", 96, results[0]["bytes_per_row"], at_least=False),
        Target(f"{at}: open", 50, 1e3 * results[0]["open_seconds"], at_least=False, unit="ms"),
        Target(f"{at}: build", 1e6, rate, unit="rows/s"),
    ]


if __name__ == "__main__":
    sys.exit(main())
