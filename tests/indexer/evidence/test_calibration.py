import json
from typing import Any

import pytest

from indexer import DEFAULT_ENCODER
from indexer.evidence.calibration import (
    FILE,
    Calibration,
    CalibrationInvalid,
    calibration,
    probability,
)
from indexer.evidence.measures import FINGERPRINTS, PIXELS

SHIPPED: dict[str, Any] = json.loads(FILE.read_text("utf-8"))


def changed(**changes: Any) -> str:
    return json.dumps(SHIPPED | changes)


def regime(name: str, **changes: Any) -> dict[str, Any]:
    return {name: SHIPPED[name] | changes}


def test_the_shipped_calibration_is_whole_and_says_what_it_was_fitted_on() -> None:
    shipped = calibration()
    assert shipped.encoder == DEFAULT_ENCODER
    assert set(shipped.pixels.weights) == set(PIXELS)
    assert set(shipped.fingerprints.weights) == set(FINGERPRINTS)
    assert all(shipped.fitted_on[name]["queries"] >= 100 for name in ("fingerprints", "pixels"))
    assert 0 < shipped.floor < shipped.pixels.copy < 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        changed(format="unlist-calibration/0"),
        changed(floor=0.0),
        changed(floor=0.99999),
        changed(**regime("pixels", copy=1.0)),
        changed(**regime("pixels", weights={})),
        changed(**regime("pixels", weights=SHIPPED["pixels"]["weights"] | {"charm": 1.0})),
        changed(**regime("pixels", weights=SHIPPED["pixels"]["weights"] | {"patch": -1.0})),
        changed(**regime("fingerprints", constant="low")),
    ],
)
def test_a_damaged_or_foreign_calibration_is_refused(text: str) -> None:
    with pytest.raises(CalibrationInvalid):
        Calibration.from_json(text)


def test_a_threshold_is_the_same_in_log_odds() -> None:
    pixels = calibration().pixels
    assert probability(pixels.copy_log_odds) == pytest.approx(pixels.copy)


@pytest.mark.parametrize(("odds", "chance"), [(0, 0.5), (float("inf"), 1.0), (-1e9, 0.0)])
def test_log_odds_become_probabilities(odds: float, chance: float) -> None:
    assert probability(odds) == pytest.approx(chance)
