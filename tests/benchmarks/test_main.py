"""`python -m benchmarks` never takes a failed run for a result."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import ROOT, report
from benchmarks import __main__ as runner
from benchmarks.__main__ import BENCHES, Bench
from benchmarks.report import Target

_BENCH = Bench("demo", "nothing")


@pytest.fixture(autouse=True)
def _results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")


def _ends(monkeypatch: pytest.MonkeyPatch, code: int, targets: list[Target] | None) -> None:
    def ended(_: Sequence[str]) -> int:
        if targets is not None:
            report.save("demo", {"x": 1}, targets)
        return code

    monkeypatch.setattr(runner, "exit_code", ended)


def _concluded(*, strict: bool = False) -> int:
    return runner.concluded([runner.run(_BENCH, quick=False)], strict=strict)


def test_a_run_that_fails_is_a_failure_even_with_a_result(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report.save("demo", {"x": 1}, [Target("speed", 1, 2)])
    _ends(monkeypatch, 5, None)
    assert _concluded() == 1
    assert "FAILED with exit code 5" in capsys.readouterr().out


def test_a_run_that_saves_nothing_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _ends(monkeypatch, 0, None)
    assert _concluded() == 1
    assert "saved no result" in capsys.readouterr().out


def test_the_last_run_s_result_does_not_count_for_this_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = report.save("demo", {"x": 1}, [Target("speed", 1, 2)])
    os.utime(old, (1, 1))
    _ends(monkeypatch, 0, None)
    assert _concluded() == 1


def test_targets_are_shown_and_a_missed_one_is_no_failure_unless_strict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _ends(monkeypatch, 0, [Target("speed", 1, 2), Target("memory", 3, 4, at_least=False)])
    assert _concluded() == 0
    shown = capsys.readouterr().out
    assert "not reached  memory" in shown
    assert "1 of 2 targets reached" in shown
    assert _concluded(strict=True) == 3


def test_without_words_it_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main([]) == 0
    shown = capsys.readouterr().out
    assert all(bench.name in shown for bench in BENCHES)


def test_a_bench_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        runner.main(["nothing"])
    assert "no bench 'nothing': there are hamming" in capsys.readouterr().err


def test_every_bench_has_its_module() -> None:
    assert all((ROOT / "benchmarks" / f"{bench.name}.py").is_file() for bench in BENCHES)


def test_a_bench_is_called_small_by_its_own_words() -> None:
    bench = Bench("demo", "nothing", words=("--part", "1"), quick=("--limit", "2"), saved="demo-1")
    assert bench.command(quick=False)[1:] == ["-m", "benchmarks.demo", "--part", "1"]
    assert bench.command(quick=True)[-2:] == ["--limit", "2"]
    assert bench.results(quick=False).name == "demo-1.json"
