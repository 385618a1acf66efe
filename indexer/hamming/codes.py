"""Codes as they are given, uint8[n, bytes], and as they are compared, 64 bits at a time."""

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]


def as_words(codes: Codes) -> NDArray[np.uint64]:
    """Codes as uint64[n, words]; the order of bytes does not matter to a distance."""
    return np.ascontiguousarray(codes).view(np.uint64)


def least_distances(queries: Codes, codes: Codes) -> NDArray[np.int64]:
    """For each of `codes` (uint8[n, bytes]) the distance to the nearest of `queries`: int64[n]."""
    apart = as_words(queries)[:, None] ^ as_words(codes)[None]
    distances: NDArray[np.int64] = np.bitwise_count(apart).sum(axis=2, dtype=np.int64)
    least: NDArray[np.int64] = distances.min(axis=0)
    return least
