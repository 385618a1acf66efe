"""The compiled loops that build a band's table.

Codes come as uint64[n, words], little-endian: bit k of a code is bit k % 64 of word k // 64.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexer.hamming.native import band_of, compiled


class Cut(NamedTuple):
    """Where a band lies in a code, and how its entries are laid out.

    Attributes:
        first: the band's first bit.
        prefix_bits, tag_bits: how many of its bits choose a bucket, how many are kept as a tag.
        row_bits: the place of the tag in an entry.
        lower: how many of the prefix's bits the second sort goes by.
    """

    first: int
    prefix_bits: int
    tag_bits: int
    row_bits: int
    lower: int


@compiled
def sort_band(
    words: NDArray[np.uint64],
    cut: Cut,
    starts: NDArray[np.uint32],
    entries: NDArray[np.uint32],
    pairs: NDArray[np.uint64],
) -> None:
    """Sort all rows by their prefixes; equals by row.

    Two counting sorts, by the upper bits and then, piece by piece, by the lower ones: either
    writes to few places at a time, so that they stay in the cache.

    Args:
        words: the codes.
        cut: the band.
        starts: uint32[2**prefix_bits + 1]; becomes the place where each bucket starts.
        entries: uint32[n or more]; becomes tag << row_bits | row, bucket by bucket.
        pairs: uint64[m], to work in: as many rows are sorted at a time, if no piece has more.
    """
    edges = np.zeros((1 << (cut.prefix_bits - cut.lower)) + 1, np.int64)
    for row in range(len(words)):
        edges[(band_of(words[row], cut.first, cut.prefix_bits) >> cut.lower) + 1] += 1
    edges = np.cumsum(edges)
    piece = 0
    while piece < len(edges) - 1:
        last = piece + 1
        while last < len(edges) - 1 and edges[last + 1] - edges[piece] <= len(pairs):
            last += 1
        if edges[last] - edges[piece] > len(pairs):
            pairs = np.empty(edges[last] - edges[piece], np.uint64)
        _split(words, cut, piece, edges[piece:last] - edges[piece], pairs)
        for one in range(piece, last):
            part = pairs[edges[one] - edges[piece] : edges[one + 1] - edges[piece]]
            _fill(part, cut, edges[one], starts[one << cut.lower :], entries)
        piece = last
    starts[len(starts) - 1] = len(words)


@compiled
def _split(
    words: NDArray[np.uint64],
    cut: Cut,
    piece: int,
    places: NDArray[np.int64],
    pairs: NDArray[np.uint64],
) -> None:
    """Put the rows of the pieces from `piece` on, as many as there are `places`, into `pairs`.

    A pair is value << 32 | row; `places` says where each piece starts.
    """
    mask = (1 << cut.prefix_bits) - 1
    for row in range(len(words)):
        value = band_of(words[row], cut.first, cut.prefix_bits + cut.tag_bits)
        here = ((value & mask) >> cut.lower) - piece
        if 0 <= here < len(places):
            pairs[places[here]] = (np.uint64(value) << np.uint64(32)) | np.uint64(row)
            places[here] += 1


@compiled
def _fill(
    pairs: NDArray[np.uint64],
    cut: Cut,
    offset: int,
    starts: NDArray[np.uint32],
    entries: NDArray[np.uint32],
) -> None:
    """Sort one piece by its lower bits into `entries` from `offset` on; `starts` are its own."""
    mask = (1 << cut.lower) - 1
    places = np.zeros((1 << cut.lower) + 1, np.int64)
    for pair in pairs:
        places[(np.int64(pair >> np.uint64(32)) & mask) + 1] += 1
    places = np.cumsum(places) + offset
    for bucket in range(1 << cut.lower):
        starts[bucket] = places[bucket]
    for pair in pairs:
        value = np.int64(pair >> np.uint64(32))
        row = np.int64(pair & np.uint64(0xFFFFFFFF))
        entries[places[value & mask]] = ((value >> cut.prefix_bits) << cut.row_bits) | row
        places[value & mask] += 1
