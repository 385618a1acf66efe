"""What an operator reads after indexing adds up."""

from catalog.reports import refusal_lines


def test_rows_left_out_stand_apart_from_rows_indexed_in_part() -> None:
    lines = list(
        refusal_lines(
            {"failed_to_download": 7, "too_plain": 39, "tar_damaged": 1, "key_missing": 0}
        )
    )
    assert [line for line in lines if not line.startswith(" ")] == [
        "rows refused: 7",
        "rows indexed in part:",
        "met in the files:",
    ]
    assert [line.split()[:2] for line in lines if line.startswith(" ")] == [
        ["7", "failed_to_download:"],
        ["39", "too_plain:"],
        ["1", "tar_damaged:"],
    ]


def test_a_clean_run_says_so_in_one_line() -> None:
    assert list(refusal_lines({})) == ["rows refused: 0"]
