"""Reliability plots: do scores mean what they say?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from benchmarks.scoring import Asked, binned, calibration_error

_INK: Final = "#1f4e79"


def reliability_plot(asked: Sequence[Asked], title: str, path: Path) -> None:
    """Plot each query's top match: the score against the share of true ones, and how many.

    Args:
        asked: queries; those without a match have no top match.
        title: what was measured.
        path: the SVG to write; the same queries give the same bytes.
    """
    tops = [top for one in asked if (top := one.top) is not None]
    scores = np.array([score for score, _ in tops])
    truths = np.array([true for _, true in tops], np.bool_)
    # Fixed, so that the same figures give the same file.
    with mpl.rc_context({"svg.hashsalt": "unlist", "svg.fonttype": "path"}):
        figure = Figure(figsize=(5.2, 5.6), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        upper.plot([0, 1], [0, 1], color="gray", linewidth=1, linestyle="--")
        for by_mass, mark, words in ((False, "o", "equal width"), (True, "x", "equal mass")):
            parts = binned(scores, truths, by_mass=by_mass)
            error = calibration_error(scores, truths, by_mass=by_mass)
            upper.plot(
                [part.score for part in parts],
                [part.share for part in parts],
                mark,
                color=_INK,
                label=f"15 bins of {words}: error {error:.3f}",
            )
        upper.set(ylabel="share that are copies", title=title, ylim=(-0.03, 1.03))
        upper.legend(loc="upper left", frameon=False)
        lower.hist(scores, bins=np.linspace(0, 1, 16), color=_INK)
        lower.set(xlabel="score of each query's top match", ylabel="queries", yscale="log")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
