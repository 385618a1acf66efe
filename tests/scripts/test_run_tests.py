"""A run of the tests ends by saying which were left out, and why."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts import run_tests
from scripts.run_tests import left_out, told_of

SUITE = """
import pytest

@pytest.mark.parametrize("case", [])
def test_of_files_that_are_missing(case): ...

@pytest.mark.skipif(True, reason="the kit is not here")
def test_of_the_kit(): ...

def test_that_runs(): ...
"""


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a small run left out."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "test_small.py").write_text(SUITE)
    (folder / "pytest.ini").write_text("[pytest]\n")
    words = ["-m", "pytest", "-q", "-p", "no:django", "-p", "no:cacheprovider"]
    report = folder / "report.xml"
    subprocess.run(
        [sys.executable, *words, f"--junitxml={report}"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return left_out(report)


def test_what_was_skipped_is_found_with_its_reason(left: dict[str, str]) -> None:
    assert len(left) == 2
    assert left["test_small::test_of_the_kit"] == "the kit is not here"
    [other] = set(left) - {"test_small::test_of_the_kit"}
    assert other.startswith("test_small::test_of_files_that_are_missing")
    assert "empty parameter set" in left[other]


def test_what_ran_in_another_run_is_not_left_out(tmp_path: Path) -> None:
    case = '<testsuite><testcase classname="a" name="b">{}</testcase></testsuite>'
    for name, words in (("one", '<skipped message="no PostgreSQL"/>'), ("other", "")):
        (tmp_path / f"{name}.xml").write_text(case.format(words))
    one, other, missing = (tmp_path / f"{name}.xml" for name in ("one", "other", "missing"))
    assert left_out(one, missing) == {"a::b": "no PostgreSQL"}
    assert left_out(one, other) == left_out(other, one) == {}


def test_missing_vectors_are_told_loudly(left: dict[str, str], tmp_path: Path) -> None:
    text = told_of(left, vectors=tmp_path / "shared" / "vectors")
    assert text.count("!" * 79) == 2
    assert "2 tests were LEFT OUT of this run." in text
    assert "test_of_the_kit: the kit is not here" in text
    assert f"The foreign test vectors are not at {tmp_path / 'shared' / 'vectors'}." in text


def test_what_is_left_out_for_another_reason_is_told_too(
    left: dict[str, str], tmp_path: Path
) -> None:
    text = told_of(left, vectors=tmp_path)
    assert "LEFT OUT" in text
    assert "foreign" not in text


def test_a_whole_run_says_so(tmp_path: Path) -> None:
    assert "LEFT OUT" not in told_of({}, vectors=tmp_path)


def test_a_run_without_vectors_passes(
    left: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run_tests, "_pytest", lambda *_: 0)
    monkeypatch.setattr(run_tests, "left_out", lambda *_: left)
    monkeypatch.setattr(run_tests, "VECTORS", Path("/nonexistent/vectors"))
    assert run_tests._run_all({}, "postgres://none") == 0
    assert capsys.readouterr().out.count("/nonexistent/vectors") == 1


def test_a_run_that_fails_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = iter([0, 1, 0])
    monkeypatch.setattr(run_tests, "_pytest", lambda *_: next(codes))
    assert run_tests._run_all({}, "postgres://none") == 1
