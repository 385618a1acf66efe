"""Where pictures were joined: a collage is cut along its seams into the pictures it is made of.

A seam is a straight line right across, along which the color jumps nearly everywhere, while a
little aside it does so less often. What lies on either side may be cut again, as a collage's
columns are into pictures.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Box = tuple[int, int, int, int]

_WORK_SIDE: Final = 360  # pixels in which seams are looked for
_JUMP: Final = 14  # of 255, in any channel, over two pixels: JPEG blurs a seam over that much
_ALONG: Final = 0.72  # share of a seam's length along which the color jumps
_ASIDE: Final = 12  # pixels on either side, in which jumps must be rarer
_STANDS_OUT: Final = 0.3
_MIN_SHARE: Final = 0.14  # of the picture's width and height: smaller tiles are not searched
_MOST_TILES: Final = 9
_LEAST_CONTRAST: Final = 8.0  # deviation of a tile's luma: gutters and bars are no pictures


def tile_boxes(image: Image.Image) -> list[Box]:
    """The pictures that a collage is joined of, the largest first; none where there is no seam.

    Args:
        image: RGB.
    """
    scale = min(1.0, _WORK_SIDE / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    pixels = np.asarray(image.resize(size, Image.Resampling.BOX), np.int16)
    whole = (0, 0, size[0], size[1])
    least = (max(8, _MIN_SHARE * size[0]), max(8, _MIN_SHARE * size[1]))
    parts = [part for part in _cut(pixels, whole, least) if part != whole]
    shown = [part for part in parts if _contrast(pixels, part) >= _LEAST_CONTRAST]
    shown.sort(key=lambda box: -(box[2] - box[0]) * (box[3] - box[1]))
    to_image = np.array([image.width, image.height] * 2) / np.array(size * 2)
    boxes = [np.rint(np.array(part) * to_image).astype(int).tolist() for part in shown]
    return [(left, top, right, bottom) for left, top, right, bottom in boxes[:_MOST_TILES]]


def _cut(pixels: NDArray[np.int16], box: Box, least: tuple[float, float]) -> list[Box]:
    """Cut along the clearest seam, then the parts; parts too small to be a picture are dropped."""
    left, top, right, bottom = box
    if right - left < least[0] or bottom - top < least[1]:
        return []
    part = pixels[top:bottom, left:right]
    across, at_x = _seam(part)
    down, at_y = _seam(part.transpose(1, 0, 2))
    if max(across, down) <= 0:
        return [box]
    if across >= down:
        one, other = (left, top, left + at_x, bottom), (left + at_x, top, right, bottom)
    else:
        one, other = (left, top, right, top + at_y), (left, top + at_y, right, bottom)
    return _cut(pixels, one, least) + _cut(pixels, other, least)


def _seam(part: NDArray[np.int16]) -> tuple[float, int]:
    """How clear the clearest upright seam is, 0 for none, and the column right of it."""
    if part.shape[1] < 2 * _ASIDE:
        return 0.0, 0
    jumps = largest_channel(np.abs(part[:, 2:] - part[:, :-2])) > _JUMP
    along = jumps.mean(axis=0)
    padded = np.pad(along, _ASIDE, mode="reflect")
    around = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * _ASIDE + 1), axis=1)
    clear = np.where((along >= _ALONG) & (along - around >= _STANDS_OUT), along - around, 0.0)
    clear[:2] = clear[-2:] = 0.0  # the picture's own edge
    best = int(clear.argmax())
    return float(clear[best]), best + 1


def largest_channel(pixels: NDArray[np.int16]) -> NDArray[np.int16]:
    """Of each pixel: int16[height, width, 3] -> int16[height, width]; `max` takes longer for it."""
    red, green, blue = (pixels[:, :, channel] for channel in range(3))
    largest: NDArray[np.int16] = np.maximum(np.maximum(red, green), blue)
    return largest


def _contrast(pixels: NDArray[np.int16], box: Box) -> float:
    left, top, right, bottom = box
    return float(pixels[top:bottom, left:right].mean(axis=2).std())
