"""docs/scale.md and docs/benchmarks.md say what was measured."""

from pathlib import Path

import pytest

from benchmarks import targets_page
from benchmarks.report import Target, load, save
from benchmarks.scale_page import PAGE, SOURCE, page_in_step, parts
from benchmarks.scale_plan import Assumptions


def test_the_page_is_in_step_with_the_results() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_in_step(page, load(SOURCE)[0]), "run: python -m benchmarks.scale_page"


def test_every_part_is_there_and_filled() -> None:
    whole, _ = load(SOURCE)
    assert not whole["quick"]
    for name, text in parts(whole["results"]).items():
        assert text.strip(), name


def test_a_page_without_a_part_s_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for 'machines'"):
        page_in_step("# Scale\n", load(SOURCE)[0])


def test_what_is_assumed_is_what_is_computed_with() -> None:
    page, given = PAGE.read_text(encoding="utf-8"), Assumptions()
    for text in (
        f"| ${given.vcpu_hour} an hour |",
        f"| ${given.ssd_tb_month:.0f} per TB and month |",
        f"| {given.vcpus} virtual processors, {given.ssd_tb} TB of SSD, {given.ssd_gb_s:.0f} GB ",
        f"| {given.wait_s:.0f} s for one photo, nothing in memory |",
        f"| {given.photos_day:,.0f} photos a day, 64 at a time, at most half",
    ):
        assert text in page
    assert (given.busy, given.spare) == (0.5, 0.2)


def test_the_page_of_targets_is_in_step_with_the_results() -> None:
    page = targets_page.PAGE.read_text(encoding="utf-8")
    assert page == targets_page.page_in_step(page), "run: python -m benchmarks.targets_page"


def test_a_target_is_shown_with_its_figure_and_its_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.report.RESULTS", tmp_path)
    targets = [
        Target("memory", 1e9, 2e9, at_least=False, unit="bytes", note="files included"),
        Target("recall", 0.99, None),
    ]
    text = targets_page.shown([save("ingest", {}, targets)])
    assert "| memory (files included) | 2,000,000,000 | ≤ 1,000,000,000 bytes | not " in text
    assert "| recall | - | ≥ 0.99 | not measured |" in text
    assert targets_page.shown([]) == "Not measured yet.\n"
