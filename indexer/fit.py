"""Fit the calibration: `python -m indexer.fit TABLE.jsonl`, and review what it writes.

The table has one line per candidate row of a query whose truth is known, as the quality benchmark
writes it from `indexer.evidence.verdict.measured`: `{"query": name, "photo": name, "copy": true,
"rows": 400, "fingerprints": {measures}, "pixels": {measures} or null}`. Photos, not lines, are
split into those fitted on and those the figures are of, by the digest of their names: the same
table gives the same file.

Two logistic regressions (with and without pixels) by maximum likelihood under a quadratic penalty
on the weights of standardized measures, no weight below zero. Each is fitted twice. First to all
candidates, most of which are nothing like the query: that tells which two are a query's best. Then
to these alone, for theirs are the scores that are read, and a model that must explain some
hundred others too is too sure of the best of them. Queries that PDQ decides are left out of that.

With `--only`, one regime is fitted and the other stays as it is in the file that is written.
"""

import argparse
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from indexer import DEFAULT_ENCODER, PDQ_RADIUS
from indexer.evidence.calibration import FILE, FORMAT, PDQ_COPY, Calibration
from indexer.evidence.measures import FINGERPRINTS, PDQ_CHANCE, PDQ_UNIT, PIXELS

_PENALTY: Final = 0.05
_FEW_PENALTY: Final = 0.5  # where hundreds, not thousands, are fitted to
_REGIMES: Final = {"fingerprints": FINGERPRINTS, "pixels": PIXELS}
_FLOOR: Final = 0.03
_PRECISION: Final = 0.99
# A threshold is never below this: photos that nobody has seen do worse than those fitted on.
_LEAST_COPY: Final = {"fingerprints": 0.98, "pixels": 0.65}
_BINS: Final = 15
_BEST: Final = 2  # candidates of a query
_LEAST_SUITED: Final = 20  # copies, and others, among the best candidates
_NEAR: Final = (PDQ_CHANCE - PDQ_RADIUS) / PDQ_UNIT  # the measure `pdq` at its radius


class TableInvalid(ValueError):
    """The table of labelled candidates is not what the benchmark writes."""


@dataclass(frozen=True, eq=False, slots=True)
class Sample:
    """One regime's candidates.

    Attributes:
        measures: float64[n, k].
        copy: bool[n], the truth.
        queries: names, one a candidate.
        held_out: bool[n], of photos that are not fitted on.
        near: bool[n], within PDQ's radius: a copy whatever the measures say.
    """

    measures: NDArray[np.float64]
    copy: NDArray[np.bool_]
    queries: list[str]
    held_out: NDArray[np.bool_]
    near: NDArray[np.bool_]

    def best(
        self, score: NDArray[np.float64], among: NDArray[np.bool_], count: int
    ) -> NDArray[np.int64]:
        """The places of each query's best few candidates, of those in `among`."""
        of_query: dict[str, list[int]] = {}
        for at in np.flatnonzero(among).tolist():
            of_query.setdefault(self.queries[at], []).append(at)
        best = [sorted(some, key=lambda at: -score[at])[:count] for some in of_query.values()]
        return np.array([at for some in best for at in some], np.int64)

    def others_of(self, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The candidates of the queries that have none in `chosen`."""
        having = {query for query, one in zip(self.queries, chosen, strict=True) if one}
        return np.array([query not in having for query in self.queries])


def fit(
    lines: Iterable[str], *, note: str, regimes: Sequence[str] = tuple(_REGIMES)
) -> dict[str, Any]:
    """Fit regimes to a table; those parts of a calibration, as JSON types.

    Raises:
        TableInvalid: see there.
    """
    facts = [_parsed(line) for line in lines if line.strip()]
    queries = {fact["query"] for fact in facts}
    made: dict[str, Any] = {"format": FORMAT, "encoder": DEFAULT_ENCODER, "floor": _FLOOR}
    made["fitted_on"] = {}
    for name in regimes:
        sample = _sample(facts, name, _REGIMES[name])
        made[name], held_out = _fitted(sample, name, _REGIMES[name])
        made["fitted_on"][name] = {
            "note": note,
            "queries": len(queries),
            "photos": len({fact["photo"] for fact in facts}),
            "held_out": held_out,
        }
    return made


def joined(made: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """A calibration with the regimes that were fitted, and the others as they were.

    Raises:
        CalibrationInvalid: it would not be whole.
    """
    whole = {**old, **made, "fitted_on": {**old.get("fitted_on", {}), **made["fitted_on"]}}
    Calibration.from_json(json.dumps(whole))
    return whole


def expected_calibration_error(
    score: NDArray[np.float64], truth: NDArray[np.bool_], bins: int = _BINS
) -> float:
    """Mean gap between score and share of true ones over equal bins of the score, by their size.

    Guo et al., "On Calibration of Modern Neural Networks", 2017.
    """
    place = np.minimum((score * bins).astype(int), bins - 1)
    gaps = [
        abs(score[place == one].mean() - truth[place == one].mean()) * (place == one).mean()
        for one in np.unique(place)
    ]
    return float(sum(gaps))


def _parsed(line: str) -> dict[str, Any]:
    try:
        fact = json.loads(line)
        if not {"query", "photo", "copy", "fingerprints", "pixels"} <= set(fact):
            raise TableInvalid(f"A line lacks a field: {line[:80]}")
    except (json.JSONDecodeError, TypeError) as error:
        raise TableInvalid(f"A line is no JSON object: {line[:80]}") from error
    return dict(fact)


def _sample(facts: Sequence[Mapping[str, Any]], regime: str, names: Sequence[str]) -> Sample:
    rows = [fact for fact in facts if fact[regime] is not None]
    if len({bool(fact["copy"]) for fact in rows}) < 2:
        raise TableInvalid(f"The table needs copies and others measured by {regime}.")
    queries = [str(fact["query"]) for fact in rows]
    return Sample(
        measures=np.array([[fact[regime][name] for name in names] for fact in rows], np.float64),
        copy=np.array([fact["copy"] for fact in rows], np.bool_),
        queries=queries,
        held_out=np.array([_is_held_out(str(fact["photo"])) for fact in rows]),
        near=np.array([float(fact[regime]["pdq"]) >= _NEAR for fact in rows]),
    )


def _is_held_out(photo: str) -> bool:
    # Not the first byte: by that the benchmarks deal photos to trials (`benchmarks.photos`).
    return hashlib.sha256(photo.encode()).digest()[-1] < 128


def _fitted(
    sample: Sample, regime: str, names: Sequence[str]
) -> tuple[dict[str, Any], dict[str, float]]:
    """A regime's weights and threshold, and its figures on photos not fitted on."""
    seen = ~sample.held_out
    numbers = _weights(sample.measures[seen], sample.copy[seen])
    numbers = _suited(numbers, sample, seen)
    kept = [round(float(number), 4) for number in numbers]
    odds = sample.measures @ np.array(kept[1:]) + kept[0]
    score = 1 / (1 + np.exp(-np.where(sample.near, np.maximum(odds, PDQ_COPY), odds)))
    copy = max(_LEAST_COPY[regime], _threshold(score[seen], sample.copy[seen]))
    weights = dict(zip(names, kept[1:], strict=True))
    figures = _figures(sample, score, copy)
    return {"constant": kept[0], "weights": weights, "copy": round(copy, 4)}, figures


def _suited(
    numbers: NDArray[np.float64], sample: Sample, seen: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The model again, of each query's best candidates; as it was where there are too few."""
    odds = sample.measures @ numbers[1:] + numbers[0]
    best = sample.best(odds, seen & sample.others_of(sample.near), _BEST)
    truth = sample.copy[best]
    if min(truth.sum(), (~truth).sum()) < _LEAST_SUITED:
        return numbers
    return _weights(sample.measures[best], truth, penalty=_FEW_PENALTY)


def _weights(
    measures: NDArray[np.float64], truth: NDArray[np.bool_], penalty: float = _PENALTY
) -> NDArray[np.float64]:
    """The constant and the weights that make the truth likeliest: float64[1 + k]."""
    signed = np.where(truth, 1.0, -1.0)
    spread = np.maximum(measures.std(axis=0), 1e-9)
    x = measures / spread

    def loss(numbers: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = signed * (x @ numbers[1:] + numbers[0])
        wrong = signed / (1 + np.exp(np.clip(odds, -500, 500)))
        value = np.logaddexp(0, -odds).sum() + penalty / 2 * (numbers[1:] @ numbers[1:])
        slope = np.concatenate([[-wrong.sum()], -x.T @ wrong + penalty * numbers[1:]])
        return float(value), slope

    bounds = [(None, 0.0)] + [(0.0, None)] * x.shape[1]
    found = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, bounds=bounds, method="L-BFGS-B")
    return np.concatenate([found.x[:1], found.x[1:] / spread])


def _threshold(score: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """The lowest score from which at least `_PRECISION` of the candidates are copies."""
    order = np.argsort(-score, kind="stable")
    precision = np.cumsum(truth[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(precision >= _PRECISION)
    return float(score[order][enough[-1]]) if len(enough) else 1.0


def _figures(sample: Sample, score: NDArray[np.float64], copy: float) -> dict[str, float]:
    """Over each held-out query's best candidate: calibration error; over all: precision, recall."""
    held, truth = sample.held_out, sample.copy
    best = sample.best(score, held, 1)
    tops = best[score[best] >= _FLOOR]
    called = held & (score >= copy)
    return {
        "queries": len(best),
        "ece": round(expected_calibration_error(score[tops], truth[tops]), 4),
        "precision": round(float(truth[called].mean()), 4) if called.any() else 0.0,
        "recall": round(float(called[truth & held].mean()), 4),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the table, write the calibration."""
    parser = argparse.ArgumentParser(prog="python -m indexer.fit", description=__doc__)
    parser.add_argument("table", type=Path, help="labelled candidates, one JSON object a line")
    parser.add_argument("--out", type=Path, default=FILE, help="the calibration to write")
    parser.add_argument("--note", default="", help="what the table was made of, and when")
    parser.add_argument("--only", choices=tuple(_REGIMES), help="leave the other as it is")
    options = parser.parse_args(arguments)
    regimes = (options.only,) if options.only else tuple(_REGIMES)
    try:
        with options.table.open(encoding="utf-8") as lines:
            made = fit(lines, note=options.note, regimes=regimes)
    except (OSError, UnicodeDecodeError, TableInvalid) as fault:
        parser.error(f"{options.table} cannot be fitted on: {fault}")
    old = json.loads(options.out.read_text("utf-8")) if options.only else {}
    options.out.write_text(json.dumps(joined(made, old), indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
