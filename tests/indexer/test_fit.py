import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.evidence.calibration import Calibration, probability
from indexer.evidence.measures import FINGERPRINTS, PIXELS
from indexer.fit import TableInvalid, expected_calibration_error, fit, main


def line(number: int, **changes: Any) -> str:
    """A candidate whose truth follows known odds: more agreement, surer copy."""
    rng = np.random.default_rng(number)
    strength = rng.random()
    fact = {
        "query": f"q{number}",
        "photo": f"p{number}",
        "copy": bool(rng.random() < probability(12 * strength - 6)),
        "fingerprints": dict.fromkeys(FINGERPRINTS, 0.0) | {"stands_out": strength},
        "pixels": dict.fromkeys(PIXELS, 0.0) | {"agreement": strength},
    }
    return json.dumps(fact | changes)


TABLE = [line(number) for number in range(2000)]


def test_the_odds_that_made_the_table_come_out() -> None:
    made = fit(TABLE, note="made up")
    pixels = Calibration.from_json(json.dumps(made)).pixels
    assert pixels.constant == pytest.approx(-6, abs=1)
    assert pixels.weights["agreement"] == pytest.approx(12, abs=2)
    assert made["fitted_on"]["pixels"]["held_out"]["ece"] < 0.05
    assert made["fitted_on"]["pixels"]["queries"] == 2000


def test_what_says_nothing_weighs_nothing_and_nothing_weighs_less() -> None:
    made = fit(TABLE, note="")
    weights = made["fingerprints"]["weights"]
    assert weights["pdq"] == weights["phash"] == 0
    assert min(weights.values()) >= 0


def test_the_same_table_gives_the_same_calibration() -> None:
    assert fit(TABLE, note="") == fit(TABLE, note="")


def test_candidates_without_pixels_are_fitted_by_fingerprints_alone() -> None:
    table = TABLE[:1000] + [line(number, pixels=None) for number in range(1000, 2000)]
    assert fit(table, note="")["fitted_on"]["pixels"]["held_out"]["queries"] < 600


@pytest.mark.parametrize(
    "table", [[], ["{"], ["{}"], [line(1, copy=True)] * 3, [*TABLE, "nonsense"]]
)
def test_a_table_that_cannot_be_fitted_is_refused(table: list[str]) -> None:
    with pytest.raises(TableInvalid):
        fit(table, note="")


def test_the_command_writes_the_calibration(tmp_path: Path) -> None:
    (tmp_path / "table.jsonl").write_text("\n".join(TABLE))
    out = tmp_path / "calibration.json"
    main([str(tmp_path / "table.jsonl"), "--out", str(out), "--note", "made up"])
    both = Calibration.from_json(out.read_text())
    assert both.fitted_on["fingerprints"]["note"] == "made up"
    (tmp_path / "other.jsonl").write_text("\n".join(TABLE[:1000]))
    main([str(tmp_path / "other.jsonl"), "--out", str(out), "--only", "fingerprints"])
    one = Calibration.from_json(out.read_text())
    assert one.pixels == both.pixels
    assert one.fingerprints != both.fingerprints
    assert one.fitted_on["pixels"]["note"] == "made up"


def test_calibration_error_is_the_gap_between_what_was_said_and_what_was_so() -> None:
    said = np.array([0.9] * 10 + [0.1] * 10)
    honest = np.array([True] * 9 + [False] + [True] + [False] * 9)
    assert expected_calibration_error(said, honest) == pytest.approx(0.0, abs=1e-9)
    assert expected_calibration_error(said, ~honest) == pytest.approx(0.8)
