"""Nearest embeddings, beside exact search and what clip-retrieval builds at its defaults.

A million half-precision embeddings of real pictures (`benchmarks.vectors_data` says how they are
expanded); queries are edits that no row was made from. Everyone searches the same file, in turns:
ours; FAISS flat over 32-bit floats, and over the same 16-bit floats; autofaiss's index as
clip-retrieval asks for it. Recall is against exact search, of the ten nearest.
"""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import Peer
from benchmarks.report import Target, at_least_one, finish, quick_parser, table
from benchmarks.timing import OURS, interleaved, ratios, threads, watched_run
from benchmarks.vectors_data import write_case
from benchmarks.vectors_index import Case
from indexer.group.index import IndexGroup
from indexer.storage import layout
from indexer.vectors.index import LISTS_FROM, VectorIndex

DEPTH: Final = 10
_BATCHES: Final = (1, 64)
_QUICK_LISTS_FROM: Final = 5_000
_EXACT: Final = ("flat 32 bit", "flat 16 bit")
Search = Callable[[int, int], Any]


def main(arguments: list[str] | None = None) -> int:
    """Build, check and time; save and print the figures."""
    parser = quick_parser(__doc__)
    parser.add_argument("--base", type=Path, help="the real embeddings, from gallery_base")
    parser.add_argument("--rows", type=at_least_one, help="how many rows instead of a million")
    parser.add_argument("--dims", type=int, nargs="+", default=[768, 1280], help="one case each")
    parser.add_argument("--rounds", type=int, default=7, help="turns of every contestant")
    options = parser.parse_args(arguments)
    rows = options.rows or (20_000 if options.quick else 1_000_000)
    dims = [768] if options.quick else options.dims
    results, targets = [], []
    for case in (Case(rows, dim, real=not options.quick) for dim in dims):
        write_case(case, options.base)
        figures = measured(case, 2 if options.quick else options.rounds)
        print(shown(case, figures), flush=True)
        results.append(figures)
        targets += [] if options.quick else promised(case, figures)
    finish("vectors", {"cases": results}, targets, quick=options.quick)
    return 0


def measured(case: Case, rounds: int) -> dict[str, Any]:
    """Everything about one case."""
    figures: dict[str, Any] = {"rows": case.rows, "dim": case.dim, "real": case.real}
    figures["build"] = build(case)
    index = VectorIndex.open(case.index, IndexGroup.open(case.index).manifest.search)
    queries = np.load(case.queries)
    truth = VectorIndex.open(case.index, None).search(queries, depth=DEPTH).places
    with Peer("faiss") as flat, Peer("autofaiss") as auto:
        flat.call("build", name="flat", kind="vectors", codes=str(case.embeddings))
        file = str(case.folder / "autofaiss.index")
        figures["autofaiss"] = auto.call(
            "build", embeddings=str(case.embeddings.parent), index=file
        )
        figures["autofaiss"]["peak_rss"] = auto.peak_rss()
        auto.call("open_index", index=file, mapped=True)
        contestants = {
            "flat 32 bit": _asker(flat, case, name="flat"),
            "flat 16 bit": _flat_halves(case, queries),
            "autofaiss": _asker(auto, case),
        }
        figures["recall"] = {
            OURS: recall(index.search(queries, depth=DEPTH).places, truth),
            "autofaiss": recall(
                np.array(auto.call("nearest", **_asked(case, 0, len(queries)))), truth
            ),
        }
        for count in (1, 2):
            for peer in (flat, auto):
                peer.call("threads", count=count)
            with threads(count):
                ours = {OURS: _ours(index, queries, count)}
                figures[f"threads_{count}"] = raced(ours | contestants, len(queries), rounds)
    return figures


def build(case: Case) -> dict[str, Any]:
    """Index the case in a process of its own: seconds, peak memory, bytes, milliseconds to open."""
    lists_from = LISTS_FROM if case.real else _QUICK_LISTS_FROM
    words = [case.rows, case.dim, "real" if case.real else "random", lists_from]
    command = [sys.executable, "-m", "benchmarks.vectors_index", *map(str, words)]
    ran = watched_run(command)
    began = time.perf_counter()
    group = IndexGroup.open(case.index)
    opened = time.perf_counter() - began
    sizes = {path.name: path.stat().st_size for path in case.index.iterdir()}
    lists = sum(sizes.get(name, 0) for name in (layout.LISTS_FILE, layout.LISTS_DATA_FILE))
    found = group.manifest.search
    return {
        "seconds": ran.seconds,
        "rows_per_second": case.rows / ran.seconds,
        "peak": ran.peak.as_json(),
        "open_ms": opened * 1e3,
        "bytes_per_row": lists / case.rows,
        "search": None if found is None else {name: getattr(found, name) for name in _FACTS},
    }


_FACTS: Final = ("lists", "axes", "bits", "probes", "depth", "recall")


def raced(contestants: Mapping[str, Search], queries: int, rounds: int) -> dict[str, Any]:
    """Seconds per query of everyone in batches of each size, and how many times ours."""
    figures: dict[str, Any] = {}
    for batch in _BATCHES:
        calls = {name: _turns(search, queries, batch) for name, search in contestants.items()}
        # A call of ours for single queries is 16 of them: the clock must have something to see.
        calls[OURS] = _repeated(calls[OURS], 16 if batch == 1 else 1)
        timings = interleaved(calls, rounds=rounds)
        done = {name: batch * (16 if name == OURS and batch == 1 else 1) for name in calls}
        each = {name: timing.per(done[name]) for name, timing in timings.items()}
        figures[f"batch_{batch}"] = {
            "seconds_per_query": {name: timing.as_json() for name, timing in each.items()},
            "times_ours": ratios(each),
        }
    return figures


def recall(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """The share of the true nearest that was found."""
    same = (truth[:, :, None] == found[:, None, :]).any(axis=2)
    return float(same.mean())


def promised(case: Case, figures: Mapping[str, Any]) -> list[Target]:
    """The figures of issue 3, part 5: 768 numbers a row, and the same for the default encoder."""
    what = f"{case.rows:,} x {case.dim}"
    built = figures["build"]
    single, batched = (
        min(figures[f"threads_{count}"][f"batch_{batch}"]["times_ours"][name]
            for count in (1, 2) for name in _EXACT)
        for batch in _BATCHES
    )  # fmt: skip
    return [
        Target(f"{what}: recall@10", 0.99, figures["recall"][OURS]),
        Target(f"{what}: single query, exact / ours", 20, single, unit="x"),
        Target(f"{what}: batch of 64, exact / ours", 1, batched, unit="x"),
        Target(f"{what}: index files", 160, built["bytes_per_row"], at_least=False, unit="B/row"),
        Target(f"{what}: open", 50, built["open_ms"], at_least=False, unit="ms"),
        Target(f"{what}: peak memory of indexing", 1.0, built["peak"]["rss"] / 1e9,
               at_least=False, unit="GB"),
        Target(f"{what}: indexing", 5_000, built["rows_per_second"], unit="rows/s"),
    ]  # fmt: skip


def shown(case: Case, figures: Mapping[str, Any]) -> str:
    """A case as tables."""
    lines = [
        [f"{count} thread(s), batch {batch}", name, f"{one['median_s'] * 1e3:.2f} ms",
         f"{raced_['times_ours'].get(name, 1.0):.1f}x"]
        for count in (1, 2)
        for batch in _BATCHES
        for raced_ in [figures[f"threads_{count}"][f"batch_{batch}"]]
        for name, one in raced_["seconds_per_query"].items()
    ]  # fmt: skip
    facts = f"{figures['build']}\nrecall@10 {figures['recall']}\nautofaiss {figures['autofaiss']}"
    return f"\n{case.rows:,} x {case.dim}\n{facts}\n" + table(
        ["run", "who", "per query", "ours x"], lines
    )


def _ours(index: VectorIndex, queries: NDArray[np.float32], count: int) -> Search:
    return lambda start, stop: index.search(queries[start:stop], depth=DEPTH, threads=count)


def _asker(peer: Peer, case: Case, **more: Any) -> Search:
    return lambda start, stop: peer.timed("nearest", **_asked(case, start, stop), **more)


def _asked(case: Case, start: int, stop: int) -> dict[str, Any]:
    return {"queries": str(case.queries), "start": start, "stop": stop, "count": DEPTH}


def _flat_halves(case: Case, queries: NDArray[np.float32]) -> Search:
    """FAISS's own exact search over the same mapped 16-bit floats."""
    path = str(case.index / layout.VECTORS_FILE)
    flat = faiss.read_index(path, faiss.IO_FLAG_MMAP_IFC)
    return lambda start, stop: flat.search(queries[start:stop], DEPTH)


def _turns(search: Search, queries: int, batch: int) -> Callable[[], Any]:
    """A call that takes the next queries each time."""
    at = [0]

    def call() -> Any:
        start = at[0] * batch % (queries - batch + 1)
        at[0] += 1
        return search(start, start + batch)

    return call


def _repeated(call: Callable[[], Any], times: int) -> Callable[[], None]:
    def calls() -> None:
        for _ in range(times):
            call()

    return calls


if __name__ == "__main__":
    raise SystemExit(main())
