"""FAISS used directly: binary flat, binary multi-hash, and flat inner product.

The best a caller could do with it: arrays in, arrays out, batches in one call.
"""

import time
from typing import Any

import faiss
import numpy as np

from benchmarks.peers.serving import Timed, serve

_built: dict[str, Any] = {}


def build(name: str, kind: str, codes: str, bands: int = 16, flips: int = 1) -> dict[str, float]:
    """Index codes or vectors of a .npy file under a name.

    Args:
        name: to search it by.
        kind: `flat` or `multihash` over uint8[n, bytes]; `vectors` over float[n, dim].
        codes: the file.
        bands: multi-hash: hash tables.
        flips: multi-hash: bits flipped per table when searching.
    """
    rows = np.load(codes, mmap_mode="r")
    index = _empty(kind, rows.shape[1], bands, flips)
    began = time.perf_counter()
    for start in range(0, len(rows), 1_000_000):
        part = rows[start : start + 1_000_000]
        index.add(np.ascontiguousarray(part, np.float32 if kind == "vectors" else np.uint8))
    _built[name] = index
    return {"rows": int(index.ntotal), "seconds": time.perf_counter() - began}


def search(name: str, queries: str, start: int, stop: int, radius: int) -> Timed:
    """All rows within a radius, in one call for the queries start to stop of a .npy file.

    Returns pairs [place of the query, row, distance].
    """
    asked = np.ascontiguousarray(np.load(queries)[start:stop])
    began = time.perf_counter()
    # FAISS gives what is nearer than its radius, we what is as near.
    limits, distances, rows = _built[name].range_search(asked, radius + 1)
    took = time.perf_counter() - began
    owners = np.repeat(np.arange(start, stop), np.diff(limits.astype(np.int64)))
    return Timed(np.column_stack([owners, rows, distances]).astype(np.int64).tolist(), took)


def nearest(name: str, queries: str, start: int, stop: int, count: int) -> Timed:
    """The nearest rows of each query, nearest first: int[q, count]."""
    asked = np.ascontiguousarray(np.load(queries)[start:stop], np.float32)
    began = time.perf_counter()
    _, rows = _built[name].search(asked, count)
    return Timed(rows.tolist(), time.perf_counter() - began)


def drop(name: str) -> None:
    """Free an index."""
    del _built[name]


def threads(count: int) -> int:
    """Let FAISS use so many threads; returns how many it now may."""
    faiss.omp_set_num_threads(count)
    return int(faiss.omp_get_max_threads())


def _empty(kind: str, width: int, bands: int, flips: int) -> Any:
    if kind == "vectors":
        return faiss.IndexFlatIP(width)
    bits = width * 8
    if kind == "flat":
        return faiss.IndexBinaryFlat(bits)
    index = faiss.IndexBinaryMultiHash(bits, bands, bits // bands)
    index.nflip = flips
    return index


if __name__ == "__main__":
    serve({
        "build": build, "search": search, "nearest": nearest, "drop": drop, "threads": threads,
    })  # fmt: skip
