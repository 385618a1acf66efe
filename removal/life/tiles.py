"""Tiles: all that a subject ever sees of a look-alike row, and only when a reviewer asks them.

A tile has at most 16 pixels a side, and at most a quarter of the row's picture: so that a stored
thumbnail is not shown as it is. It carries no metadata.
"""

import io
from typing import Final

from PIL import Image

from indexer.decode import decode_sized

TILE_SIDE: Final = 16
_SHARE: Final = 4
_DECODED_SIDE: Final = 256
"""A large JPEG is decoded at a part of its size, which is plenty for a tile."""


def tile_made(picture: bytes) -> bytes:
    """Return the tile of a stored picture as PNG.

    Raises:
        ImageRefused: the bytes are no picture that can be decoded.
    """
    image, size = decode_sized(picture, side=_DECODED_SIDE)
    out = io.BytesIO()
    tile_of(image, size).save(out, "PNG", optimize=True)
    return out.getvalue()


def tile_of(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return the tile of a picture.

    Args:
        image: the picture, perhaps decoded at a part of its size.
        size: its width and height in full.
    """
    bound = max(1, min(TILE_SIDE, max(size) // _SHARE))
    tile = image.copy()
    tile.thumbnail((bound, bound), Image.Resampling.BOX)
    return tile
