"""ThreatExchange's `PDQIndex`, as HMA and the CLI use it.

Its interface takes one hexadecimal string per query and per row, and gives Python objects: that
is what its users pay, so it is timed whole.
"""

import time
from typing import Any

import faiss
import numpy as np
from threatexchange.signal_type.pdq.pdq_index import PDQFlatIndex, PDQIndex

from benchmarks.peers.serving import Timed, serve

_KINDS: dict[str, Any] = {"multi": PDQIndex, "flat": PDQFlatIndex}
_built: dict[str, Any] = {}


def build(codes: str, kind: str = "multi") -> int:
    """Index PDQ hashes, uint8[n, 32] in a .npy file; `kind` is multi (its default) or flat."""
    rows = np.load(codes, mmap_mode="r")
    # At once: each `add_all` lists every row anew.
    _built["index"] = _KINDS[kind]((row.tobytes().hex(), place) for place, row in enumerate(rows))
    return len(_built["index"])


def search(queries: str, start: int, stop: int) -> Timed:
    """Rows within its radius for queries start to stop of uint8[q, 32] in a .npy file.

    Returns pairs [place of the query, row, distance].
    """
    texts = [row.tobytes().hex() for row in np.load(queries)[start:stop]]
    began = time.perf_counter()
    found = [_built["index"].query(text) for text in texts]
    took = time.perf_counter() - began
    pairs = [
        [start + place, int(match.metadata), int(match.similarity_info.distance)]
        for place, matches in enumerate(found)
        for match in matches
    ]
    return Timed(pairs, took)


def threads(count: int) -> int:
    """Let FAISS use so many threads; returns how many it now may."""
    faiss.omp_set_num_threads(count)
    return int(faiss.omp_get_max_threads())


if __name__ == "__main__":
    serve({"build": build, "search": search, "threads": threads})
