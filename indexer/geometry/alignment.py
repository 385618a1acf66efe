"""Where the stored picture lies in the query: one bounded transform that many keypoints share.

Each pair of keypoints, by their places, sizes and angles, proposes a whole similarity transform
("fast spatial matching": Philbin et al., "Object Retrieval with Large Vocabularies and Fast
Spatial Matching", 2007). All proposals are tried, so nothing is left to chance; the ones that
most pairs support are refined to an affine transform and, where that explains clearly more (a
photo of a screen), to a homography. A transform that no honest edit makes is refused: folded,
crushed, sheared or tilted beyond bounds.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from indexer.geometry.keypoints import Features

Places = NDArray[np.floating]

# Query pixels per stored pixel, along either side, and their ratio.
_SCALES: Final = (0.08, 8.0)
_MOST_ASPECT: Final = 2.2
_LEAST_SINE: Final = 0.6  # of a corner: 90 degrees +- 53
_MOST_TILT: Final = 2.0  # ratio of opposite sides, and of depths

_PROPOSALS: Final = 300  # of the likest pairs
_REFINED: Final = 4  # of the proposals with most support
_ANGLE: Final = 0.6  # radians that supporting pairs may differ in
_SIZE: Final = 0.6  # of natural logarithm, likewise
# Tolerances as shares of the stored picture's diagonal, from the first guess to the last fit.
_ROUGH: Final = 0.04
_FINER: Final = (0.03, 0.015, 0.01, 0.008)
_LEAST_PIXELS: Final = 2.0
_FOR_TILT: Final = 12  # pairs from which a homography is tried
_SAME_PLACE: Final = 3.0  # pixels: keypoints nearer than this count once
_LEAST_PAIRS: Final = 4


@dataclass(frozen=True, eq=False, slots=True)
class Alignment:
    """A transform and the pairs that support it.

    Attributes:
        transform: float64[3, 3], from pixels of the stored picture to pixels of the query.
        stored, query: float[n, 2], places of the inliers, one to one.
    """

    transform: NDArray[np.float64]
    stored: Places
    query: Places


def align(stored: Features, query: Features, pairs: NDArray[np.intp]) -> Alignment | None:
    """Find the transform that most pairs support; None where there is no bounded one."""
    if len(pairs) < _LEAST_PAIRS:
        return None
    x = stored.places[pairs[:, 0]].astype(np.float64)
    y = query.places[pairs[:, 1]].astype(np.float64)
    supports, scales = _supports(stored, query, pairs)
    shape = (stored.luma.shape[0], stored.luma.shape[1])
    best: tuple[NDArray[np.float64], NDArray[np.intp]] | None = None
    for support, scale in zip(supports, scales, strict=True):
        found = _refined(x, y, support, float(scale), shape)
        if found is not None and (best is None or len(found[1]) > len(best[1])):
            best = found
    if best is None:
        return None
    kept = _one_to_one(x, y, best[1])
    return Alignment(best[0], x[kept], y[kept]) if len(kept) >= _LEAST_PAIRS else None


def project(transform: NDArray[np.float64], places: Places) -> NDArray[np.float64]:
    """Map places through a homography: float[n, 2] -> float64[n, 2]."""
    lifted = np.column_stack([places, np.ones(len(places))]) @ transform.T
    mapped: NDArray[np.float64] = lifted[:, :2] / lifted[:, 2:]
    return mapped


def is_bounded(transform: NDArray[np.float64], shape: tuple[int, int]) -> bool:
    """Whether an honest edit may lay a picture of this shape (height, width) out so."""
    height, width = shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], np.float64)
    lifted = corners @ transform.T
    depth = lifted[:, 2]
    if depth.min() <= 0 or depth.max() > _MOST_TILT * depth.min():
        return False
    sides = np.roll(lifted[:, :2] / lifted[:, 2:], -1, axis=0) - lifted[:, :2] / lifted[:, 2:]
    after = np.roll(sides, -1, axis=0)
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    if lengths.min() <= 0:
        return False
    sines = (sides[:, 0] * after[:, 1] - sides[:, 1] * after[:, 0]) / lengths / np.roll(lengths, -1)
    across, down = lengths[[0, 2]], lengths[[1, 3]]
    scale = np.array([across.mean() / width, down.mean() / height])
    return bool(
        sines.min() >= _LEAST_SINE
        and max(across.max() / across.min(), down.max() / down.min()) <= _MOST_TILT
        and _SCALES[0] <= scale.min()
        and scale.max() <= min(_SCALES[1], _MOST_ASPECT * scale.min())
    )


def _supports(
    stored: Features, query: Features, pairs: NDArray[np.intp]
) -> tuple[list[NDArray[np.intp]], NDArray[np.float32]]:
    """The best supported proposals: the pairs behind each, and its scale."""
    of, to = pairs[:, 0], pairs[:, 1]
    scale = query.sizes[to] / stored.sizes[of]
    turn = query.angles[to] - stored.angles[of]
    chosen = np.flatnonzero((scale >= _SCALES[0]) & (scale <= _SCALES[1]))[:_PROPOSALS]
    # Places as complex numbers: a similarity is one product and one sum.
    x = stored.places[of, 0] + 1j * stored.places[of, 1]
    y = query.places[to, 0] + 1j * query.places[to, 1]
    factor = scale[chosen] * np.exp(1j * turn[chosen])
    off = np.abs(np.outer(factor, x) + (y[chosen] - factor * x[chosen])[:, None] - y)
    reach = _ROUGH * np.hypot(*stored.luma.shape) * scale[chosen, None]
    turned = np.abs((turn - turn[chosen, None] + np.pi) % (2 * np.pi) - np.pi)
    sized = np.abs(np.log(scale / scale[chosen, None]))
    agrees = (off < reach) & (turned < _ANGLE) & (sized < _SIZE)
    weight = np.where(agrees, 1 - off / reach / 2, 0).sum(axis=1)
    best = np.argsort(-weight, kind="stable")[:_REFINED]
    return [np.flatnonzero(agrees[one]) for one in best], scale[chosen[best]]


def _refined(
    x: Places, y: Places, support: NDArray[np.intp], scale: float, shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.intp]] | None:
    """Fit ever closer; the transform and its inliers."""
    transform, diagonal = np.eye(3), float(np.hypot(*shape))
    for share in _FINER:
        if len(support) < _LEAST_PAIRS:
            return None
        transform = _affine(x[support], y[support])
        if not is_bounded(transform, shape):
            transform = _similarity(x[support], y[support])
        scale = float(np.sqrt(abs(np.linalg.det(transform[:2, :2])))) or scale
        support = _within(transform, x, y, max(share * diagonal * scale, _LEAST_PIXELS))
    if len(support) < _LEAST_PAIRS or not is_bounded(transform, shape):
        return None
    tilted = _tilted(x, y, transform, diagonal * scale, shape)
    return tilted if tilted and len(tilted[1]) > 1.1 * len(support) + 2 else (transform, support)


def _tilted(
    x: Places, y: Places, affine: NDArray[np.float64], diagonal: float, shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.intp]] | None:
    """A homography near the affine transform, for pictures photographed at an angle."""
    near = _within(affine, x, y, max(_ROUGH * diagonal, _LEAST_PIXELS))
    if len(near) < _FOR_TILT:
        return None
    reach = max(_FINER[-1] * diagonal, _LEAST_PIXELS)
    found, _ = cv2.findHomography(x[near], y[near], cv2.USAC_MAGSAC, reach, maxIters=500)
    transform = np.asarray(found, np.float64)  # empty where none was found
    if transform.shape != (3, 3) or not transform[2, 2]:
        return None
    transform /= transform[2, 2]
    if not is_bounded(transform, shape):
        return None
    return transform, _within(transform, x, y, reach)


def _within(transform: NDArray[np.float64], x: Places, y: Places, reach: float) -> NDArray[np.intp]:
    """Pairs that the transform brings within `reach` pixels of each other."""
    return np.flatnonzero(np.linalg.norm(project(transform, x) - y, axis=1) < reach)


def _affine(x: Places, y: Places) -> NDArray[np.float64]:
    """Least squares over six numbers."""
    solved = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y, rcond=None)[0]
    return np.vstack([solved.T, [0.0, 0.0, 1.0]])


def _similarity(x: Places, y: Places) -> NDArray[np.float64]:
    """Least squares over scale, turn and shift, in complex numbers."""
    from_, to = x @ np.array([1, 1j]), y @ np.array([1, 1j])
    around = from_ - from_.mean()
    factor = (np.conj(around) @ to) / max((np.abs(around) ** 2).sum(), 1e-9)
    shift = to.mean() - factor * from_.mean()
    return np.array(
        [
            [factor.real, -factor.imag, shift.real],
            [factor.imag, factor.real, shift.imag],
            [0.0, 0.0, 1.0],
        ]
    )


def _one_to_one(x: Places, y: Places, support: NDArray[np.intp]) -> NDArray[np.intp]:
    """Of inliers that share a place in either picture, the likest alone."""
    for places in (x, y):
        cells = np.round(places[support] / _SAME_PLACE)
        first = np.unique(cells, axis=0, return_index=True)[1]
        support = support[np.sort(first)]
    return support
