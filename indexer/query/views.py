"""The parts of a query that are searched beside the whole.

Somebody may hold the photo only inside something else: a screenshot, a frame, a collage. Hashes
of the whole then say nothing, and an embedding of the whole little. The part that is the photo
says everything, so the query is cut where such things are usually joined. Rows of a dataset are
indexed whole, once: cutting costs at query time alone.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.query.seams import Box, largest_channel, tile_boxes

# Measured on the luma and color of a picture at most this long; finer gives no better hashes.
_WORK_SIDE: Final = 640
# How far (of 255, largest of the three channels) a pixel may lie from the background's color:
# JPEG's noise around flat areas stays below.
_TOLERANCE: Final = 24
# A line belongs to the picture inside when this share of it is not background.
_COVERED: Final = 0.45
# Shorter interruptions, as a share of the side, are part of the picture (sky as white as a page).
_GAP: Final = 0.02
_MIN_SHARE: Final = 0.15  # of the width and of the height: smaller insets are not searched
_SAME_SHARE: Final = 0.97  # a box that covers nearly all of the picture is the picture


_SQUARE: Final = 336  # pixels; no encoder here takes more
_TURNS: Final = {
    "mirrored": Image.Transpose.FLIP_LEFT_RIGHT,
    "90": Image.Transpose.ROTATE_90,
    "180": Image.Transpose.ROTATE_180,
    "270": Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True, slots=True)
class View:
    """A part of the query.

    Attributes:
        name: `whole`; `inset`, what a uniform background surrounds; the halves `left`, `right`,
            `top`, `bottom`; the pictures that a collage is joined of, `tile-1` and so on, or where
            there are no seams the quarters `top-left` and so on; the `middle`; and the whole as
            `squeezed` (to a square, so that an encoder's center crop loses nothing), `mirrored`,
            and turned by `90`, `180`, `270` degrees.
        image: RGB.
        hashed: whether it has perceptual hashes of its own; those of the whole already stand
            for its turned and mirrored forms.
    """

    name: str
    image: Image.Image
    hashed: bool


def query_views(image: Image.Image) -> list[View]:
    """Cut a query into the views it is searched by; the first is the whole.

    Args:
        image: an RGB picture as `indexer.decode.decode` gives it.
    """
    width, height = image.size
    views = [View("whole", image, hashed=True)]
    box = inset_box(image)
    if box is not None:
        views.append(View("inset", image.crop(box), hashed=True))
    halves: dict[str, Box] = {
        "left": (0, 0, width // 2, height),
        "right": (width - width // 2, 0, width, height),
        "top": (0, 0, width, height // 2),
        "bottom": (0, height - height // 2, width, height),
    }
    views += [View(name, image.crop(half), hashed=True) for name, half in halves.items()]
    tiles = tile_boxes(image)
    views += [View(f"tile-{n}", image.crop(tile), hashed=True) for n, tile in enumerate(tiles, 1)]
    if not tiles:
        quarters = _quarters(width, height).items()
        views += [View(name, image.crop(quarter), hashed=False) for name, quarter in quarters]
    middle = (width // 5, height // 5, width - width // 5, height - height // 5)
    views.append(View("middle", image.crop(middle), hashed=False))
    small = _at_most(image, _WORK_SIDE)
    square = small.resize((_SQUARE, _SQUARE), Image.Resampling.BICUBIC)
    views.append(View("squeezed", square, hashed=False))
    for name, turn in _TURNS.items():
        views.append(View(name, small.transpose(turn), hashed=False))
    return views


def inset_box(image: Image.Image) -> Box | None:
    """Find the picture that a uniform background surrounds, as in a frame or a screenshot.

    The background is the commonest color of the outermost pixels. The picture is the longest run
    of rows, and within them of columns, that are mostly not background.

    Returns:
        Left, top, right, bottom in the image's pixels; None where there is no such picture.
    """
    scale = min(1.0, _WORK_SIDE / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    pixels = np.asarray(image.resize(size, Image.Resampling.BOX), np.int16)
    ink = largest_channel(np.abs(pixels - _background(pixels))) > _TOLERANCE
    top, bottom = _longest_run(ink.mean(axis=1) >= _COVERED)
    if bottom - top < _MIN_SHARE * size[1]:
        return None
    left, right = _longest_run(ink[top:bottom].mean(axis=0) >= _COVERED)
    top, bottom = _longest_run(ink[:, left:right].mean(axis=1) >= _COVERED)
    share_x, share_y = (right - left) / size[0], (bottom - top) / size[1]
    if min(share_x, share_y) < _MIN_SHARE or share_x * share_y > _SAME_SHARE:
        return None
    box = np.rint(np.array([left, top, right, bottom]) / scale).astype(int)
    return int(box[0]), int(box[1]), min(int(box[2]), image.width), min(int(box[3]), image.height)


def _quarters(width: int, height: int) -> dict[str, Box]:
    x, y = width // 2, height // 2
    return {
        "top-left": (0, 0, x, y),
        "top-right": (x, 0, width, y),
        "bottom-left": (0, y, x, height),
        "bottom-right": (x, y, width, height),
    }


def _at_most(image: Image.Image, side: int) -> Image.Image:
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


def _background(pixels: NDArray[np.int16]) -> NDArray[np.int16]:
    """Median color of the commonest coarse color on the frame of the picture: int16[3]."""
    frame = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    coarse = (frame >> 4) @ np.array([256, 16, 1])
    values, counts = np.unique(coarse, return_counts=True)
    chosen = frame[coarse == values[counts.argmax()]]
    middle: NDArray[np.int16] = np.median(chosen, axis=0).astype(np.int16)
    return middle


def _longest_run(wanted: NDArray[np.bool_]) -> tuple[int, int]:
    """Start and end of the longest run of true values, bridging short gaps; (0, 0) if none."""
    at = np.flatnonzero(wanted)
    if not len(at):
        return 0, 0
    cuts = np.flatnonzero(np.diff(at) > max(1, _GAP * len(wanted)))
    starts = at[np.concatenate([[0], cuts + 1])]
    ends = at[np.concatenate([cuts, [len(at) - 1]])] + 1
    best = (ends - starts).argmax()
    return int(starts[best]), int(ends[best])
