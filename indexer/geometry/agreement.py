"""How well query and stored picture agree once one is laid over the other.

Keypoints alone do not tell a copy from two people before one flag: the flag aligns, and its
stripes give inliers enough. So the query is warped onto the stored picture and compared cell by
cell: the copy agrees nearly everywhere that there is something to see, the stranger on the flag
only. A part pasted over (a caption, a sticker) and a part outside the query cost little, for what
agrees is also looked for as one rectangle.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.geometry.alignment import project

Luma = NDArray[np.uint8]
Plane = NDArray[np.float32]

_SIDE: Final = 192  # pixels of the frame in which the two are compared, at most
_LEAST_SIDE: Final = 48
_CELL: Final = 12  # pixels
_SMOOTH: Final = 0.8  # sigma, pixels: takes off what JPEG leaves
_NOISE: Final = 2.0  # variance added to either cell's, so that flat ones correlate with nothing
_TEXTURE: Final = 4.0  # standard deviation, of 255, from which a stored cell counts
_ALIKE: Final = 0.6  # correlation from which a cell agrees
_THICK: Final = 3  # cells, which lie half a cell apart
_INSIDE: Final = 0.9  # share of a cell that must lie within the query


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the cells say.

    Attributes:
        overlap: share of the stored picture within the query, 0..1.
        covered: share of the query that it covers, 0..1.
        cells: how many textured cells lie in the overlap.
        share: of these, those that agree.
        patch: of these, those in the one rectangle that agrees best, less twice those in it that
            do not.
        density: of the cells in the rectangle within which most agree, those that agree. A crop
            pasted into a page agrees in its rectangle, whatever lies around it.
        consistency: of the cells there where both pictures show something, those that agree.
            What is pasted over in one color says nothing.
        solidity: the same, but that only contradictions three cells thick count: captions and
            watermarks are thin, another person standing there is not.
        likeness: mean correlation over the agreeing cells.
    """

    overlap: float
    covered: float
    cells: int
    share: float
    patch: float
    density: float
    consistency: float
    solidity: float
    likeness: float


def agreement(stored: Luma, query: Luma, transform: NDArray[np.float64]) -> Agreement:
    """Compare two pictures cell by cell.

    Args:
        stored: uint8[height, width].
        query: likewise.
        transform: float64[3, 3], stored to query, in pixels.
    """
    frame, laid, inside = _laid_over(stored, query, transform)
    alike, within = _correlation(frame, laid), _cells(inside) >= _INSIDE
    counted = within & (_deviation(frame) >= _TEXTURE)
    agrees = counted & (alike >= _ALIKE)
    differs = counted & ~agrees
    told = differs & (_deviation(laid) >= _TEXTURE)
    count, overlap = max(1, int(counted.sum())), float(inside.mean())
    strict = agrees - 2.0 * differs
    area = abs(np.linalg.det(transform[:2, :2])) * stored.size / query.size
    where = _best_rectangle(agrees - 0.5 * differs)
    kept = int(agrees[where].sum())
    return Agreement(
        overlap=round(overlap, 4),
        covered=round(min(1.0, overlap * float(area)), 4),
        cells=int(counted.sum()),
        share=round(float(agrees.sum()) / count, 4),
        patch=round(float(strict[_best_rectangle(strict)].sum()) / count, 4),
        density=_share(kept, int(differs[where].sum())),
        consistency=_share(kept, int(told[where].sum())),
        solidity=_share(kept, int(_thick(told)[where].sum())),
        likeness=round(float(alike[agrees].mean()), 4) if agrees.any() else 0.0,
    )


def _laid_over(
    stored: Luma, query: Luma, transform: NDArray[np.float64]
) -> tuple[Plane, Plane, Plane]:
    """Both in one frame, no finer than the coarser of them, and where the query has pixels."""
    height, width = stored.shape
    scale = _scale_at_center(transform, width, height)
    shrink = min(1.0, scale, _SIDE / max(width, height))
    shrink = max(shrink, min(1.0, _LEAST_SIDE / max(width, height)))
    size = (max(_CELL, round(width * shrink)), max(_CELL, round(height * shrink)))
    frame = cv2.resize(stored, size, interpolation=cv2.INTER_AREA)
    coarse = _shrunk(query, shrink / scale)
    to_coarse = np.diag([coarse.shape[1] / query.shape[1], coarse.shape[0] / query.shape[0], 1.0])
    to_stored = np.diag([width / size[0], height / size[1], 1.0])
    warp = to_coarse @ transform @ to_stored
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpPerspective(coarse, warp, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    ones = np.ones(coarse.shape, np.float32)
    inside = cv2.warpPerspective(ones, warp, size, flags=how, borderMode=cv2.BORDER_CONSTANT)
    return _smooth(frame), _smooth(laid), np.asarray(inside, np.float32)


def _scale_at_center(transform: NDArray[np.float64], width: int, height: int) -> float:
    """Query pixels per stored pixel."""
    x, y = width / 2, height / 2
    here, right, below = project(transform, np.array([[x, y], [x + 1, y], [x, y + 1]]))
    (a, b), (c, d) = right - here, below - here
    return float(np.sqrt(max(abs(a * d - b * c), 1e-9)))


def _shrunk(luma: Luma, factor: float) -> Luma:
    if factor >= 0.75:
        return luma
    size = (max(1, round(luma.shape[1] * factor)), max(1, round(luma.shape[0] * factor)))
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)


def _smooth(luma: NDArray[np.generic]) -> Plane:
    plane = luma.astype(np.float32)
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), _SMOOTH), np.float32)


def _correlation(frame: Plane, laid: Plane) -> Plane:
    """Normalized cross-correlation of each cell, the best over shifts by one pixel."""
    mean, spread = _mean(frame), _variance(frame)
    best = np.full(frame.shape, -1, np.float32)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            moved = np.roll(laid, (down, right), axis=(0, 1))
            together = _mean(frame * moved) - mean * _mean(moved)
            np.maximum(best, together / np.sqrt(spread * _variance(moved)), out=best)
    return _at_cells(best)


def _mean(plane: Plane) -> Plane:
    """Of the cell around each pixel."""
    blurred = cv2.blur(plane, (_CELL, _CELL), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32)


def _variance(plane: Plane) -> Plane:
    mean = _mean(plane)
    variance: Plane = np.maximum(_mean(plane * plane) - mean * mean, 0) + np.float32(_NOISE)
    return variance


def _deviation(plane: Plane) -> Plane:
    return _at_cells(np.sqrt(_variance(plane)))


def _cells(plane: Plane) -> Plane:
    return _at_cells(_mean(plane))


def _at_cells(plane: Plane) -> Plane:
    """The values at the cells' centers, half a cell apart."""
    step = _CELL // 2
    return plane[step::step, step::step]


def _share(kept: int, lost: int) -> float:
    return round(kept / max(1, kept + lost), 4)


def _thick(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of the cells, those in squares of three by three (a morphological opening)."""
    square = np.ones((_THICK, _THICK), np.uint8)
    opened = cv2.morphologyEx(cells.astype(np.uint8), cv2.MORPH_OPEN, square)
    return np.asarray(opened, np.bool_)


def _best_rectangle(worth: NDArray[np.float64]) -> tuple[slice, slice]:
    """The rows and columns of the rectangle whose cells' worth adds up to most."""
    best, where = 0.0, (slice(0, 0), slice(0, 0))
    edge = np.zeros((1, worth.shape[1] + 1))
    summed = np.vstack([edge, np.cumsum(np.pad(worth, ((0, 0), (1, 0))).cumsum(axis=1), axis=0)])
    for top in range(worth.shape[0]):
        sums = summed[top + 1 :] - summed[top]  # up to each right edge, by bottom
        least = np.minimum.accumulate(sums, axis=1)
        bottom, right = np.unravel_index((sums - least).argmax(), sums.shape)
        if sums[bottom, right] - least[bottom, right] > best:
            best = float(sums[bottom, right] - least[bottom, right])
            left = int(sums[bottom, : right + 1].argmin())
            where = slice(top, top + int(bottom) + 1), slice(left, int(right))
    return where
