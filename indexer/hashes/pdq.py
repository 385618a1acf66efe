"""PDQ, computed as one product of small matrices: the reference's bits at a tenth of its time.

PDQ brings a picture's luma to 64 x 64 by two passes of a box filter each way and by taking every
so-manieth value, then to the 16 x 16 lowest terms of a cosine transform, each a bit by whether it
lies above their median. All of it before the median is linear and separable, so filter and
decimation of one side are one matrix of 64 rows, sparse and known from the side's length alone:
only the sums that are kept are ever computed.

Source: https://github.com/facebook/ThreatExchange/tree/main/pdq, `pdqhashing.cpp` and
`downscaling.cpp`. Tests compare every bit and quality with the `pdqhash` library's.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

SIDE: Final = 64
TERMS: Final = 16
_BLOCK: Final = 8
# The 128th of 256 values in order: PDQ's median is the lower one.
_MEDIAN: Final = TERMS * TERMS // 2 - 1


@dataclass(frozen=True, eq=False, slots=True)
class _Band:
    """Eight rows of a side's filter: weights float32[8, stop - start] of its values there."""

    row: int
    start: int
    stop: int
    weights: NDArray[np.float32]


def pdq_terms(
    luma: NDArray[np.float32], original: tuple[int, int] | None = None
) -> tuple[NDArray[np.float64], int]:
    """The lowest terms of a picture's cosine transform, and how much there is in it.

    Args:
        luma: float32[height, width], 0..255.
        original: height and width before the picture was averaged down by a whole factor; None:
            it was not. The filter is then that of the original, so that the hash is too, but for
            what an average of some pixels cannot tell.

    Returns:
        float64[16, 16], and PDQ's quality, 0..100.
    """
    small = _reduced(luma, original or (luma.shape[0], luma.shape[1]))
    terms = _COSINES @ small.astype(np.float64) @ _COSINES.T
    return terms, _quality(small)


def pdq_code(terms: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The hash of a picture by its terms: uint8[32], in the byte order of published hashes."""
    flat = terms.ravel()
    median = np.partition(flat, _MEDIAN)[_MEDIAN]
    return np.packbits((flat > median)[::-1])


def pdq_orientations(terms: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The hashes of all 8 orientations of a picture: uint8[8, 32].

    As it is, turned by 90, 180 and 270 degrees, mirrored at the horizontal and at the vertical
    axis, transposed, and transposed across the other diagonal. To turn or to mirror a picture is
    to transpose its terms and to change the sign of every other one.
    """
    return np.stack([pdq_code(one) for one in orientations(terms, first=1)])


def pdq_turned(code: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As `pdq_orientations`, from a hash alone: uint8[32] -> uint8[8, 32].

    The median of a picture's terms is nearly 0, so a bit is nearly its term's sign: all but the
    first come out within some bits of the picture's own.
    """
    bits = np.unpackbits(code)[::-1].reshape(TERMS, TERMS)
    signs = np.where(bits == 1, 1.0, -1.0)
    turned = [one.ravel() > 0 for one in orientations(signs, first=1)]
    return np.stack([np.packbits(one[::-1]) for one in turned])


def orientations(terms: NDArray[np.float64], *, first: int) -> tuple[NDArray[np.float64], ...]:
    """The terms of a picture's 8 orientations from those of the picture as it stands.

    Args:
        terms: float64[n, n] of its cosine transform.
        first: which term of a side is the first of them, 0 being the mean.
    """
    odd = (np.arange(len(terms)) + first) % 2 == 1
    rows = np.where(odd, -1.0, 1.0)[:, None]
    columns = rows.T
    return (
        terms,
        (terms * columns).T,
        terms * rows * columns,
        (terms * rows).T,
        terms * rows,
        terms * columns,
        terms.T,
        (terms * rows * columns).T,
    )


def _reduced(luma: NDArray[np.float32], original: tuple[int, int]) -> NDArray[np.float32]:
    """Filter and decimate: float32[height, width] -> float32[64, 64]."""
    height, width = luma.shape
    if original == (SIDE, SIDE):
        return luma
    rows = np.empty((SIDE, width), np.float32)
    for band in _bands(original[0], height):
        np.matmul(
            band.weights, luma[band.start : band.stop], out=rows[band.row : band.row + _BLOCK]
        )
    both = np.empty((SIDE, SIDE), np.float32)
    for band in _bands(original[1], width):
        both[:, band.row : band.row + _BLOCK] = rows[:, band.start : band.stop] @ band.weights.T
    return both


def _quality(small: NDArray[np.float32]) -> int:
    """PDQ's measure of structure: how much neighbors differ, in whole percent of the full range."""
    steps = (np.diff(small, axis=0), np.diff(small, axis=1))
    total = sum(int(np.abs((step * 100 / 255).astype(np.int32)).sum()) for step in steps)
    return min(100, total // 90)


@lru_cache(maxsize=256)
def _bands(original: int, length: int) -> tuple[_Band, ...]:
    """The filter and decimation of a side, without its zeros.

    Args:
        original: its length in pixels, by which the filter goes.
        length: how many are left, each the average of as many as any other but for the last.
    """
    factor = -(-original // length)
    weights = np.add.reduceat(_weights(original), np.arange(0, original, factor), axis=1)
    if weights.shape[1] != length:
        raise ValueError(f"{length} pixels are no {original} averaged down by a whole factor")
    bands = []
    for row in range(0, SIDE, _BLOCK):
        block = weights[row : row + _BLOCK]
        used = np.flatnonzero(block.any(axis=0))
        start, stop = int(used[0]), int(used[-1]) + 1
        bands.append(_Band(row, start, stop, np.ascontiguousarray(block[:, start:stop])))
    return tuple(bands)


def _weights(length: int) -> NDArray[np.float32]:
    """What each pixel of a side counts in each of its 64 values: float32[64, length].

    The box filter's window is cut off at the ends of the side, and averages what is left.
    """
    window = (length + 2 * SIDE - 1) // (2 * SIDE)
    ahead = (window + 2) // 2
    at = np.arange(length)
    start = np.maximum(0, at - (window - ahead))
    stop = np.minimum(length, at + ahead)
    kept = ((np.arange(SIDE) + 0.5) * length / SIDE).astype(np.intp)
    inner = kept[:, None] + np.arange(ahead - window, ahead)
    inside = (inner >= 0) & (inner < length)
    inner = inner.clip(0, length - 1)
    share = inside / (stop - start)[inner] / inside.sum(axis=1, keepdims=True)
    # The second pass averages the first one's windows: each adds its share from its start on and
    # takes it back at its end.
    row = np.arange(SIDE)[:, None] * (length + 1)
    places = np.concatenate([row + start[inner], row + stop[inner]])
    changes = np.bincount(
        places.ravel(), np.concatenate([share, -share]).ravel(), SIDE * (length + 1)
    )
    return _without_residue(changes.reshape(SIDE, length + 1).cumsum(axis=1)[:, :length]).astype(
        np.float32
    )


def _without_residue(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rounding leaves traces after a window's end, far below any weight."""
    return np.where(weights > 1e-9, weights, 0)


_COSINES: Final = np.sqrt(2 / SIDE) * np.cos(
    np.pi / (2 * SIDE) * np.outer(np.arange(1, TERMS + 1), 2 * np.arange(SIDE) + 1)
)
