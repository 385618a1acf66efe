"""docs/scale.md says what was measured."""

import pytest

from benchmarks.report import load
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
