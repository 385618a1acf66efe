"""Which rows of a group lie near a query's hashes, and how near.

A placeholder picture may be in half a million rows: rows are gathered piece by piece and measured
some thousands at a time, so that memory stays bounded by the rows themselves.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from indexer.hamming.codes import least_distances
from indexer.hamming.index import HammingIndex
from indexer.storage.layout import RowMap

NO_ROWS: Final[NDArray[np.uint32]] = np.empty(0, np.uint32)
NONE: Final = 1 << 16  # a distance longer than any code
_AT_ONCE: Final = 1 << 12  # rows, some megabytes


def rows_near(
    codes: Sequence[NDArray[np.uint8]], index: HammingIndex, at: RowMap, radius: int
) -> list[NDArray[np.uint32]]:
    """For each query the rows within the radius of any of its codes, rising, each once."""
    if not codes:
        return []
    owners = np.repeat(np.arange(len(codes)), [len(part) for part in codes])
    found = [NO_ROWS] * len(codes)
    for piece in index.pieces(np.concatenate(codes), radius):
        # Pairs come by code, and the codes of a query follow one another.
        of = owners[piece.queries]
        for query in np.unique(of).tolist():
            start, end = np.searchsorted(of, (query, query + 1))
            found[query] = np.union1d(found[query], at.rows(piece.rows[start:end]))
    return found


def distances_to(
    codes: NDArray[np.uint8], index: HammingIndex, at: RowMap, rows: NDArray[np.uint32]
) -> list[int | None]:
    """The least distance of any of the query's codes to each row's; None where a row has none."""
    least = least_to(codes, index, at, rows).tolist()
    return [distance if distance < NONE else None for distance in least]


def least_to(
    codes: NDArray[np.uint8], index: HammingIndex, at: RowMap, rows: NDArray[np.uint32]
) -> NDArray[np.int64]:
    """As `distances_to`, with `NONE` for none."""
    distances = np.full(len(rows), NONE, np.int64)
    there, places = at.places(rows)
    if len(codes):
        parts = (places[start : start + _AT_ONCE] for start in range(0, len(places), _AT_ONCE))
        near = [least_distances(codes, index.codes[part]) for part in parts]
        distances[there] = np.concatenate([np.empty(0, np.int64), *near])
    return distances


def rows_without(rows: NDArray[np.uint32], removed: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Those of `rows` that were not removed; both rise."""
    if not len(removed):
        return rows
    near = np.minimum(np.searchsorted(removed, rows), len(removed) - 1)
    kept: NDArray[np.uint32] = rows[removed[near] != rows]
    return kept
