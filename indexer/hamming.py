"""Exact search within a Hamming radius, for codes of 64 and 256 bits, in plain NumPy.

Multi-index hashing (Norouzi, Punjani, Fleet: "Fast Exact Search in Hamming Space with Multi-Index
Hashing", 2014): cut the code into b bands; two codes within radius r agree up to floor(r / b)
bits in at least one band. So for each band, look up every value that near in the sorted table of
band values, and compare the whole codes of the rows found there. Small tables are scanned.

What always holds: exactly the rows within the radius are found, each once per query.
The tables are arrays on disk, memory-mapped, shared between processes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise
from math import comb
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]

# Below this many rows comparing them all is faster than looking up.
SCAN_ROWS: Final = 1 << 14
# How many pairs are compared at a time, to bound memory (8 MB of 256-bit codes).
_PAIRS: Final = 1 << 18
# Bits in a band, at least and at most.
_NARROWEST: Final = 12
_WIDEST: Final = 26
# What looking up one value costs, in comparisons of whole codes (measured: 0.5-2).
_LOOK_UP_COST: Final = 1.0


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
    """Codes with their band tables.

    Attributes:
        codes: uint8[n, bytes], bytes a multiple of 8.
        values: uint32[bands, n], each band's values in rising order; no bands for small tables.
        order: uint32[bands, n], the rows they belong to.
    """

    codes: Codes
    values: NDArray[np.uint32]
    order: NDArray[np.uint32]

    @classmethod
    def build(cls, codes: Codes, *, radius: int, scan_rows: int = SCAN_ROWS) -> Self:
        """Index codes; from `scan_rows` rows on with band tables.

        Args:
            codes: uint8[n, bytes].
            radius: the one most searched for; any other is answered too, only slower.
            scan_rows: smaller tables get no bands.
        """
        bits, rows = codes.shape[1] * 8, len(codes)
        spans = _spans(bits, band_count(bits, rows, radius)) if rows >= scan_rows else []
        values = np.empty((len(spans), rows), np.uint32)
        order = np.empty_like(values)
        for band, span in enumerate(spans):
            unsorted = _band(codes, span)
            order[band] = np.argsort(unsorted, kind="stable")
            values[band] = unsorted[order[band]]
        return cls(np.ascontiguousarray(codes), values, order)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Take arrays as `arrays` named them, memory-mapped or not."""
        return cls(arrays["codes"], arrays["values"], arrays["order"])

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays to store, by name."""
        return {"codes": self.codes, "values": self.values, "order": self.order}

    def search(self, queries: Codes, radius: int) -> Found:
        """Find all rows within `radius` bits of each query.

        Args:
            queries: uint8[q, bytes].
            radius: in bits, inclusive.
        """
        words, probes = _words(self.codes), _words(queries)
        pairs = self._scan(len(queries)) if not len(self.values) else self._look_up(queries, radius)
        found: list[NDArray[np.int64]] = [np.empty((3, 0), np.int64)]
        for query, row in pairs:
            distance = np.bitwise_count(probes[query] ^ words[row]).sum(axis=1, dtype=np.int64)
            near = distance <= radius
            found.append(np.stack([query[near], row[near], distance[near]]))
        # A row can be near in several bands: once is enough.
        unique = np.unique(np.concatenate(found, axis=1), axis=1)
        return Found(unique[0], unique[1], unique[2])

    def _scan(self, queries: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        rows = np.arange(len(self.codes), dtype=np.int64)
        for query in range(queries):
            yield np.full(len(rows), query, np.int64), rows

    def _look_up(
        self, queries: Codes, radius: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Candidate pairs, band by band, at most `_PAIRS` (or one bucket) at a time."""
        spans = _spans(queries.shape[1] * 8, len(self.values))
        for band, span in enumerate(spans):
            masks = _masks(span[1] - span[0], radius // len(spans))
            wanted = _band(queries, span)[:, None] ^ masks
            starts = np.searchsorted(self.values[band], wanted.ravel(), side="left")
            ends = np.searchsorted(self.values[band], wanted.ravel(), side="right")
            owners = np.repeat(np.arange(len(queries)), len(masks))
            filled = ends > starts
            for owner, at in _ranges(owners[filled], starts[filled], ends[filled]):
                yield owner, self.order[band][at].astype(np.int64)


def least_distances(queries: Codes, codes: Codes) -> NDArray[np.int64]:
    """For each of `codes` (uint8[n, bytes]) the distance to the nearest of `queries`: int64[n]."""
    apart = _words(queries)[:, None] ^ _words(codes)[None]
    distances: NDArray[np.int64] = np.bitwise_count(apart).sum(axis=2, dtype=np.int64)
    least: NDArray[np.int64] = distances.min(axis=0)
    return least


def band_count(bits: int, rows: int, radius: int) -> int:
    """How many bands make a search within `radius` cheapest in a table of so many rows.

    Fewer bands are wider, with smaller buckets, but have more values near the query's to look up.
    """

    def cost(bands: int) -> float:
        width = bits // bands
        near = sum(comb(width, flips) for flips in range(radius // bands + 1))
        return bands * near * (_LOOK_UP_COST + rows / float(2**width))

    return min(range(-(-bits // _WIDEST), bits // _NARROWEST + 1), key=cost)


def _spans(bits: int, bands: int) -> list[tuple[int, int]]:
    """First and last (exclusive) bit of each band."""
    edges = [bits * band // bands for band in range(bands + 1)]
    return list(pairwise(edges))


def _words(codes: Codes) -> NDArray[np.uint64]:
    """Codes as uint64[n, words]; the order of bytes does not matter to a distance."""
    return np.ascontiguousarray(codes).view(np.uint64)


def _band(codes: Codes, span: tuple[int, int]) -> NDArray[np.uint32]:
    """Bits `span` of each code as a number: uint32[n]."""
    first, last = span[0] // 8, -(-span[1] // 8)
    value = np.zeros(len(codes), np.uint64)
    for byte in range(first, last):
        value = value << np.uint64(8) | codes[:, byte]
    value >>= np.uint64(last * 8 - span[1])
    return (value & np.uint64((1 << (span[1] - span[0])) - 1)).astype(np.uint32)


@cache
def _masks(width: int, radius: int) -> NDArray[np.uint32]:
    """All numbers of `width` bits with at most `radius` bits set."""
    masks = [
        sum(1 << bit for bit in bits)
        for count in range(radius + 1)
        for bits in combinations(range(width), count)
    ]
    return np.array(masks, np.uint32)


def _ranges(
    owners: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Spell out ranges as (owner of each position, position), in bounded pieces."""
    sizes = ends - starts
    cuts = np.flatnonzero(np.diff(np.cumsum(sizes) // _PAIRS)) + 1
    for part in np.split(np.arange(len(sizes)), cuts):
        size = sizes[part]
        inside = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        yield np.repeat(owners[part], size), np.repeat(starts[part], size) + inside
