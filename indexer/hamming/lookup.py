"""One search: queries are looked up in the bands' tables, or compared with every row.

Queries are answered in parts, several at once. One that meets too much of the table is given up
and scanned for; a part that finds too much together is halved. What is found is in the order of
queries, then rows, whichever way found it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from indexer.hamming import kernels
from indexer.hamming.plan import Bands, plan
from indexer.hamming.threads import pool
from indexer.storage.mapped import IndexDamaged

# How many queries a thread answers at a time.
_BATCH: Final = 256
# Nanoseconds of work that are worth handing to another thread.
_PER_THREAD: Final = 1_000_000.0
# How many pairs one piece has, about: 8 MB while they are sorted.
_PIECE: Final = 1 << 20
# A query that meets a share of all rows as large as this is cheaper to scan for.
_MOST: Final = 4

_Answer = tuple[NDArray[np.bool_], NDArray[np.uint64]]


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
class Lookup:
    """Queries and where to look for what is near them.

    Attributes:
        rows: uint64[n, words], the indexed codes.
        starts, entries: their tables, as `HammingIndex` has them.
        bands: how the codes are cut.
        queries: uint64[q, words].
        radius: in bits, inclusive.
    """

    rows: NDArray[np.uint64]
    starts: NDArray[np.uint32]
    entries: NDArray[np.uint32]
    bands: Bands
    queries: NDArray[np.uint64]
    radius: int

    def pieces(self, at_once: int) -> Iterator[Found]:
        """Find everything, a million pairs or so at a time; `at_once` threads work on it."""
        least = int(_PER_THREAD / max(1.0, plan(self.bands, self.radius).cost)) + 1
        count = len(self.queries)
        batch = min(_BATCH, max(least, -(-count // at_once)))
        parts = [range(at, min(at + batch, count)) for at in range(0, count, batch)]
        for at in range(0, len(parts), at_once):
            yield from self._together(parts[at : at + at_once])

    def _together(self, parts: Sequence[range]) -> Iterator[Found]:
        """Look up several parts of the queries at once, one thread each, then scan for the rest."""
        if len(self.rows) == 0:
            return
        if plan(self.bands, self.radius).scanned:
            for part in parts:
                yield from self._scan(part)
            return
        if len(parts) == 1:
            looked_up = [self._look_up(parts[0])]
        else:
            looked_up = list(pool().map(self._look_up, parts))
        for part, answer in zip(parts, looked_up, strict=True):
            yield from self._complete(part, answer)

    def _look_up(self, part: range) -> _Answer | None:
        """Queries given up, and the pairs of the others; None: there are too many pairs."""
        how = plan(self.bands, self.radius)
        state, given_up, pairs = kernels.look_up(
            kernels.Table(self.rows, self.starts, self.entries, self.bands.row_bits),
            kernels.Rule(how.firsts, how.seen_bits, how.flips, how.masks, how.weights),
            self.queries[part.start : part.stop],
            kernels.Limits(self.radius, len(self.rows) // _MOST, _PIECE),
        )
        if state == kernels.DAMAGED:
            raise IndexDamaged("entries")
        return None if state == kernels.FULL else (given_up, np.sort(pairs))

    def _complete(self, part: range, answer: _Answer | None) -> Iterator[Found]:
        """Give what was looked up, and scan for the queries that were given up, in order."""
        if answer is None:
            yield from self._halved(part)
            return
        given_up, pairs = answer
        edges = np.searchsorted(pairs, np.arange(len(part) + 1, dtype=np.uint64) << np.uint64(48))
        start = 0
        for query in np.flatnonzero(given_up).tolist():
            yield _found(pairs[edges[start] : edges[query]], part.start)
            yield from self._scan(part[query : query + 1])
            start = query + 1
        yield _found(pairs[edges[start] :], part.start)

    def _halved(self, part: range) -> Iterator[Found]:
        """Answer fewer queries at a time, for these find too much together; one is scanned for."""
        if len(part) == 1:
            yield from self._scan(part)
            return
        for half in (part[: len(part) // 2], part[len(part) // 2 :]):
            yield from self._complete(half, self._look_up(half))

    def _scan(self, part: range) -> Iterator[Found]:
        """Compare all rows, with so many queries at a time that a piece stays small."""
        rows = len(self.rows)
        step = max(1, _PIECE // rows)
        for first in range(part.start, part.stop, step):
            asked = self.queries[first : min(first + step, part.stop)]
            for row in range(0, rows, _PIECE):
                pairs = kernels.scan(self.rows, row, min(row + _PIECE, rows), asked, self.radius)
                yield _found(np.sort(pairs), first)


def _found(pairs: NDArray[np.uint64], first: int) -> Found:
    """Take pairs apart, sorted as they are: query << 48 | row << 16 | distance."""
    numbers = pairs.view(np.int64)
    return Found((numbers >> 48) + first, (numbers >> 16) & 0xFFFFFFFF, numbers & 0xFFFF)
