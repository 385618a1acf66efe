"""Perceptual hashes of a picture and of its 8 orientations: PDQ (256 bits) and pHash (64 bits).

Orientations: as stored, turned by 90, 180 and 270 degrees, and the mirror image of each. A query
carries all eight, so that an index holds each row once.
PDQ: `indexer.hashes.pdq`. pHash: `imagehash.phash`.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import pdqhash
from numpy.typing import NDArray
from PIL import Image

from indexer.hashes.luma import luma_of
from indexer.hashes.pdq import TERMS, pdq_code, pdq_orientations, pdq_terms
from indexer.hashes.phash import phash_code, phash_reduced

# PDQ works on float copies of the picture: 1.2 GB at 40 megapixels. Larger pictures are averaged
# down by a whole factor first; published hashes of smaller ones stay as they are.
MAX_PIXELS: Final = 2_000_000
# PDQ's own measure of how much there is in a picture, 0..100, and the floor its authors advise.
QUALITY_FLOOR: Final = 50

_TURNS: Final = (
    None,
    Image.Transpose.ROTATE_90,
    Image.Transpose.ROTATE_180,
    Image.Transpose.ROTATE_270,
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.TRANSVERSE,
)


@dataclass(frozen=True, eq=False, slots=True)
class Hashes:
    """Hashes of one picture.

    Attributes:
        pdq: uint8[8, 32] of all orientations, or [1, 32] of the picture as it stands.
        quality: PDQ's, 0..100; below `QUALITY_FLOOR` neither hash is ground for a match.
        phash: uint64[8] or [1].
    """

    pdq: NDArray[np.uint8]
    quality: int
    phash: NDArray[np.uint64]


def hash_picture(
    image: Image.Image, *, turned: bool, original: tuple[int, int] | None = None
) -> Hashes:
    """Hash an RGB picture.

    Args:
        image: of any size.
        turned: in all 8 orientations, else as it stands.
        original: its width and height before it was averaged down by a whole factor, as `bounded`
            and `decode` do it; None: it was not. PDQ then comes out as the original's.
    """
    small = bounded(image)
    exact, rounded = luma_of(small)
    pdq, quality = _pdq(small, exact, original or image.size, turned=turned)
    grey = phash_reduced(rounded)
    turns = _TURNS if turned else _TURNS[:1]
    return Hashes(
        pdq=pdq,
        quality=quality,
        phash=np.array(
            [phash_code(grey if turn is None else grey.transpose(turn)) for turn in turns]
        ),
    )


def bounded(image: Image.Image) -> Image.Image:
    """The picture itself, or where it exceeds `MAX_PIXELS`, averaged down by a whole factor."""
    factor = math.ceil(math.sqrt(image.width * image.height / MAX_PIXELS))
    return image.reduce(factor) if factor > 1 else image


def phash_codes(phash: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """64-bit hashes as codes for a Hamming index: uint64[n] -> uint8[n, 8]."""
    return np.ascontiguousarray(phash, np.uint64).view(np.uint8).reshape(-1, 8)


def _pdq(
    image: Image.Image, luma: NDArray[np.float32], original: tuple[int, int], *, turned: bool
) -> tuple[NDArray[np.uint8], int]:
    """PDQ's codes, uint8[8 or 1, 32], and quality."""
    if min(image.size) <= TERMS:  # its terms depend on each other: rounding alone decides on bits
        pixels = np.array(image)
        bits, quality = pdqhash.compute_dihedral(pixels) if turned else pdqhash.compute(pixels)
        return np.packbits(np.atleast_2d(np.asarray(bits, np.uint8)), axis=1), int(quality)
    terms, quality = pdq_terms(luma, (original[1], original[0]))
    return pdq_orientations(terms) if turned else pdq_code(terms)[None], quality
