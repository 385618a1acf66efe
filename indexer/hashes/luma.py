"""A picture's luma, as each of the two hashes wants it, in one pass over its pixels.

Pillow's own conversions to modes L and F read the picture twice, and to get at their pixels costs
more than a hash. Here they are computed where Pillow keeps them, without a copy. Tests compare
every value with Pillow's.
"""

from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from indexer.hamming.native import compiled

# Pillow keeps a larger picture in several blocks of memory, which no single array can show.
_BLOCK_BYTES: Final = 16 * 1024 * 1024


def luma_of(image: Image.Image) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """The luma of an RGB picture: float32[h, w] as of Pillow's mode F, uint8[h, w] as of mode L."""
    width, height = image.size
    if width * height * 4 > _BLOCK_BYTES:
        return np.asarray(image.convert("F")), np.asarray(image.convert("L"))
    # Each pixel has four bytes in memory, red first, the last of which says nothing.
    pixels = _arrow(image).flatten().to_numpy(zero_copy_only=True).view(np.dtype("<u4"))
    exact = np.empty(width * height, np.float32)
    rounded = np.empty(width * height, np.uint8)
    _luma(pixels, exact, rounded)
    return exact.reshape(height, width), rounded.reshape(height, width)


def _arrow(image: Any) -> Any:
    """A picture as the Arrow array that it offers itself as."""
    return pa.array(image)


@compiled
def _luma(pixels, exact, rounded):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """BT.601 luma: in thousandths as Pillow's mode F has it, in 2^-16 as its mode L."""
    for at in range(len(exact)):
        pixel = np.int32(pixels[at])
        red, green, blue = pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255
        thousandths = np.int32(299 * red + 587 * green + 114 * blue)
        exact[at] = np.float32(thousandths) / np.float32(1000)
        rounded[at] = np.int32(19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16
