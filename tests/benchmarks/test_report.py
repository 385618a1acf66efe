"""Results are saved whole, verdicts are honest, tables can be read."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import report
from benchmarks.report import Target


@pytest.fixture(autouse=True)
def _results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    monkeypatch.setenv("UNLIST_DATA_DIR", str(tmp_path / "data"))


@pytest.mark.parametrize(
    ("measured", "at_least", "verdict"),
    [
        (10.0, True, "reached"),
        (9.9, True, "not reached"),
        (10.0, False, "reached"),
        (10.1, False, "not reached"),
        (None, True, "not measured"),
        (float("nan"), True, "not reached"),
        (float("inf"), True, "not reached"),
    ],
)
def test_a_verdict_follows_from_the_figure(
    measured: float | None, at_least: bool, verdict: str
) -> None:
    assert Target("x", 10.0, measured, at_least).verdict == verdict


def test_a_saved_bench_comes_back_with_targets_and_machine() -> None:
    target = Target("speed", 40, 52.5, unit="times", note="one thread")
    path = report.save("demo", {"rows": np.int64(7), "ms": np.float32(0.5)}, [target])
    whole, targets = report.load(path)
    assert targets == [target]
    assert whole["results"] == {"rows": 7, "ms": 0.5}
    assert whole["machine"]["cores"] >= 1
    assert whole["machine"]["versions"]["numpy"] == np.__version__
    assert "cores" in report.machine_line(whole["machine"])


def test_a_quick_run_never_replaces_a_full_one() -> None:
    full = report.save("demo", {"rows": 10})
    quick = report.save("demo", {"rows": 1}, quick=True)
    assert full != quick
    assert report.load(full)[0]["results"] == {"rows": 10}
    assert report.load(quick)[0]["quick"]


def test_a_figure_that_is_no_number_is_not_saved() -> None:
    with pytest.raises(ValueError, match="JSON"):
        report.save("demo", {"ms": float("nan")})
    with pytest.raises(TypeError, match="not a result"):
        report.save("demo", {"what": object()})
    assert not list(report.results_dir(quick=False).glob("*.json"))


def test_a_table_puts_numbers_to_the_right() -> None:
    assert report.table(["who", "ms"], [["ours", 0.5], ["a peer", 1234.5]]).splitlines() == [
        "who        ms",
        "------  -----",
        "ours      0.5",
        "a peer  1,234",
    ]


def test_a_table_without_rows_is_its_headers() -> None:
    assert report.table(["a", "b"], []) == "a  b\n-  -"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.12345, "0.123"), (1e7, "10,000,000"), (1234.56, "1,235"), (99.25, "99.2")],
)
def test_numbers_as_people_read_them(value: float, text: str) -> None:
    assert report.number(value) == text


def test_the_processor_is_named() -> None:
    assert report.cpu_model("processor : 0\nmodel name\t: Some CPU @ 2 GHz\n") == "Some CPU @ 2 GHz"
    assert report.cpu_model("processor : 0\n") == "?"
