"""Straight lines through what was measured: how much one more row costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Line:
    """A cost as `start + slope * rows`, by ordinary least squares.

    Attributes:
        start, slope: in the unit of what was measured.
        misfit: the largest share by which a measured point lies off the line.
        points: how many points it rests on.
    """

    start: float
    slope: float
    misfit: float
    points: int

    def at(self, rows: float) -> float:
        """What the line says for so many rows, never less than nothing."""
        return max(0.0, self.start + self.slope * rows)


def line(rows: Sequence[float], costs: Sequence[float]) -> Line:
    """Fit a line; of a single point it goes through zero."""
    x, y = _arrays(rows, costs)
    if len(x) == 1:
        return Line(0.0, float(y[0] / x[0]), 0.0, 1)
    slope, start = np.polyfit(x, y, 1)
    off = np.abs(start + slope * x - y) / np.maximum(np.abs(y), 1e-12)
    return Line(float(start), float(slope), float(off.max()), len(x))


def growth(rows: Sequence[float], costs: Sequence[float]) -> float | None:
    """The exponent k of `cost ~ rows ** k`, by least squares on logarithms; None of one point.

    1: twice the rows cost twice as much; 0.5: four times the rows do; 0: rows cost nothing.
    """
    x, y = _arrays(rows, costs)
    if len(x) < 2 or (y <= 0).any():
        return None
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def fitted(points: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Line and growth of each named figure over the points' `rows`."""
    rows = [point["rows"] for point in points]
    return {name: _both(rows, [point[name] for point in points]) for name in names}


def _both(rows: Sequence[float], costs: Sequence[float]) -> dict[str, Any]:
    found = line(rows, costs)
    return {
        "start": found.start,
        "slope": found.slope,
        "misfit": found.misfit,
        "points": found.points,
        "growth": growth(rows, costs),
    }


def _arrays(
    rows: Sequence[float], costs: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if not rows or len(rows) != len(costs) or len(set(rows)) != len(rows):
        raise ValueError("a line needs points at different numbers of rows")
    return np.asarray(rows, np.float64), np.asarray(costs, np.float64)
