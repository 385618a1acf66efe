"""Making the inverted lists of a large group, within bounded memory.

Axes and centers come from a sample of the vectors; then every vector is coded in one pass. The
codes wait in files by runs of lists, each small enough to be sorted in memory, and are written
list by list in the order in which FAISS maps them. All random choices have a fixed seed, so that
the same vectors give the same lists.
"""

import math
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.storage import layout
from indexer.storage.manifest import ListFacts
from indexer.vectors.stored import BLOCK, StoredVectors

_SEED: Final = 1
# Bits of code for a vector, and the most of its coordinates that are coded.
_CODE_BITS: Final = 960
_MOST_AXES: Final = 448
_MOST_BITS: Final = 4
_MOST_LISTS: Final = 8192
_AXES_SAMPLE: Final = 1 << 15
_CENTERS_SAMPLE: Final = 1 << 17
_SAMPLES_A_LIST: Final = 32
_ROUNDS: Final = 8
# Codes sorted at a time.
_RUN_BYTES: Final = 32 << 20


def lists_write(directory: Path, vectors: StoredVectors) -> ListFacts:
    """Write the lists of `vectors` into a group's directory; they are still to be tuned."""
    faiss.omp_set_num_threads(1)
    facts = _plan(len(vectors), vectors.dim)
    rng = np.random.default_rng(_SEED)
    axes = _axes(vectors, facts.axes, rng)
    coded = _trained(vectors, axes, facts, rng)
    inverted = faiss.extract_index_ivf(coded)
    with _Runs(directory, len(vectors), facts.lists, inverted.code_size) as runs:
        for start, near, codes in _encoded(inverted, vectors, axes):
            runs.append(start, near, codes)
        sizes = runs.write(directory / layout.LISTS_DATA_FILE)
    _write_head(directory, coded, sizes)
    return facts


def _plan(count: int, dim: int) -> ListFacts:
    axes = min(dim, _MOST_AXES)
    return ListFacts(
        lists=min(_MOST_LISTS, round(4 * math.sqrt(count))),
        axes=axes,
        bits=max(1, min(_MOST_BITS, _CODE_BITS // axes)),
        probes=0,
        depth=0,
        recall=0.0,
    )


def _axes(vectors: StoredVectors, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """The axes along which the vectors are longest, turned at random: float32[count, dim].

    Not centered, so that products stay products. The turning spreads a vector's length evenly
    over its coordinates, which RaBitQ's codes need.
    """
    moment = np.zeros((vectors.dim, vectors.dim))
    for part in _sampled(vectors, _AXES_SAMPLE, rng):
        moment += part.T @ part
    longest = np.linalg.eigh(moment)[1][:, ::-1][:, :count]
    turn = np.linalg.qr(rng.standard_normal((count, count)))[0]
    return np.ascontiguousarray((longest @ turn).T, np.float32)


def _trained(
    vectors: StoredVectors, axes: NDArray[np.float32], facts: ListFacts, rng: np.random.Generator
) -> Any:
    """An empty index of codes: the projection onto the axes, and the lists' centers."""
    wanted = min(_CENTERS_SAMPLE, _SAMPLES_A_LIST * facts.lists)
    sample = np.empty((min(wanted, len(vectors)), facts.axes), np.float32)
    filled = 0
    for part in _sampled(vectors, wanted, rng):
        np.matmul(part, axes.T, out=sample[filled : filled + len(part)])
        filled += len(part)
    means = faiss.Kmeans(
        facts.axes,
        facts.lists,
        niter=_ROUNDS,
        seed=_SEED,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=_CENTERS_SAMPLE,
    )
    means.train(sample)
    centers = faiss.IndexFlatIP(facts.axes)
    centers.add(np.asarray(means.centroids))
    inverted = faiss.IndexIVFRaBitQ(
        centers, facts.axes, facts.lists, faiss.METRIC_INNER_PRODUCT, False, facts.bits
    )
    inverted.train(sample[:1])  # RaBitQ learns nothing from its data
    return faiss.IndexPreTransform(_projection(axes), inverted)


def _projection(axes: NDArray[np.float32]) -> Any:
    linear = faiss.LinearTransform(axes.shape[1], axes.shape[0], False)
    faiss.copy_array_to_vector(axes.ravel(), linear.A)
    linear.is_trained = True
    return linear


def _sampled(
    vectors: StoredVectors, wanted: int, rng: np.random.Generator
) -> Iterator[NDArray[np.float32]]:
    """A random sample, in parts."""
    places = np.arange(len(vectors))
    if wanted < len(vectors):
        places = np.sort(rng.choice(len(vectors), wanted, replace=False))
    for start in range(0, len(places), BLOCK):
        yield vectors.take(places[start : start + BLOCK])


def _encoded(
    inverted: Any, vectors: StoredVectors, axes: NDArray[np.float32]
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.uint8]]]:
    """Block by block: the place of its first vector, the list of each, and its code.

    By threads of ours, a block each: OpenMP's, which wait for each other by spinning, are many
    times slower where another process wants the processors.
    """
    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads, initializer=faiss.omp_set_num_threads, initargs=(1,)) as pool:
        waiting: deque[Future[tuple[int, NDArray[np.int64], NDArray[np.uint8]]]] = deque()
        for start, block in vectors.blocks():
            waiting.append(pool.submit(_encode, inverted, start, block @ axes.T))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        yield from (one.result() for one in waiting)


def _encode(
    inverted: Any, start: int, projected: NDArray[np.float32]
) -> tuple[int, NDArray[np.int64], NDArray[np.uint8]]:
    near: NDArray[np.int64] = inverted.quantizer.assign(projected, 1).reshape(-1)
    codes = np.empty((len(projected), inverted.code_size), np.uint8)
    pointers = (faiss.swig_ptr(array) for array in (projected, near, codes))
    inverted.encode_vectors(len(projected), *pointers)
    return start, near, codes


class _Runs(ExitStack):
    """Codes on their way into lists, in files by runs of neighboring lists."""

    def __init__(self, directory: Path, count: int, lists: int, code_size: int) -> None:
        super().__init__()
        self._lists = lists
        self._entry = np.dtype([("list", "u4"), ("place", "i8"), ("code", "u1", (code_size,))])
        runs = -(-count * self._entry.itemsize // _RUN_BYTES)
        self._paths = [directory / f"lists-{run}.spill" for run in range(runs)]
        self._files: list[BinaryIO] = [self.enter_context(path.open("w+b")) for path in self._paths]

    def append(self, start: int, near: NDArray[np.int64], codes: NDArray[np.uint8]) -> None:
        """Add the vectors from place `start` on: their lists and codes."""
        entries = np.empty(len(near), self._entry)
        entries["list"], entries["code"] = near, codes
        entries["place"] = np.arange(start, start + len(near))
        homes = near * len(self._files) // self._lists
        for home in np.unique(homes):
            self._files[home].write(entries[homes == home].data)

    def write(self, path: Path) -> NDArray[np.uint64]:
        """Write list after list, the codes of each, then their places; returns the lists' sizes."""
        sizes = np.zeros(self._lists, np.uint64)
        with path.open("wb") as out:
            for spill, file in zip(self._paths, self._files, strict=True):
                file.seek(0)
                entries = np.frombuffer(file.read(), self._entry)
                entries = entries[np.argsort(entries["list"], kind="stable")]
                found, starts = np.unique(entries["list"], return_index=True)
                for number, part in zip(found, np.split(entries, starts[1:]), strict=True):
                    sizes[number] = len(part)
                    out.write(np.ascontiguousarray(part["code"]).data)
                    out.write(np.ascontiguousarray(part["place"]).data)
                spill.unlink()
        return sizes


def _write_head(directory: Path, coded: Any, sizes: NDArray[np.uint64]) -> None:
    """Write everything but the lists' data, which it names and measures."""
    inverted = faiss.extract_index_ivf(coded)
    lists = faiss.OnDiskInvertedLists(len(sizes), inverted.code_size, layout.LISTS_DATA_FILE)
    lists.set_all_lists_sizes(faiss.swig_ptr(sizes))
    lists.totsize = int(sizes.sum()) * (inverted.code_size + 8)
    inverted.replace_invlists(lists)
    inverted.ntotal = coded.ntotal = int(sizes.sum())
    faiss.write_index(coded, str(directory / layout.LISTS_FILE))
