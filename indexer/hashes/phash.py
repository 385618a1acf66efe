"""pHash of a grey picture, bit for bit as `imagehash.phash` gives it, in a fraction of the time.

Nearly all of that library's time goes into Pillow's scaling to 32 x 32 pixels. Pillow scales in
whole numbers: a weight is a multiple of 2^-22, and each of its two passes rounds to 8 bits. The
same sums are made here, compiled for what this machine's processor can do at once.

Pillow starts with the rows of a picture, unless it is so much taller than wide that to start
with the columns is less work. Those, and pictures smaller than the result, are left to Pillow.

Source: `src/libImaging/Resample.c` of https://github.com/python-pillow/Pillow. Tests compare every
pixel with Pillow's, and every hash with the library's.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.hamming.native import compiled
from indexer.hashes.pdq import orientations

SIDE: Final = 32
_SUPPORT: Final = 3.0
_PRECISION: Final = 22


@dataclass(frozen=True, eq=False, slots=True)
class _Weights:
    """How the pixels of a side make 32.

    Attributes:
        start: the first pixel that counts for each, int32[32].
        values: what that one and those after it count, in 2^-22, int32[32, most]; 0 past the last.
        count: how many count for each, int32[32].
    """

    start: NDArray[np.int32]
    values: NDArray[np.int32]
    count: NDArray[np.int32]


def phash_reduced(grey: NDArray[np.uint8]) -> Image.Image:
    """Scale uint8[height, width] to a 32 x 32 picture of mode L with Lanczos's filter."""
    height, width = grey.shape
    if min(width, height) <= SIDE or height + SIDE > 2 * width:
        return Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    across, down = _weights(width), _weights(height)
    narrow = np.empty((height, SIDE), np.uint8)
    small = np.empty((SIDE, SIDE), np.uint8)
    _scale_across(grey, across.start, across.values, across.count, narrow)
    _scale_down(narrow, down.start, down.values, down.count, small)
    return Image.fromarray(small)


def phash_code(reduced: Image.Image) -> np.uint64:
    """The hash of a 32 x 32 picture of mode L; its first bit is the highest."""
    bits = imagehash.phash(reduced).hash
    return np.uint64(int.from_bytes(np.packbits(bits).tobytes()))


def phash_turned(code: np.uint64) -> NDArray[np.uint64]:
    """The hashes of all 8 orientations from that of the picture as it stands: uint64[8].

    In the order of `indexer.hashes.pdq.orientations`, and as near to the pictures' own.
    """
    bits = np.unpackbits(np.frombuffer(int(code).to_bytes(8), np.uint8)).reshape(8, 8)
    signs = np.where(bits == 1, 1.0, -1.0)
    turned = [np.packbits(one > 0) for one in orientations(signs, first=0)]
    return np.array([int.from_bytes(one.tobytes()) for one in turned], np.uint64)


# In both, slices spare the loop a check of each place, and casts keep the sums at 32 bits: only so
# does the compiler make many of them at once. As in Pillow, none exceeds 32 bits.
@compiled
def _scale_across(grey, start, values, count, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """uint8[height, width] -> uint8[height, 32]."""
    for row in range(grey.shape[0]):
        for at in range(out.shape[1]):
            taps = count[at]
            line = grey[row, start[at] : start[at] + taps]
            weights = values[at, :taps]
            total = np.int32(1 << 21)
            for tap in range(taps):
                total = np.int32(total + np.int32(np.int32(line[tap]) * weights[tap]))
            out[row, at] = min(max(total >> 22, 0), 255)


@compiled
def _scale_down(lines, start, values, count, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """uint8[height, 32] -> uint8[32, 32]."""
    totals = np.empty(lines.shape[1], np.int32)
    for at in range(out.shape[0]):
        totals[:] = 1 << 21
        for tap in range(count[at]):
            line, weight = lines[start[at] + tap], values[at, tap]
            for column in range(len(line)):
                product = np.int32(np.int32(line[column]) * weight)
                totals[column] = np.int32(totals[column] + product)
        for column in range(len(totals)):
            out[at, column] = min(max(totals[column] >> 22, 0), 255)


@lru_cache(maxsize=256)
def _weights(length: int) -> _Weights:
    """Pillow's `precompute_coeffs` and `normalize_coeffs_8bpc` for a side of `length` pixels."""
    scale = length / SIDE
    stretch = max(scale, 1.0)
    center = (np.arange(SIDE) + 0.5) * scale
    start = np.maximum((center - _SUPPORT * stretch + 0.5).astype(np.int32), 0)
    stop = np.minimum((center + _SUPPORT * stretch + 0.5).astype(np.int32), length)
    count = stop - start
    taps = np.arange(count.max())
    place = (start[:, None] + taps - center[:, None] + 0.5) / stretch
    shares = np.where(taps < count[:, None], _lanczos(place), 0)
    shares /= shares.sum(axis=1, keepdims=True)
    whole = np.trunc(shares * 2**_PRECISION + np.copysign(0.5, shares)).astype(np.int32)
    return _Weights(start, whole, count)


def _lanczos(x: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.abs(x) < _SUPPORT
    values: NDArray[np.float64] = np.sinc(x) * np.sinc(x / _SUPPORT) * inside
    return values
