"""Perceptual hashes of a picture and of its 8 orientations: PDQ (256 bits) and pHash (64 bits).

Orientations: as stored, turned by 90, 180 and 270 degrees, and the mirror image of each. A query
carries all eight, so that an index holds each row once.
PDQ: https://github.com/facebook/ThreatExchange/tree/main/pdq. pHash: `imagehash.phash`.
"""

import math
from dataclasses import dataclass
from typing import Final

import imagehash
import numpy as np
import pdqhash
from numpy.typing import NDArray
from PIL import Image

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


def hash_picture(image: Image.Image, *, turned: bool) -> Hashes:
    """Hash an RGB picture, in all 8 orientations if `turned`, else as it stands."""
    small = bounded(image)
    pixels = np.array(small)
    if turned:
        bits, quality = pdqhash.compute_dihedral(pixels)
    else:
        one, quality = pdqhash.compute(pixels)
        bits = [one]
    grey = small.convert("L").resize((32, 32), Image.Resampling.LANCZOS)
    turns = _TURNS if turned else _TURNS[:1]
    return Hashes(
        pdq=np.packbits(np.asarray(bits, np.uint8), axis=1),
        quality=int(quality),
        phash=np.array([_phash(grey if turn is None else grey.transpose(turn)) for turn in turns]),
    )


def bounded(image: Image.Image) -> Image.Image:
    """The picture itself, or where it exceeds `MAX_PIXELS`, averaged down by a whole factor."""
    factor = math.ceil(math.sqrt(image.width * image.height / MAX_PIXELS))
    return image.reduce(factor) if factor > 1 else image


def phash_codes(phash: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """64-bit hashes as codes for a Hamming index: uint64[n] -> uint8[n, 8]."""
    return np.ascontiguousarray(phash, np.uint64).view(np.uint8).reshape(-1, 8)


def _phash(grey: Image.Image) -> np.uint64:
    bits = imagehash.phash(grey).hash
    return np.uint64(int.from_bytes(np.packbits(bits).tobytes()))
