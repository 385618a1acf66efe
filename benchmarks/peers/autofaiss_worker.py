"""autofaiss with the parameters that clip-retrieval's `index` command passes it.

`clip_retrieval/clip_index.py` (2.45.0) calls `build_index` with 4 GB for the index, 16 GB of
memory and all cores, everything else at autofaiss's defaults; `clip_back.py` opens the file with
`faiss.read_index`, memory-mapped if the operator asks for it, and searches at the parameters that
autofaiss tuned and stored. clip-retrieval adds nothing to either.
"""

import os
import time
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from autofaiss import build_index

from benchmarks.peers.serving import Timed, serve

_opened: dict[str, Any] = {}


def build(embeddings: str, index: str) -> dict[str, Any]:
    """Index a folder of .npy files of embeddings, as `clip-retrieval index` does.

    Args:
        embeddings: the folder.
        index: the file to write; its facts go beside it, with the ending .json.
    """
    began = time.perf_counter()
    built, facts = build_index(
        embeddings=embeddings,
        index_path=index,
        index_infos_path=f"{index}.json",
        max_index_memory_usage="4G",
        current_memory_available="16G",
        nb_cores=None,
    )
    if built is None:
        raise RuntimeError("autofaiss built nothing; its reason is in the log")
    took = time.perf_counter() - began
    return {
        "seconds": took,
        "bytes": Path(index).stat().st_size,
        "key": facts["index_key"],
        "parameters": facts["index_param"],
        "rows": int(built.ntotal),
    }


def open_index(index: str, mapped: bool = True) -> int:
    """Open a built file, memory-mapped or read whole; returns its rows."""
    flags = faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY if mapped else 0
    _opened["index"] = faiss.read_index(index, flags)
    return int(_opened["index"].ntotal)


def nearest(queries: str, start: int, stop: int, count: int) -> Timed:
    """The nearest rows of queries start to stop of a .npy file, nearest first: int[q, count]."""
    asked = np.ascontiguousarray(np.load(queries)[start:stop], np.float32)
    began = time.perf_counter()
    _, rows = _opened["index"].search(asked, count)
    return Timed(rows.tolist(), time.perf_counter() - began)


def threads(count: int) -> int:
    """Let FAISS use so many threads; returns how many it now may, of how many cores."""
    faiss.omp_set_num_threads(count)
    return min(int(faiss.omp_get_max_threads()), os.cpu_count() or 1)


if __name__ == "__main__":
    serve({"build": build, "open_index": open_index, "nearest": nearest, "threads": threads})
