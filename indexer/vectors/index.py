"""Nearest embeddings by cosine, over half-precision vectors that stay on disk.

The vectors are a FAISS file of 16-bit floats, memory-mapped. In a small group a query is compared
with all of them; in a large one inverted lists of compressed codes give the few that it is
compared with (`indexer.vectors.lists`).

What always holds: the cosines given are exact, of the vectors as stored; a place that was removed
is never among them; and what a query gets does not depend on those it is searched with.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.storage import layout
from indexer.storage.manifest import ListFacts
from indexer.vectors.build import lists_write
from indexer.vectors.lists import Lists, parameters
from indexer.vectors.stored import BLOCK, StoredVectors, widen
from indexer.vectors.tune import lists_tune

# From so many vectors on, lists are faster (measured: docs/adr/0010).
LISTS_FROM: Final = 20_000
# From so many queries on, one pass over the vectors for all is faster than one for each.
_TOGETHER: Final = 12
# Queries compared with a block at a time: bounds the table of cosines to 8 MB.
_QUERIES: Final = 512
# How many more than asked for are compared again: a sum in another order differs in its last bits.
_SPARE: Final = 8
_BYTES: Final = 2
# Queries that are worth a thread of their own. Threads of ours, not OpenMP's: those
# wait for each other by spinning, and ran twenty times slower where others wanted the processors.
_A_THREAD: Final = 8


@dataclass(frozen=True, eq=False, slots=True)
class Nearest:
    """The nearest vectors of each query.

    Attributes:
        places: int64[q, k], falling by cosine; -1 where there are fewer.
        cosines: float32[q, k]; -inf there.
    """

    places: NDArray[np.int64]
    cosines: NDArray[np.float32]


class VectorIndex:
    """Vectors of length 1, read-only and memory-mapped.

    Attributes:
        vectors: float16[n, dim].
    """

    def __init__(self, flat: Any, vectors: NDArray[np.float16], lists: Lists | None) -> None:
        """Take FAISS's view of the vectors, NumPy's, and their lists, if any; `open` makes them."""
        self.vectors = vectors
        self._flat = flat
        self._lists = lists

    @classmethod
    def open(cls, directory: Path, lists: ListFacts | None) -> Self:
        """Map the vectors of a group, and their lists if it has any.

        Raises:
            RuntimeError, ValueError, OSError: the files are damaged.
        """
        flat, vectors = _map(directory / layout.VECTORS_FILE)
        return cls(flat, vectors, None if lists is None else Lists.open(directory, flat, lists))

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""
        return int(self._flat.d)

    def search(
        self,
        queries: NDArray[np.float32],
        *,
        depth: int,
        removed: NDArray[np.int64] | None = None,
        threads: int | None = None,
        every: bool = False,
    ) -> Nearest:
        """Find the vectors nearest to each query.

        Args:
            queries: float32[q, dim], each of length 1.
            depth: how many for each.
            removed: places that are not to be found.
            threads: at most so many look into lists; the machine's processors where not given.
            every: compare every vector, for queries unlike those that the lists were tuned on.
        """
        depth = min(depth, len(self))
        if not depth or not len(queries):
            return _nothing(len(queries), depth)
        faiss.omp_set_num_threads(1)
        kept = None if removed is None or not len(removed) else _kept(len(self), removed)
        if self._lists is not None and not every:
            most = threads or os.cpu_count() or 1
            return _by_lists(self._lists, queries, most, depth=depth, selector=_selector(kept))
        found = self._candidates(queries, min(depth + _SPARE, len(self)), kept)
        return self._ordered(queries, found, depth)

    def cosines(
        self, places: NDArray[np.int64], queries: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """The exact cosines of stored vectors with queries: float32[places, queries]."""
        near: NDArray[np.float32] = self.vectors[places].astype(np.float32) @ queries.T
        return near

    def _candidates(
        self, queries: NDArray[np.float32], depth: int, kept: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """Compare every vector: the places of the nearest, in any order, int64[q, depth]."""
        if len(queries) >= _TOGETHER:
            return self._one_pass(queries, depth, kept)
        params = parameters(faiss.SearchParameters, sel=_selector(kept))
        found: NDArray[np.int64] = self._flat.search(queries, depth, params=params)[1]
        return found

    def _one_pass(
        self, queries: NDArray[np.float32], depth: int, kept: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        cosines = np.full((len(queries), depth), -np.inf, np.float32)
        places = np.full((len(queries), depth), -1, np.int64)
        room = np.empty((BLOCK, self.dim), np.float32)
        for start in range(0, len(self), BLOCK):
            wide = widen(self._flat, self.vectors[start : start + BLOCK], room)
            gone = None if kept is None else ~kept[start : start + BLOCK]
            for first in range(0, len(queries), _QUERIES):
                part = slice(first, first + _QUERIES)
                near = queries[part] @ wide.T
                if gone is not None:
                    near[:, gone] = -np.inf
                _keep_best(cosines[part], places[part], near, start)
        return places

    def _ordered(
        self, queries: NDArray[np.float32], found: NDArray[np.int64], depth: int
    ) -> Nearest:
        """The found, compared again one query at a time: falling by cosine, then by place."""
        nearest = _nothing(len(queries), depth)
        for at, query in enumerate(queries):
            places = np.sort(found[at][found[at] >= 0])
            cosines = self.cosines(places, query[None])[:, 0]
            order = np.argsort(-cosines, kind="stable")[:depth]
            nearest.places[at, : len(order)] = places[order]
            nearest.cosines[at, : len(order)] = cosines[order]
        return nearest


def _by_lists(
    lists: Lists, queries: NDArray[np.float32], threads: int, *, depth: int, selector: Any
) -> Nearest:
    """Search the lists, for a part of the queries in each thread."""
    count = min(threads, -(-len(queries) // _A_THREAD))
    if count == 1:
        return Nearest(*lists.search(queries, depth, selector))
    parts = np.array_split(queries, count)
    found = list(_pool().map(lambda part: lists.search(part, depth, selector), parts))
    return Nearest(*(np.concatenate(values) for values in zip(*found, strict=True)))


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(
        os.cpu_count() or 1, "vectors", initializer=faiss.omp_set_num_threads, initargs=(1,)
    )


def vectors_finish(directory: Path, dim: int, *, lists_from: int = LISTS_FROM) -> ListFacts | None:
    """Give a directory's vectors the lists they need, once all of them are written.

    Args:
        directory: where `VectorWriter` wrote them.
        dim: of the vectors.
        lists_from: fewer vectors get none.

    Returns:
        How the lists are searched; None where every vector is compared.
    """
    stored = StoredVectors(directory / layout.VECTORS_FILE, dim)
    if len(stored) < lists_from:
        return None
    made = Lists.open(
        directory, _map(directory / layout.VECTORS_FILE)[0], lists_write(directory, stored)
    )
    tuned = lists_tune(made, stored)
    if tuned is None:
        for name in (layout.LISTS_FILE, layout.LISTS_DATA_FILE):
            (directory / name).unlink()
    return tuned


def _map(path: Path) -> tuple[Any, NDArray[np.float16]]:
    """One mapped file as FAISS and as NumPy see it.

    Raises:
        RuntimeError, ValueError, OSError: it is no file of vectors.
    """
    flat = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    if not isinstance(flat, faiss.IndexScalarQuantizer) or flat.code_size != _BYTES * flat.d:
        raise ValueError("the vectors are no 16-bit floats")
    size = flat.ntotal * flat.code_size
    if flat.codes.size() != size:
        raise ValueError("the vectors are not as many as the file says")
    shape = (flat.ntotal, flat.d)
    if not size:
        return flat, np.empty(shape, np.float16)
    return flat, np.memmap(path, np.float16, "r", path.stat().st_size - size, shape).view(
        np.ndarray
    )


def _kept(count: int, removed: NDArray[np.int64]) -> NDArray[np.bool_]:
    kept = np.ones(count, np.bool_)
    kept[removed] = False
    return kept


def _selector(kept: NDArray[np.bool_] | None) -> Any:
    """FAISS's form of the places that may be found; None for all."""
    if kept is None:
        return None
    bitmap: Any = faiss.IDSelectorBitmap
    return bitmap(np.packbits(kept, bitorder="little"))


def _keep_best(
    cosines: NDArray[np.float32], places: NDArray[np.int64], near: NDArray[np.float32], start: int
) -> None:
    """Keep, in place, the best of what is there and of a block's cosines."""
    depth = cosines.shape[1]
    inside = np.argpartition(near, -min(depth, near.shape[1]), axis=1)[:, -depth:]
    near = np.take_along_axis(near, inside, axis=1)
    both = np.hstack([cosines, near])
    at = np.hstack([places, np.where(np.isneginf(near), -1, inside + start)])
    best = np.argpartition(both, -depth, axis=1)[:, -depth:]
    cosines[:] = np.take_along_axis(both, best, axis=1)
    places[:] = np.take_along_axis(at, best, axis=1)


def _nothing(queries: int, depth: int) -> Nearest:
    return Nearest(
        np.full((queries, depth), -1, np.int64), np.full((queries, depth), -np.inf, np.float32)
    )
