"""How a Hamming index cuts its codes into bands, and what a search then has to look at.

Two codes within radius r = a * m + b of each other (b < m), cut into m bands, agree up to a bits
in one of the first b + 1 bands or up to a - 1 bits in one of the others (Norouzi, Punjani, Fleet:
"Fast Exact Search in Hamming Space with Multi-Index Hashing", 2014, section 3.1): were it not so,
they would differ in (a + 1)(b + 1) + a(m - b - 1) = r + 1 bits.

A band's first bits, the prefix, choose a bucket of the band's table; as many of the next ones as
fit beside the row number stay in the entry as a tag.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb, inf
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

# Bits of an entry: a tag and a row number.
ENTRY_BITS: Final = 32
# Entries that a bucket has at least, on average: half a cache line of them.
_BUCKET: Final = 8
# Bits that choose a bucket, at least and at most.
_PREFIX: Final = (4, 28)
# Nanoseconds, measured (ADR 0009): finding and reading a bucket, an entry of it, a candidate's
# code; a word of a code in a scan.
_BUCKET_COST: Final = 30.0
_ENTRY_COST: Final = 0.5
_CANDIDATE_COST: Final = 20.0
_WORD_COST: Final = 0.6


@dataclass(frozen=True, slots=True)
class Bands:
    """How codes of so many bits are cut in a table of so many rows.

    Attributes:
        bits, rows: of the codes and of the table.
        count: how many bands; 0: the table is scanned.
        prefix_bits: how many bits choose a bucket, the same in each band.
    """

    bits: int
    rows: int
    count: int
    prefix_bits: int

    @classmethod
    def cut(cls, bits: int, rows: int, count: int) -> Self:
        """So many bands, with buckets to suit the table."""
        narrowest = bits // count if count else 0
        wanted = max(_PREFIX[0], (rows // _BUCKET).bit_length() - 1)
        return cls(bits, rows, count, min(wanted, narrowest, _PREFIX[1]))

    @property
    def firsts(self) -> list[int]:
        """The first bit of each band."""
        return [self.bits * band // self.count for band in range(self.count)]

    @property
    def row_bits(self) -> int:
        """How many bits number the rows."""
        return max(self.rows - 1, 0).bit_length()

    @property
    def seen_bits(self) -> list[int]:
        """How many bits of each band its bucket and tag show."""
        edges = [*self.firsts, self.bits]
        widths = [edges[band + 1] - edges[band] for band in range(self.count)]
        most = min(self.prefix_bits + ENTRY_BITS - self.row_bits, ENTRY_BITS)
        return [min(width, most) for width in widths]

    def flips(self, radius: int) -> list[int]:
        """How many bits may differ in each band at a radius; -1: it need not be looked at."""
        if not self.count:
            return []
        most, more = divmod(radius, self.count)
        return [most if band <= more else most - 1 for band in range(self.count)]

    def look_up_cost(self, radius: int) -> float:
        """Nanoseconds that looking up one query takes, if the codes were random."""
        if not self.count:
            return inf
        size = self.rows / float(2**self.prefix_bits)
        bucket = _BUCKET_COST + size * _ENTRY_COST
        return sum(
            within(self.prefix_bits, most) * bucket
            + self.rows * within(seen, most) / float(2**seen) * _CANDIDATE_COST
            for most, seen in zip(self.flips(radius), self.seen_bits, strict=True)
        )

    def scan_cost(self) -> float:
        """Nanoseconds that comparing one query with all rows takes."""
        return self.rows * self.bits / 64 * _WORD_COST


@dataclass(frozen=True, eq=False, slots=True)
class Search:
    """What a search of a table at one radius needs to know.

    Attributes:
        cost: nanoseconds a query takes, about.
        scanned: whether a scan is the cheaper way; the arrays are empty then.
        firsts, seen_bits, flips: int64[bands], see `Bands`.
        masks, weights: int64[m], see `masks`.
    """

    cost: float
    scanned: bool
    firsts: NDArray[np.int64]
    seen_bits: NDArray[np.int64]
    flips: NDArray[np.int64]
    masks: NDArray[np.int64]
    weights: NDArray[np.int64]


@lru_cache(maxsize=256)
def plan(bands: Bands, radius: int) -> Search:
    """Decide how to search; a table answers all queries at a radius alike."""
    none = np.empty(0, np.int64)
    looking, scanning = bands.look_up_cost(radius), bands.scan_cost()
    if scanning <= looking:
        return Search(scanning, True, none, none, none, none, none)
    flips = np.array(bands.flips(radius), np.int64)
    turned, weights = masks(bands.prefix_bits, int(flips.max()))
    firsts, seen_bits = np.array(bands.firsts, np.int64), np.array(bands.seen_bits, np.int64)
    return Search(looking, False, firsts, seen_bits, flips, turned, weights)


def cheapest(bits: int, rows: int, radius: int) -> Bands:
    """The bands that make a search within `radius` cheapest in a table of so many rows.

    Fewer bands are wider and show fewer candidates, but have more buckets near the query's.
    """
    counts = range(1, max(1, bits // 8) + 1)
    return min(
        (Bands.cut(bits, rows, count) for count in counts),
        key=lambda bands: bands.look_up_cost(radius),
    )


def within(bits: int, most: int) -> int:
    """How many numbers of so many bits have at most `most` bits set."""
    return sum(comb(bits, count) for count in range(most + 1))


@lru_cache(maxsize=16)
def masks(bits: int, most: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All numbers of so many bits with at most `most` bits set, fewest first, and how many are.

    Returns:
        int64[m] each.
    """
    numbers = [
        sum(1 << bit for bit in chosen)
        for count in range(min(most, bits) + 1)
        for chosen in combinations(range(bits), count)
    ]
    values = np.array(numbers, np.int64)
    return values, np.bitwise_count(values).astype(np.int64)
