"""Geometric verification: does a stored picture lie in the query, and how well do they agree?

The one module that others verify by: `probe_make` once per query, `Probe.read` where it is
verified (perhaps on another machine), `verify` once per stored picture worth reading. A verdict
is not made here: a `Geometry` is facts, which `indexer.evidence` weighs with all others.
"""

import io
import json
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any, Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.decode import ImageRefused, decode
from indexer.geometry.agreement import agreement
from indexer.geometry.alignment import Alignment, align, project
from indexer.geometry.keypoints import Features, pairs_between
from indexer.hashes.picture import bounded
from indexer.placement import Placement

# Longest sides. A query may hold the photo as one tile of nine; a stored picture is the photo.
_PROBE_SIDE: Final = 768
_STORED_SIDE: Final = 512
_PROBE_QUALITY: Final = 92
_PROBE_KEYPOINTS: Final = 2000
_STORED_KEYPOINTS: Final = 800
# Mirrored and negative copies are rare: a quick look with the strongest keypoints comes first.
_QUICK_PROBE: Final = 800
_QUICK_STORED: Final = 400
_QUICK_INLIERS: Final = 6
# Found as it stands: no need to look at it mirrored.
_ENOUGH_INLIERS: Final = 25
_ENOUGH_AGREEMENT: Final = 0.8
_LATER: Final = ("box", "placement")  # missing in what earlier versions wrote
_CACHED: Final = 256  # stored pictures' features, half a megabyte each


Box = tuple[float, float, float, float]


class ProbeInvalid(ValueError):
    """The bytes are no probe: make it again from the photo."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """What came out of laying a stored picture over the query; all 0 where nothing aligned.

    Attributes:
        inliers: pairs of keypoints, one to one, that one bounded transform explains.
        spread: share of the cells of a 6 x 6 grid over the stored picture that inliers lie in.
        agreement: of the overlap's textured cells, the share that shows the same.
        patch: of these cells, those in the one rectangle that agrees best, less twice those in
            it that do not.
        density: of the cells in the rectangle within which most agree, those that agree.
        consistency: of the cells there where both pictures show something, those that agree.
        solidity: the same, but that only contradictions thicker than captions count.
        likeness: mean correlation of the cells that agree, 0.6..1.
        cells: how many textured cells the overlap has.
        overlap: share of the stored picture that lies within the query, 0..1.
        covered: share of the query that the stored picture covers, 0..1.
        mirrored: whether it lies there mirrored.
        negative: whether it lies there with light and dark exchanged.
        box: the part of the query that it covers: left, top, right, bottom as shares of the
            query's sides; None where nothing aligned.
        placement: how it lies there, to be drawn; None where nothing aligned.
    """

    inliers: int = 0
    spread: float = 0.0
    agreement: float = 0.0
    patch: float = 0.0
    density: float = 0.0
    consistency: float = 0.0
    solidity: float = 0.0
    likeness: float = 0.0
    cells: int = 0
    overlap: float = 0.0
    covered: float = 0.0
    mirrored: bool = False
    negative: bool = False
    box: Box | None = None
    placement: Placement | None = None

    def as_json(self) -> str:
        """Serialize; `from_json` reads it."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `as_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        facts: Any = json.loads(text)
        names = {field.name for field in fields(cls)}
        if not isinstance(facts, dict) or {*_LATER, *facts} != names:
            raise ValueError("This is no geometry: verify the row again.")
        box, placement = (facts.get(name) for name in _LATER)
        return cls(
            **{
                **facts,
                "box": tuple(box) if box else None,
                "placement": Placement.from_json(placement) if placement else None,
            }
        )


@dataclass(frozen=True, eq=False, slots=True)
class Probe:
    """A query, ready to have stored pictures laid over it."""

    features: Features

    @classmethod
    def read(cls, probe: bytes) -> Self:
        """Read what `probe_make` wrote.

        Raises:
            ProbeInvalid: it is something else.
        """
        try:
            with Image.open(io.BytesIO(probe), formats=("JPEG",)) as image:
                if max(image.size) > _PROBE_SIDE:
                    raise ProbeInvalid(str(ProbeInvalid.__doc__))
                luma = np.asarray(image.convert("L"))
        except (OSError, SyntaxError) as error:
            raise ProbeInvalid(str(ProbeInvalid.__doc__)) from error
        return cls(Features.of(luma, most=_PROBE_KEYPOINTS))


def probe_make(image: Image.Image) -> bytes:
    """Make a query's probe: its luma, bounded, as a JPEG; all that verifying needs of it.

    Args:
        image: RGB, as `indexer.decode.decode` gives it.
    """
    out = io.BytesIO()
    _small(image, _PROBE_SIDE).save(out, "JPEG", quality=_PROBE_QUALITY)
    return out.getvalue()


def verify(probe: Probe, stored: bytes) -> Geometry | None:
    """Lay a stored picture over the query.

    Args:
        probe: the query's.
        stored: the stored picture's bytes, in any form that `decode` reads.

    Returns:
        None where the picture cannot be decoded: geometry is unavailable then.
    """
    try:
        features = _stored_features(stored)
    except ImageRefused:
        return None
    return _compared(features, probe.features)


def _compared(stored: Features, query: Features) -> Geometry:
    found = align(stored, query, pairs_between(stored, query))
    best = _facts(stored, query, found)
    if best.inliers >= _ENOUGH_INLIERS and best.agreement >= _ENOUGH_AGREEMENT:
        return best
    for name, turned in (("mirrored", stored.mirrored()), ("negative", stored.negative())):
        quick, against = turned.strongest(_QUICK_STORED), query.strongest(_QUICK_PROBE)
        seen = align(quick, against, pairs_between(quick, against))
        if seen is None or len(seen.stored) < _QUICK_INLIERS:
            continue
        found = align(turned, query, pairs_between(turned, query))
        facts = _facts(turned, query, found, **{name: True})
        best = max(best, facts, key=lambda one: (one.patch, one.inliers))
    return best


def _facts(stored: Features, query: Features, found: Alignment | None, **how: bool) -> Geometry:
    if found is None:
        return Geometry()
    cells = agreement(stored.luma, query.luma, found.transform)
    mirrored = how.get("mirrored", False)
    return Geometry(
        inliers=len(found.stored),
        spread=_spread(found.stored, stored.luma),
        agreement=cells.share,
        patch=cells.patch,
        density=cells.density,
        consistency=cells.consistency,
        solidity=cells.solidity,
        likeness=cells.likeness,
        cells=cells.cells,
        overlap=cells.overlap,
        covered=cells.covered,
        mirrored=mirrored,
        negative=how.get("negative", False),
        box=_box(stored.luma, query.luma, found.transform),
        placement=Placement.of(
            found.transform,
            found.stored,
            found.query,
            sizes=(_size(stored.luma), _size(query.luma)),
            mirrored=mirrored,
        ),
    )


def _size(luma: NDArray[np.uint8]) -> tuple[int, int]:
    return luma.shape[1], luma.shape[0]


def _box(
    stored: NDArray[np.uint8], query: NDArray[np.uint8], transform: NDArray[np.float64]
) -> Box | None:
    """The upright rectangle around the stored picture, as far as it lies within the query."""
    height, width = stored.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    places = project(transform, corners) / [query.shape[1], query.shape[0]]
    left, top = (round(float(share), 3) for share in places.min(axis=0).clip(0, 1))
    right, bottom = (round(float(share), 3) for share in places.max(axis=0).clip(0, 1))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _spread(places: NDArray[np.floating], luma: NDArray[np.uint8]) -> float:
    height, width = luma.shape
    cells = (places / [width, height] * 6).astype(int).clip(0, 5)
    return round(len(np.unique(cells, axis=0)) / 36, 4)


@lru_cache(maxsize=_CACHED)
def _stored_features(stored: bytes) -> Features:
    """Many queries meet the same rows, so a process keeps some; nothing goes to disk."""
    luma = np.asarray(_small(bounded(decode(stored)), _STORED_SIDE))
    return Features.of(luma, most=_STORED_KEYPOINTS)


def _small(image: Image.Image, side: int) -> Image.Image:
    """The luma of a picture, its longest side at most `side`."""
    grey = bounded(image).convert("L")
    shrink = side / max(grey.size)
    if shrink >= 1:
        return grey
    width, height = (max(1, round(length * shrink)) for length in grey.size)
    pixels = cv2.resize(np.asarray(grey), (width, height), interpolation=cv2.INTER_AREA)
    return Image.fromarray(pixels)
