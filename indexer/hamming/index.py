"""Exact search within a Hamming radius, for codes of 64 and 256 bits.

Multi-index hashing over sorted tables (`indexer.hamming.plan` has the rule, ADR 0009 the
measurements), in compiled loops (`indexer.hamming.kernels`). Small tables are scanned, and so is
any table for a radius so wide, or a query so ordinary, that a scan is the cheaper way: a million
rows with one and the same code cost no more than comparing them.

What always holds: exactly the rows within the radius are found, each once per query, whatever the
radius. Memory stays bounded by what is found, and by far less for who takes it in `pieces`.
The tables are arrays on disk, memory-mapped, shared between processes; nothing changes them, so
any number of threads may search at once.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from indexer.hamming import kernels
from indexer.hamming.native import LANES
from indexer.hamming.plan import Bands, cheapest, plan
from indexer.hamming.sort import Cut, sort_band
from indexer.storage.mapped import IndexDamaged, as_read_only, map_array, new_array

Codes = NDArray[np.uint8]

# Below this many rows comparing them all is as fast as looking up.
SCAN_ROWS: Final = 1 << 14
# How many queries a thread answers at a time.
_BATCH: Final = 256
# Nanoseconds of work that are worth handing to another thread.
_PER_THREAD: Final = 1_000_000.0
# How many pairs one piece has, about: 8 MB while they are sorted.
_PIECE: Final = 1 << 20
# A query that meets a share of all rows as large as this is cheaper to scan for.
_MOST: Final = 4
# How many rows are sorted at a time per thread when building: 128 MB.
_SORTED: Final = 1 << 24


@dataclass(frozen=True, slots=True)
class Found:
    """Pairs within the radius, ordered by query, then row.

    Attributes:
        queries, rows: int64[n], positions in the queries and in the indexed codes.
        distances: int64[n], in bits.
    """

    queries: NDArray[np.int64]
    rows: NDArray[np.int64]
    distances: NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class HammingIndex:
    """Codes with their bands' tables; `build`, `build_in` or `open` makes it.

    Attributes:
        codes: uint8[n, bytes], bytes a multiple of 8, n below 2**32.
        starts: uint32[bands, 2**prefix + 1], where each bucket of a band starts in its entries;
            no bands for small tables.
        entries: uint32[bands, n + 16], tag and row number of all rows, bucket by bucket.
    """

    codes: Codes
    starts: NDArray[np.uint32]
    entries: NDArray[np.uint32]

    @classmethod
    def build(cls, codes: Codes, *, radius: int, scan_rows: int = SCAN_ROWS) -> Self:
        """Index codes in memory; from `scan_rows` rows on with band tables.

        Args:
            codes: uint8[n, bytes].
            radius: the one most searched for; any other is answered too, only slower.
            scan_rows: smaller tables get no bands.
        """
        bands = _bands(codes, radius, scan_rows)
        starts = np.zeros(_starts_shape(bands), np.uint32)
        entries = np.zeros(_entries_shape(bands), np.uint32)
        _sort(codes, bands, starts, entries)
        return cls(as_read_only(codes), as_read_only(starts), as_read_only(entries))

    @classmethod
    def build_in(
        cls, directory: Path, prefix: str, codes: Codes, *, radius: int, scan_rows: int = SCAN_ROWS
    ) -> Self:
        """Index codes straight into files: the tables never lie in memory as a whole.

        Args:
            directory: where to.
            prefix: of the files' names, as `open` takes it.
            codes: uint8[n, bytes]; memory-mapped ones stay so, and where `<prefix>-codes.npy` is
                there already it is taken for theirs.
            radius: as in `build`.
            scan_rows: as in `build`.
        """
        path = _path(directory, prefix, "codes")
        if not path.exists():
            np.save(path, codes, allow_pickle=False)
        bands = _bands(codes, radius, scan_rows)
        starts = new_array(_path(directory, prefix, "starts"), np.uint32, _starts_shape(bands))
        entries = new_array(_path(directory, prefix, "entries"), np.uint32, _entries_shape(bands))
        _sort(codes, bands, starts, entries)
        return cls.open(directory, prefix)

    @classmethod
    def open(cls, directory: Path, prefix: str) -> Self:
        """Map the files that `save` or `build_in` wrote.

        Raises:
            IndexDamaged: they are missing, cut short, or do not belong together.
        """
        codes = map_array(_path(directory, prefix, "codes"), np.uint8, 2)
        starts = map_array(_path(directory, prefix, "starts"), np.uint32, 2)
        entries = map_array(_path(directory, prefix, "entries"), np.uint32, 2)
        index = cls(codes, starts, entries)
        if codes.shape[1] % 8 or not codes.shape[1]:
            raise IndexDamaged(_path(directory, prefix, "codes").name)
        bands = index.bands
        shapes = _starts_shape(bands), _entries_shape(bands)
        if (starts.shape, entries.shape) != shapes or (starts[:, -1] != len(codes)).any():
            raise IndexDamaged(_path(directory, prefix, "starts").name)
        return index

    def save(self, directory: Path, prefix: str) -> None:
        """Write the arrays as `<prefix>-codes.npy`, `-starts.npy` and `-entries.npy`."""
        for name in ("codes", "starts", "entries"):
            np.save(_path(directory, prefix, name), getattr(self, name), allow_pickle=False)

    @property
    def bands(self) -> Bands:
        """How the codes are cut."""
        rows, size = self.codes.shape
        return Bands.cut(size * 8, rows, len(self.starts))

    def search(self, queries: Codes, radius: int, *, threads: int | None = None) -> Found:
        """Find all rows within `radius` bits of each query.

        Args:
            queries: uint8[q, bytes].
            radius: in bits, inclusive.
            threads: at most so many work on it; the machine's processors where not given.
        """
        pieces = list(self.pieces(queries, radius, threads=threads))
        none = np.empty(0, np.int64)
        return Found(
            np.concatenate([none, *(piece.queries for piece in pieces)]),
            np.concatenate([none, *(piece.rows for piece in pieces)]),
            np.concatenate([none, *(piece.distances for piece in pieces)]),
        )

    def pieces(self, queries: Codes, radius: int, *, threads: int | None = None) -> Iterator[Found]:
        """As `search`, a million pairs or so at a time, in the same order.

        For queries that may have a large part of the table near them.
        """
        if queries.shape[1] != self.codes.shape[1]:
            raise ValueError(
                f"Queries of {queries.shape[1]} bytes cannot be compared with codes of "
                f"{self.codes.shape[1]}: search the index made for them."
            )
        asked = as_read_only(_words(queries))
        threads = max(1, _processors() if threads is None else threads)
        least = int(_PER_THREAD / max(1.0, plan(self.bands, radius).cost)) + 1
        batch = min(_BATCH, max(least, -(-len(asked) // threads)))
        parts = [range(at, min(at + batch, len(asked))) for at in range(0, len(asked), batch)]
        for at in range(0, len(parts), threads):
            yield from self._together(asked, parts[at : at + threads], radius)

    def _together(
        self, queries: NDArray[np.uint64], parts: Sequence[range], radius: int
    ) -> Iterator[Found]:
        """Look up several parts of the queries at once, one thread each, then scan for the rest."""
        if len(self.codes) == 0:
            return
        if plan(self.bands, radius).scanned:
            for part in parts:
                yield from self._scan(queries, part, radius)
            return
        if len(parts) == 1:
            looked_up = [self._look_up(queries, parts[0], radius)]
        else:
            looked_up = list(_pool().map(lambda part: self._look_up(queries, part, radius), parts))
        for part, answer in zip(parts, looked_up, strict=True):
            yield from self._complete(queries, part, radius, answer)

    def _look_up(
        self, queries: NDArray[np.uint64], part: range, radius: int
    ) -> tuple[NDArray[np.bool_], NDArray[np.uint64]] | None:
        """Queries given up, and the pairs of the others; None: there are too many pairs."""
        how = plan(self.bands, radius)
        words, starts, entries = _words(self.codes), self.starts, self.entries
        state, given_up, pairs = kernels.look_up(
            kernels.Table(words, starts, entries, self.bands.row_bits),
            kernels.Rule(how.firsts, how.seen_bits, how.flips, how.masks, how.weights),
            queries[part.start : part.stop],
            kernels.Limits(radius, len(self.codes) // _MOST, _PIECE),
        )
        if state == kernels.DAMAGED:
            raise IndexDamaged("entries")
        return None if state == kernels.FULL else (given_up, np.sort(pairs))

    def _complete(
        self,
        queries: NDArray[np.uint64],
        part: range,
        radius: int,
        answer: tuple[NDArray[np.bool_], NDArray[np.uint64]] | None,
    ) -> Iterator[Found]:
        """Give what was looked up, and scan for the queries that were given up, in order."""
        if answer is None:
            yield from self._halved(queries, part, radius)
            return
        given_up, pairs = answer
        edges = np.searchsorted(pairs, np.arange(len(part) + 1, dtype=np.uint64) << np.uint64(48))
        start = 0
        for query in np.flatnonzero(given_up).tolist():
            yield _found(pairs[edges[start] : edges[query]], part.start)
            yield from self._scan(queries, part[query : query + 1], radius)
            start = query + 1
        yield _found(pairs[edges[start] :], part.start)

    def _halved(self, queries: NDArray[np.uint64], part: range, radius: int) -> Iterator[Found]:
        """Answer fewer queries at a time, for these find too much together; one is scanned for."""
        if len(part) == 1:
            yield from self._scan(queries, part, radius)
            return
        for half in (part[: len(part) // 2], part[len(part) // 2 :]):
            yield from self._complete(queries, half, radius, self._look_up(queries, half, radius))

    def _scan(self, queries: NDArray[np.uint64], part: range, radius: int) -> Iterator[Found]:
        """Compare all rows, with so many queries at a time that a piece stays small."""
        words, rows = _words(self.codes), len(self.codes)
        step = max(1, _PIECE // rows)
        for first in range(part.start, part.stop, step):
            asked = queries[first : min(first + step, part.stop)]
            for row in range(0, rows, _PIECE):
                pairs = kernels.scan(words, row, min(row + _PIECE, rows), asked, radius)
                yield _found(np.sort(pairs), first)


def least_distances(queries: Codes, codes: Codes) -> NDArray[np.int64]:
    """For each of `codes` (uint8[n, bytes]) the distance to the nearest of `queries`: int64[n]."""
    apart = _words(queries)[:, None] ^ _words(codes)[None]
    distances: NDArray[np.int64] = np.bitwise_count(apart).sum(axis=2, dtype=np.int64)
    least: NDArray[np.int64] = distances.min(axis=0)
    return least


def warm_up() -> None:
    """Compile all loops, or load them compiled: seconds once, then a tenth of one per process."""
    codes = np.zeros((32, 32), np.uint8)
    for scan_rows in (1, len(codes) + 1):
        HammingIndex.build(codes, radius=1, scan_rows=scan_rows).search(codes[:1], 1)


def _bands(codes: Codes, radius: int, scan_rows: int) -> Bands:
    rows, size = codes.shape
    if size % 8 or rows >= 1 << 32:
        raise ValueError(
            f"{rows} codes of {size} bytes cannot be indexed: their bytes must be a multiple of 8 "
            "and their number below 2**32."
        )
    if rows < max(scan_rows, 1):
        return Bands.cut(size * 8, rows, 0)
    return cheapest(size * 8, rows, radius)


def _starts_shape(bands: Bands) -> tuple[int, int]:
    return bands.count, (1 << bands.prefix_bits) + 1


def _entries_shape(bands: Bands) -> tuple[int, int]:
    # Rounded up, so that each band's entries begin at a cache line.
    return bands.count, (-(-bands.rows // LANES) + 1) * LANES


def _sort(
    codes: Codes, bands: Bands, starts: NDArray[np.uint32], entries: NDArray[np.uint32]
) -> None:
    """Fill the tables, a band per thread at a time."""
    words, pairs = as_read_only(_words(codes)), min(len(codes), _SORTED)
    prefix, lower, row_bits = bands.prefix_bits, bands.prefix_bits // 2, bands.row_bits

    def sort(band: int) -> None:
        cut = Cut(bands.firsts[band], prefix, bands.seen_bits[band] - prefix, row_bits, lower)
        sort_band(words, cut, starts[band], entries[band], np.empty(pairs, np.uint64))

    list(_pool().map(sort, range(bands.count)))


def _found(pairs: NDArray[np.uint64], first: int) -> Found:
    """Take pairs apart, sorted as they are: query << 48 | row << 16 | distance."""
    numbers = pairs.view(np.int64)
    return Found((numbers >> 48) + first, (numbers >> 16) & 0xFFFFFFFF, numbers & 0xFFFF)


def _words(codes: Codes) -> NDArray[np.uint64]:
    """Codes as uint64[n, words]; the order of bytes does not matter to a distance."""
    return np.ascontiguousarray(codes).view(np.uint64)


def _path(directory: Path, prefix: str, name: str) -> Path:
    return directory / f"{prefix}-{name}.npy"


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    """The process's threads for searches and builds; they share the processors."""
    return ThreadPoolExecutor(_processors(), thread_name_prefix="hamming")
