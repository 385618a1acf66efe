"""Figures on hand-made cases, and against the evaluation kit's own scorer where it is there."""

import importlib.util
import random
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from benchmarks.reliability import reliability_plot
from benchmarks.scoring import Asked, Found, binned, calibration_error, figures, figures_by_label

KIT = Path(__file__).parents[3] / "shared" / "eval" / "copybench.py"


def asked(copies: str, *found: tuple[str, float, bool], label: str = "t") -> Asked:
    return Asked(label, frozenset(copies), tuple(Found(*one) for one in found))


def test_perfect_answers_reach_every_figure() -> None:
    got = figures(
        [
            asked("ab", ("a", 0.9, True), ("b", 0.8, True)),
            asked("c", ("c", 0.7, True), ("x", 0.1, False)),
            asked("", ("y", 0.2, False)),
        ]
    )
    for name in ("micro_ap", "recall_at_p90", "top1", "copy_recall", "copy_precision"):
        assert got[name] == 1
    assert got["false_copy_rate"] == 0


def test_no_answers_reach_none() -> None:
    got = figures([asked("a"), asked("")])
    assert (got["micro_ap"], got["top1"], got["copy_recall"]) == (0, 0, 0)
    assert got["false_copy_rate"] == 0
    assert got["copy_precision"] is None
    assert got["ece_width"] is None


def test_precision_counts_at_each_true_pair_and_ties_go_to_the_false_ones() -> None:
    # Ranked: true, false, true, then a tie of a false and a true one.
    got = figures(
        [
            asked("ab", ("b", 0.7, False), ("a", 0.9, True)),
            asked("c", ("c", 0.6, True), ("x", 0.6, False)),
            asked("", ("y", 0.8, True)),
        ]
    )
    assert got["micro_ap"] == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert got["recall_at_p90"] == pytest.approx(1 / 3)
    assert got["top1"] == 0.5
    assert got["false_copy_rate"] == 1
    assert got["copy_precision"] == pytest.approx(2 / 3)


def test_figures_are_parted_by_label() -> None:
    parts = figures_by_label([asked("a", ("a", 1, True), label="x"), asked("b", label="y")])
    assert parts["x"]["copy_recall"] == 1
    assert parts["y"]["copy_recall"] == 0


def test_scores_that_mean_what_they_say_have_no_calibration_error() -> None:
    scores = np.repeat([0.2, 0.8], 10)
    truths = np.array([1, 1] + [0] * 8 + [1] * 8 + [0, 0], np.bool_)
    assert calibration_error(scores, truths, by_mass=False) == pytest.approx(0)


def test_calibration_error_by_hand() -> None:
    scores = np.array([0.9, 0.9, 0.9, 0.1])
    truths = np.array([True, True, False, False])
    # 3/4 of |0.9 - 2/3| and 1/4 of |0.1 - 0|.
    assert calibration_error(scores, truths, by_mass=False) == pytest.approx(0.2)
    assert calibration_error(scores, truths, by_mass=True, bins=2) == pytest.approx(
        0.5 * abs(0.5 - 0.5) + 0.5 * abs(0.9 - 0.5)
    )


def test_bins_of_equal_mass_hold_all_and_rise() -> None:
    rng = np.random.default_rng(0)
    parts = binned(rng.random(100), rng.random(100) < 0.5, by_mass=True)
    assert sum(part.count for part in parts) == 100
    assert [part.score for part in parts] == sorted(part.score for part in parts)
    assert max(part.count for part in parts) - min(part.count for part in parts) <= 1


def test_a_score_of_one_falls_into_the_last_bin() -> None:
    parts = binned(np.array([1.0, 0.99]), np.array([True, True]), by_mass=False)
    assert [part.count for part in parts] == [2]


def test_the_plot_is_the_same_to_the_byte(tmp_path: Path) -> None:
    some = [asked("a", ("a", 0.9, True)), asked("b", ("x", 0.3, False)), asked("c")]
    for name in ("one.svg", "two.svg"):
        reliability_plot(some, "trial", tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert b"<svg" in (tmp_path / "one.svg").read_bytes()


def kit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("copybench_scorer", KIT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not KIT.is_file(), reason="the evaluation kit is not beside the repository")
def test_figures_agree_with_the_kits_scorer() -> None:
    rng, keys = random.Random(4), [f"k{number}" for number in range(30)]
    queries: dict[str, dict[str, object]] = {}
    results, mine = {}, []
    for number in range(60):
        copies = sorted(rng.sample(keys, rng.choice((0, 1, 1, 2))))
        rows = rng.sample(keys, rng.randint(0, 8)) + [one for one in copies if rng.random() < 0.8]
        found = {row: (round(rng.random(), 1), rng.random() < 0.4) for row in rows}
        queries[str(number)] = {"transform": "t", "copies": copies}
        results[str(number)] = [
            {"key": row, "kind": "copy" if called else "similar", "score": score}
            for row, (score, called) in found.items()
        ]
        mine.append(
            Asked("t", frozenset(copies), tuple(Found(r, s, c) for r, (s, c) in found.items()))
        )
    wanted, got = kit().score({"dataset_keys": keys, "queries": queries}, results), figures(mine)
    for name in (
        "micro_ap", "recall_at_p90", "recall_at_p99", "top1", "copy_recall", "copy_precision",
        "false_copy_rate",
    ):  # fmt: skip
        assert got[name] == pytest.approx(wanted[name]), name
