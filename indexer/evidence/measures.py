"""What a candidate's evidence comes to in numbers: the inputs of the calibration.

Each measure grows with the likelihood of a copy and is 0 where there is nothing to say, so that
its weight can be read, and checked, by a person: more is surer. Two sets, by what there was to
compare: fingerprints alone, or pixels too.

A cosine alone says little: a picture of the sea lies near every picture of the sea. So each view
of the query is measured against its own background, the cosines of the rows that come close
without being the best, as SSCD normalizes its scores (Pizzi et al., "A Self-Supervised Descriptor
for Image Copy Detection", 2022). And a copy lies above the query's look-alikes, of which there
are nearly always more than it has copies. How far above counts in units of how far the look-alikes
themselves lie apart: pages of text, or a thousand crops of one photograph, crowd together near the
query, and the more rows there are, the closer they come.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, log10
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numpy.typing import NDArray

from indexer.evidence.hits import Candidate, GroupHits

if TYPE_CHECKING:  # loads OpenCV
    from indexer.geometry.verify import Geometry

# The background of a view: the mean of its cosines of these ranks over all rows searched. The
# first few ranks are left out, for they may be copies.
_RANKS: Final = slice(5, 40)
# In a collection too small to have so many: the cosines that are usual at these ranks among a few
# hundred photographs. In one too unlike the query, or with many copies of it: the least and the
# most that a background comes to.
_RANK: Final = np.arange(1, _RANKS.stop + 1)
_USUAL: Final = 0.69 - 0.08 * np.log10(_RANK)
_LOWEST: Final = 0.5
_HIGHEST: Final = 0.8
_SHARE: Final = 0.5  # of the background that is taken off a cosine
# A part of a picture has more look-alikes than a whole.
_WHOLE: Final = frozenset({"whole", "inset", "squeezed", "mirrored", "90", "180", "270"})
_PART_PENALTY: Final = 0.04
_NOTHING: Final = 0.1  # what a look-alike stands out by anyway
PDQ_CHANCE: Final = 96  # what pairs of different pictures reach
PDQ_UNIT: Final = 64
_PHASH_CHANCE: Final = 16
# More of either proves no more.
_FULL_INLIERS: Final = 40
_FULL_CELLS: Final = 100

# A copy lies above the query's fifth best candidate, which is nearly always a mere look-alike.
# Where there are fewer candidates: what is usual. A row this near by PDQ is no look-alike.
_LOOK_ALIKE: Final = 4
_USUAL_LOOK_ALIKES: Final = 0.31 - 0.07 * np.log10(_RANK)
_NEAR_PDQ: Final = 64
# Look-alikes that lie closer together than this tell nothing more, nor does a greater lead.
_LEAST_SPREAD: Final = 0.02
_FULL_LEAD: Final = 4.0
_FULL_VIEW_LEAD: Final = 3.0
# To lead among more rows is worth more. Measured up to a million, and not taken to go on beyond.
_SMALL_GALLERY: Final = 1000.0
_MOST_DECADES: Final = 3.0
FINGERPRINTS: Final = (
    "stands_out",
    "lead",
    "view_lead",
    "among",
    "pdq",
    "pdq_squared",
    "phash",
    "phash_squared",
)
PIXELS: Final = (
    "inliers",
    "cells",
    "agreement",
    "patch",
    "density",
    "consistency",
    "solidity",
    "likeness",
    "stands_out",
    "pdq",
    "phash",
)


@dataclass(frozen=True, eq=False, slots=True)
class Surroundings:
    """What a query's cosines by one encoder are measured against.

    Attributes:
        background: float64[views], what to take off each view's cosine.
        fifth: float64[views], each view's fifth best cosine over all rows.
        spread: float64[views], how far the fifth best lies above those of the ranks behind it.
        look_alike: how far the fifth best candidate stands out from the background.
        look_alike_spread: how far that lies above the candidates behind it.
        rows: how many rows were searched for this query in all.
    """

    background: NDArray[np.float64]
    fifth: NDArray[np.float64]
    spread: NDArray[np.float64]
    look_alike: float
    look_alike_spread: float
    rows: int

    @classmethod
    def of(cls, hits: Sequence[GroupHits], rows: int) -> Self:
        """Take them from what all groups found with one encoder, whatever their order."""
        ranked = _ranked(hits)
        background = _background(hits[0].views, ranked)
        found = [
            _above(one, background)
            for hit in hits
            for one in hit.candidates
            if one.cosines and (one.pdq is None or one.pdq > _NEAR_PDQ)
        ]
        best = _filled(np.array([found]), _USUAL_LOOK_ALIKES)
        return cls(
            background,
            ranked[:, _LOOK_ALIKE],
            _spread(ranked),
            float(best[0, _LOOK_ALIKE]),
            float(_spread(best)[0]),
            rows,
        )


def fingerprint_measures(candidate: Candidate, around: Surroundings) -> dict[str, float]:
    """Measures of a candidate whose pixels were not compared, by the names in `FINGERPRINTS`."""
    pdq, phash = _hashes(candidate)
    above = _above(candidate, around.background)
    return {
        "stands_out": above,
        "lead": min(
            _FULL_LEAD,
            max(0.0, above - around.look_alike) / (_LEAST_SPREAD + around.look_alike_spread),
        ),
        "view_lead": _view_lead(candidate, around),
        "among": min(_MOST_DECADES, max(0.0, log10(max(around.rows, 1) / _SMALL_GALLERY))),
        "pdq": pdq,
        "pdq_squared": pdq**2,
        "phash": phash,
        "phash_squared": phash**2,
    }


def pixel_measures(
    candidate: Candidate, around: Surroundings, geometry: "Geometry"
) -> dict[str, float]:
    """Measures of a candidate whose pixels were compared, by the names in `PIXELS`."""
    pdq, phash = _hashes(candidate)
    return {
        "inliers": log(1 + min(geometry.inliers, _FULL_INLIERS)),
        "cells": log(1 + min(geometry.cells * geometry.agreement, _FULL_CELLS)),
        "agreement": geometry.agreement,
        "patch": max(0.0, geometry.patch),
        "density": geometry.density,
        "consistency": geometry.consistency,
        "solidity": geometry.solidity,
        "likeness": geometry.likeness,
        "stands_out": _above(candidate, around.background),
        "pdq": pdq,
        "phash": phash,
    }


def _above(candidate: Candidate, background: NDArray[np.float64]) -> float:
    """How far the best of the candidate's cosines lies above its view's background."""
    if not candidate.cosines:
        return 0.0
    return max(0.0, float((np.array(candidate.cosines) - background).max()) - _NOTHING)


def _view_lead(candidate: Candidate, around: Surroundings) -> float:
    """As its lead, but view by view: the most that any view has."""
    if not candidate.cosines:
        return 0.0
    above = np.array(candidate.cosines) - around.fifth
    return float((above / (_LEAST_SPREAD + around.spread)).max().clip(0.0, _FULL_VIEW_LEAD))


def _ranked(hits: Sequence[GroupHits]) -> NDArray[np.float64]:
    """Each view's best cosines over all rows, falling: float64[views, ranks]."""
    tables = [hit.top_cosines for hit in hits if hit.top_cosines.size]
    nothing = np.empty((len(hits[0].views), 0))
    return _filled(np.concatenate(tables, axis=1) if tables else nothing, _USUAL)


def _filled(values: NDArray[np.floating], usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of the best values, falling; ranks that are not there filled up with what is usual."""
    best = -np.sort(-values, axis=1)[:, : len(usual)]
    rest = np.broadcast_to(usual[best.shape[1] :], (len(best), len(usual) - best.shape[1]))
    filled: NDArray[np.float64] = -np.sort(-np.concatenate([best, rest], axis=1), axis=1)
    return filled


def _spread(ranked: NDArray[np.float64]) -> NDArray[np.float64]:
    spread: NDArray[np.float64] = ranked[:, _LOOK_ALIKE] - ranked[:, _RANKS].mean(
        axis=1, dtype=np.float64
    )
    return spread


def _background(views: Sequence[str], ranked: NDArray[np.float64]) -> NDArray[np.float64]:
    """What to take off each view's cosines: float64[views]."""
    level = ranked[:, _RANKS].mean(axis=1, dtype=np.float64)
    penalty = np.array([0.0 if view in _WHOLE else _PART_PENALTY for view in views])
    taken: NDArray[np.float64] = _SHARE * level.clip(_LOWEST, _HIGHEST) + penalty
    return taken


def _hashes(candidate: Candidate) -> tuple[float, float]:
    """How far PDQ and pHash lie below chance, in units of a third of their range; 0 if missing."""
    pdq = 0 if candidate.pdq is None else max(0, PDQ_CHANCE - candidate.pdq)
    phash = 0 if candidate.phash is None else max(0, _PHASH_CHANCE - candidate.phash)
    return pdq / PDQ_UNIT, phash / 8
