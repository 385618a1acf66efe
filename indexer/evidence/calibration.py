"""The weights by which evidence becomes a probability: read from a small reviewed JSON file.

`python -m indexer.fit` writes it; nothing here knows how. What always holds for weights that were
read: they are those of the measures this code makes, none is negative (more evidence never makes
a copy less likely), and the thresholds are probabilities in order.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import exp, isfinite, log
from pathlib import Path
from typing import Any, Final, Self

from indexer.evidence.measures import FINGERPRINTS, PIXELS

FORMAT: Final = "unlist-calibration/1"
FILE: Final = Path(__file__).parents[1] / "calibration.json"
# Log-odds from PDQ's own radius on. It holds where a picture is too soft for keypoints, too.
PDQ_COPY: Final = 7.0
_REGIMES: Final = {"fingerprints": FINGERPRINTS, "pixels": PIXELS}


class CalibrationInvalid(ValueError):
    """The calibration file is damaged, or made for other measures."""


@dataclass(frozen=True, slots=True)
class Regime:
    """One logistic model.

    Attributes:
        constant: log-odds where all measures are 0.
        weights: log-odds per unit of each measure, none negative.
        copy: probability from which a candidate is called a copy.
    """

    constant: float
    weights: Mapping[str, float]
    copy: float

    @property
    def copy_log_odds(self) -> float:
        """The same threshold in log-odds."""
        return log(self.copy / (1 - self.copy))

    def log_odds(self, measures: Mapping[str, float]) -> float:
        """Log-odds that a candidate with these measures is a copy."""
        return self.constant + sum(self.weights[name] * value for name, value in measures.items())


@dataclass(frozen=True, slots=True)
class Calibration:
    """What `indexer.evidence` judges by.

    Attributes:
        encoder: the one whose cosines the weights hold for.
        fingerprints: for candidates whose pixels could not be compared.
        pixels: for those whose could.
        floor: probability below which a candidate is not shown at all.
        fitted_on: on what, in words and numbers; for people.
    """

    encoder: str
    fingerprints: Regime
    pixels: Regime
    floor: float
    fitted_on: Mapping[str, Any]

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read and check.

        Raises:
            CalibrationInvalid: something is missing, or out of bounds.
        """
        try:
            facts = json.loads(text)
            if facts["format"] != FORMAT:
                raise CalibrationInvalid(f"This is no {FORMAT}: run python -m indexer.fit.")
            regimes = {name: _regime(facts[name], _REGIMES[name]) for name in _REGIMES}
            made = cls(
                encoder=str(facts["encoder"]),
                floor=float(facts["floor"]),
                fitted_on=dict(facts["fitted_on"]),
                **regimes,
            )
        except CalibrationInvalid:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise CalibrationInvalid(
                f"The calibration lacks or garbles {error}: run python -m indexer.fit."
            ) from error
        if not all(0 < made.floor < regime.copy < 1 for regime in regimes.values()):
            raise CalibrationInvalid("Thresholds must be 0 < floor < copy < 1: mend the file.")
        return made


def probability(log_odds: float) -> float:
    """The probability that log-odds stand for."""
    return 1 / (1 + exp(-max(-700.0, min(700.0, log_odds))))


@cache
def calibration() -> Calibration:
    """The calibration that this version ships."""
    return Calibration.from_json(FILE.read_text("utf-8"))


def _regime(facts: Mapping[str, Any], names: tuple[str, ...]) -> Regime:
    weights = {name: float(facts["weights"][name]) for name in names}
    if set(facts["weights"]) != set(names):
        raise CalibrationInvalid(f"The weights are not those of {', '.join(names)}: fit them anew.")
    numbers = [float(facts["constant"]), *weights.values()]
    if not all(map(isfinite, numbers)) or min(weights.values()) < 0:
        raise CalibrationInvalid("A weight is negative or no number: fit them anew.")
    return Regime(numbers[0], weights, float(facts["copy"]))
