"""Figures of copy detection and of calibration, from predictions whose truth is known.

A prediction is one (query, row) pair with a score; it is true where the row is a copy of the
query. The definitions are those of DISC21 (Douze et al., "The 2021 Image Similarity Dataset and
Challenge", 2021) and of the evaluation kit: on equal scores the false ones come first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

BINS: Final = 15


@dataclass(frozen=True, slots=True)
class Found:
    """One match of a query.

    Attributes:
        row: names the row among all datasets searched.
        score: of any scale, comparable across queries.
        called: whether it was called a copy (kind `exact` or `copy`).
    """

    row: str
    score: float
    called: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """One query with its truth and what was found.

    Attributes:
        label: what its figures are grouped by, the edit's name.
        copies: the rows that are copies of it.
        found: its matches.
    """

    label: str
    copies: frozenset[str]
    found: tuple[Found, ...]

    @property
    def recalled(self) -> bool:
        """Whether a true copy was called one."""
        return any(one.called and one.row in self.copies for one in self.found)

    @property
    def first(self) -> bool:
        """Whether a true copy scores higher than anything else."""
        right = max((one.score for one in self.found if one.row in self.copies), default=None)
        wrong = (one.score for one in self.found if one.row not in self.copies)
        return right is not None and all(score < right for score in wrong)

    @property
    def top(self) -> tuple[float, bool] | None:
        """The score of its best match and whether that is a copy; None without a match."""
        best = max(self.found, key=lambda one: one.score, default=None)
        return None if best is None else (best.score, best.row in self.copies)


def figures(asked: Sequence[Asked]) -> dict[str, float | int | None]:
    """The figures of a set of queries; None where there was nothing to count.

    `micro_ap`, `recall_at_p90`, `recall_at_p99` over all predictions; `top1` and `copy_recall` as
    shares of the queries that have a copy; `copy_precision` of all matches called copies;
    `false_copy_rate`, the share of the queries without a copy that had any match called one;
    `ece_width`, `ece_mass`: calibration error of each query's top match over bins of equal width
    and of equal mass.
    """
    having = [one for one in asked if one.copies]
    lacking = [one for one in asked if not one.copies]
    called = [match.row in one.copies for one in asked for match in one.found if match.called]
    tops = [top for one in asked if (top := one.top) is not None]
    scores, truths = np.array([s for s, _ in tops]), np.array([t for _, t in tops], np.bool_)
    return {
        **_ranking(asked),
        "top1": _share([one.first for one in having]),
        "copy_recall": _share([one.recalled for one in having]),
        "copy_precision": _share(called),
        "false_copy_rate": _share([any(m.called for m in one.found) for one in lacking]),
        "ece_width": calibration_error(scores, truths, by_mass=False) if tops else None,
        "ece_mass": calibration_error(scores, truths, by_mass=True) if tops else None,
        "queries_with_copy": len(having),
        "queries_without": len(lacking),
    }


def figures_by_label(asked: Sequence[Asked]) -> dict[str, dict[str, float | int | None]]:
    """The figures of each label's queries, in order of the labels."""
    labels = sorted({one.label for one in asked})
    shown = ("queries_with_copy", "queries_without", "top1", "copy_recall", "false_copy_rate")
    parts = {label: figures([one for one in asked if one.label == label]) for label in labels}
    return {label: {name: part[name] for name in shown} for label, part in parts.items()}


def calibration_error(
    scores: NDArray[np.float64], truths: NDArray[np.bool_], *, by_mass: bool, bins: int = BINS
) -> float:
    """Expected calibration error: the bins' gaps between mean score and share of true ones.

    Guo et al., "On Calibration of Modern Neural Networks", 2017.

    Args:
        scores: probabilities, 0..1.
        truths: of the same length, at least one.
        by_mass: bins of equally many predictions rather than of equal width.
        bins: how many.
    """
    parts = binned(scores, truths, by_mass=by_mass, bins=bins)
    return sum(part.gap * part.count for part in parts) / len(scores)


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions of about the same score: how many, their mean score, the share of true ones."""

    count: int
    score: float
    share: float

    @property
    def gap(self) -> float:
        """How far the mean score is off."""
        return abs(self.score - self.share)


def binned(
    scores: NDArray[np.float64], truths: NDArray[np.bool_], *, by_mass: bool, bins: int = BINS
) -> list[Bin]:
    """The bins that are not empty, by rising score."""
    order = np.argsort(scores, kind="stable")
    if by_mass:
        groups = np.array_split(order, bins)
    else:
        place = np.minimum((scores * bins).astype(np.int64), bins - 1)
        groups = [np.flatnonzero(place == one) for one in range(bins)]
    return [
        Bin(len(group), float(scores[group].mean()), float(truths[group].mean()))
        for group in groups
        if len(group)
    ]


def _ranking(asked: Sequence[Asked]) -> Mapping[str, float | None]:
    pairs = [(-m.score, m.row in one.copies) for one in asked for m in one.found]
    truths = np.array([truth for _, truth in sorted(pairs)], np.bool_)
    total = sum(len(one.copies) for one in asked)
    if not total:
        return dict.fromkeys(("micro_ap", "recall_at_p90", "recall_at_p99"))
    hits = truths.cumsum()
    precision = hits / np.arange(1, len(hits) + 1)
    return {
        "micro_ap": float(precision[truths].sum() / total),
        "recall_at_p90": float(hits[precision >= 0.90].max(initial=0) / total),
        "recall_at_p99": float(hits[precision >= 0.99].max(initial=0) / total),
    }


def _share(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None
