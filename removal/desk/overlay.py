"""A photo and a row's picture on one sheet: side by side at one scale, joined, or one on the other.

The sheet is an SVG that the page holds: the two pictures as they are, lines as lines, so that it
fits any window without changing the scale between the two. How the pictures lie on each other is
known from the search (`indexer.placement`); nothing is computed anew but the difference, for which
Pillow lays the one over the other.
"""

import base64
import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter, ImageOps

from indexer.placement import Placement
from removal.life.reveals import Pair, Picture

_SENT_SIDE: Final = 1200  # pixels of a picture on the sheet, at most
_GAP: Final = 0.04  # of the sheet's width
_SCALES: Final = (0.2, 5.0)
"""Beyond these one picture would be a speck beside the other."""
_COMPARED_SIDE: Final = 640
_SOFT: Final = 1.2  # pixels: what JPEG leaves is no difference
_OUTSIDE: Final = 128
_QUARTERS: Final = (25, 50, 75)


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture on the sheet, with where it lies there."""

    source: str
    x: float
    y: float
    width: float
    height: float
    what: str


@dataclass(frozen=True, slots=True)
class Line:
    """Joins a point of the one with that of the other; `hue` tells it from its neighbors."""

    x1: float
    y1: float
    x2: float
    y2: float
    hue: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the page shows.

    Attributes:
        width, height: of the sheet, in its own units.
        pictures: from left to right.
        lines: between them.
        frame: the outline of the row's picture on the photo, as an SVG polygon's points.
        scaled: whether the two are at one scale; else they are only equally large.
        words: what the sheet shows, for those who do not see it.
    """

    width: float
    height: float
    pictures: tuple[Placed, ...]
    lines: tuple[Line, ...]
    frame: str
    scaled: bool
    words: str


def beside(pair: Pair, *, gray: bool = False) -> Sheet:
    """Lay a photo and a row's picture side by side, with what joins them where that is known.

    Args:
        pair: at least one picture of which is there.
        gray: without color.
    """
    scale, scaled = _scale(pair)
    sizes = [
        (name, picture, (picture.size[0] * factor, picture.size[1] * factor))
        for name, picture, factor in (
            (_left(pair), pair.photo, 1.0),
            ("the picture of the row", pair.row, scale),
        )
        if picture is not None
    ]
    gap = _GAP * sum(size[0] for _, _, size in sizes)
    height = max(size[1] for _, _, size in sizes)
    left, placed = 0.0, []
    for name, picture, (wide, high) in sizes:
        source = data_uri(picture.image, gray=gray)
        placed.append(Placed(source, left, (height - high) / 2, wide, high, name))
        left += wide + gap
    joined = pair.placement if pair.photo and pair.row else None
    return Sheet(
        width=left - gap,
        height=height,
        pictures=tuple(placed),
        lines=_lines(placed[0], placed[1], joined) if joined else (),
        frame=_frame(placed[0], joined) if joined else "",
        scaled=scaled,
        words="Side by side: " + " and, to its right, ".join(one.what for one in placed),
    )


def _left(pair: Pair) -> str:
    return "the picture of the approved row" if pair.of_rows else "the photo as it was sent"


def _scale(pair: Pair) -> tuple[float, bool]:
    """Return pixels of the photo per pixel of the row's picture, and whether that is known."""
    if pair.photo is None or pair.row is None:
        return 1.0, True
    if pair.placement is not None:
        corners = pair.placement.corners() * pair.photo.size
        scale = float(np.sqrt(_area(corners) / (pair.row.size[0] * pair.row.size[1])))
        if _SCALES[0] <= scale * max(pair.row.size) / max(pair.photo.size) <= _SCALES[1]:
            return scale, True
    return max(pair.photo.size) / max(pair.row.size), pair.same


def _area(corners: NDArray[np.float64]) -> float:
    """Of a polygon, by the shoelace formula."""
    x, y = corners[:, 0], corners[:, 1]
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _lines(photo: Placed, row: Placed, placement: Placement) -> tuple[Line, ...]:
    return tuple(
        Line(
            x1=round(photo.x + u * photo.width, 1),
            y1=round(photo.y + v * photo.height, 1),
            x2=round(row.x + x * row.width, 1),
            y2=round(row.y + y * row.height, 1),
            hue=number % 4,
        )
        for number, (x, y, u, v) in enumerate(placement.points)
    )


def _frame(photo: Placed, placement: Placement) -> str:
    """Return where the row's picture ends on the photo."""
    return " ".join(
        f"{photo.x + x * photo.width:.1f},{photo.y + y * photo.height:.1f}"
        for x, y in placement.corners().clip(0, 1)
    )


# --- one on the other ------------------------------------------------------------------------


def difference(pair: Pair) -> Sheet | None:
    """Lay the row's picture over the photo and show where they differ.

    None where it is not known how it lies there. Light and contrast that differ alike everywhere
    are no difference: a brighter copy is no other picture.
    """
    if pair.photo is None or pair.row is None or pair.placement is None:
        return None
    under = "that of the approved row" if pair.of_rows else "the photo"
    return _difference(pair.photo, pair.row, pair.placement, under)


def _difference(photo: Picture, row: Picture, placement: Placement, name: str) -> Sheet:
    base = photo.image.copy()
    base.thumbnail((_COMPARED_SIDE, _COMPARED_SIDE))
    laid, inside = _laid_over(row.image, placement, base.size)
    under = base.convert("L").filter(ImageFilter.GaussianBlur(_SOFT))
    over = laid.convert("L").filter(ImageFilter.GaussianBlur(_SOFT))
    apart = ImageChops.difference(under, _matched(over, under, inside))
    told = Image.composite(
        ImageOps.invert(apart.point(lambda value: min(255, value * 3))),
        Image.new("L", base.size, _OUTSIDE),
        inside,
    )
    laid.paste(_OUTSIDE * 0x010101, mask=ImageChops.invert(inside))
    wide, high = base.size
    gap = _GAP * 2 * wide
    return Sheet(
        width=2 * wide + gap,
        height=high,
        pictures=(
            Placed(data_uri(laid), 0, 0, wide, high, f"the row's picture, laid over {name}"),
            Placed(data_uri(told), wide + gap, 0, wide, high, "where the two differ"),
        ),
        lines=(),
        frame="",
        scaled=True,
        words=f"The row's picture laid over {name}, and to its right where the two differ: dark "
        "where they do, white where they are the same, gray where the row's picture has nothing.",
    )


def _laid_over(
    stored: Image.Image, placement: Placement, size: tuple[int, int]
) -> tuple[Image.Image, Image.Image]:
    """Return a picture in the frame of the photo, and a mask of where it has pixels."""
    to_shares = np.diag([1 / size[0], 1 / size[1], 1.0])
    to_pixels = np.diag([float(stored.width), float(stored.height), 1.0])
    back = to_pixels @ np.linalg.inv(placement.array()) @ to_shares
    numbers = tuple((back / back[2, 2]).ravel()[:8])
    how = Image.Transform.PERSPECTIVE
    laid = stored.transform(size, how, numbers, Image.Resampling.BICUBIC)
    inside = Image.new("L", stored.size, 255).transform(size, how, numbers)
    return laid, inside


def _matched(luma: Image.Image, other: Image.Image, inside: Image.Image) -> Image.Image:
    """Return a picture with the other's light and contrast, whatever was pasted into either."""
    where = np.asarray(inside) > 0
    if not where.any():
        return luma
    low, middle, high = np.percentile(np.asarray(luma)[where], _QUARTERS)
    its_low, its_middle, its_high = np.percentile(np.asarray(other)[where], _QUARTERS)
    gain = (its_high - its_low) / (high - low) if high > low else 1.0
    offset = its_middle - gain * middle
    return luma.point(lambda value: int(min(255, max(0, gain * value + offset))))


# --- as bytes --------------------------------------------------------------------------------


def data_uri(image: Image.Image, *, gray: bool = False) -> str:
    """Return a picture as a data URI, small as PNG and large as JPEG, without metadata."""
    sent = image.convert("L") if gray else image.copy()
    sent.thumbnail((_SENT_SIDE, _SENT_SIDE), Image.Resampling.LANCZOS)
    sent.info = {}
    kind = "PNG" if max(sent.size) <= 16 else "JPEG"
    out = io.BytesIO()
    sent.save(out, kind, quality=85)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(out.getvalue()).decode()}"
