"""What a candidate's evidence comes to in numbers: the inputs of the calibration.

Each measure grows with the likelihood of a copy and is 0 where there is nothing to say, so that
its weight can be read, and checked, by a person: more is surer. Two sets, by what there was to
compare: fingerprints alone, or pixels too.

A cosine alone says little: a picture of the sea lies near every picture of the sea. So each view
of the query is measured against its own background, the cosines of the rows that come close
without being the best, as SSCD normalizes its scores (Pizzi et al., "A Self-Supervised Descriptor
for Image Copy Detection", 2022). And a copy lies above the query's look-alikes, of which there
are nearly always more than it has copies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, log10
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numpy.typing import NDArray

from indexer.hits import Candidate, GroupHits

if TYPE_CHECKING:  # loads OpenCV
    from indexer.geometry import Geometry

# The background of a view: the mean of its cosines of these ranks over all rows searched. The
# first few ranks are left out, for they may be copies.
_RANKS: Final = slice(5, 40)
# In a collection too small, or too unlike the query, to have a background: what is usual among
# photographs. In one with many copies of the query: the most that look-alikes reach.
_USUAL: Final = 0.6
_LOWEST: Final = 0.5
_HIGHEST: Final = 0.8
_SHARE: Final = 0.5  # of the background that is taken off a cosine
# A part of a picture has more look-alikes than a whole.
_WHOLE: Final = frozenset({"whole", "inset", "squeezed", "mirrored", "90", "180", "270"})
_PART_PENALTY: Final = 0.04
_NOTHING: Final = 0.1  # what a look-alike stands out by anyway
_PDQ_CHANCE: Final = 96  # what pairs of different pictures reach
_PHASH_CHANCE: Final = 16
_SMALL_GALLERY: Final = 1000.0
# More of either proves no more.
_FULL_INLIERS: Final = 40
_FULL_CELLS: Final = 100

# A copy lies above the query's fifth best candidate, which is nearly always a mere look-alike.
# Where it is not, for there are many copies: the most that look-alikes stand out by. Where there
# are fewer candidates: what is usual. Both measured on the photographs fitted on.
_LOOK_ALIKE: Final = 4
_MOST_LOOK_ALIKE: Final = 0.35
_USUAL_LOOK_ALIKE: Final = 0.27
FINGERPRINTS: Final = (
    "stands_out",
    "lead",
    "pdq",
    "pdq_squared",
    "phash",
    "phash_squared",
    "rarity",
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
        look_alike: how far the fifth best candidate stands out from that.
        rows: how many rows were searched for this query in all.
    """

    background: NDArray[np.float64]
    look_alike: float
    rows: int

    @classmethod
    def of(cls, hits: Sequence[GroupHits], rows: int) -> Self:
        """Take them from what all groups found with one encoder, whatever their order."""
        background = _background(hits)
        best = sorted(
            (_above(one, background) for hit in hits for one in hit.candidates if one.cosines),
            reverse=True,
        )
        known = best[_LOOK_ALIKE] if len(best) > _LOOK_ALIKE else _USUAL_LOOK_ALIKE
        return cls(background, min(known, _MOST_LOOK_ALIKE), rows)


def fingerprint_measures(candidate: Candidate, around: Surroundings) -> dict[str, float]:
    """Measures of a candidate whose pixels were not compared, by the names in `FINGERPRINTS`."""
    pdq, phash = _hashes(candidate)
    above = _above(candidate, around.background)
    return {
        "stands_out": above,
        "lead": max(0.0, above - around.look_alike),
        "pdq": pdq,
        "pdq_squared": pdq**2,
        "phash": phash,
        "phash_squared": phash**2,
        "rarity": -max(0.0, log10(max(around.rows, 1) / _SMALL_GALLERY)),
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


def _background(hits: Sequence[GroupHits]) -> NDArray[np.float64]:
    """What to take off each view's cosines: float64[views]."""
    views = hits[0].views
    tables = [hit.top_cosines for hit in hits if hit.top_cosines.size]
    usual = np.full((len(views), _RANKS.stop), _USUAL)
    merged = -np.sort(-np.concatenate(tables, axis=1), axis=1) if tables else usual[:, :0]
    # Ranks that a small collection does not have are filled up with what is usual.
    ranked = np.concatenate([merged, usual[:, merged.shape[1] :]], axis=1)
    level: NDArray[np.float64] = ranked[:, _RANKS].mean(axis=1, dtype=np.float64)
    penalty = np.array([0.0 if view in _WHOLE else _PART_PENALTY for view in views])
    taken: NDArray[np.float64] = _SHARE * level.clip(_LOWEST, _HIGHEST) + penalty
    return taken


def _hashes(candidate: Candidate) -> tuple[float, float]:
    """How far PDQ and pHash lie below chance, in units of a third of their range; 0 if missing."""
    pdq = 0 if candidate.pdq is None else max(0, _PDQ_CHANCE - candidate.pdq)
    phash = 0 if candidate.phash is None else max(0, _PHASH_CHANCE - candidate.phash)
    return pdq / 64, phash / 8
