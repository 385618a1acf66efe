"""The finder of leaks must itself find them, or a clean report means nothing."""

import base64
from pathlib import Path

import pytest

from tests.functional.leaks import NOTE, found_in_bytes, found_in_folder, marks_of

MARKS = marks_of("AAAAA-BBBBB-CCCCC-DDDDD-EEEEE-F", bytes(range(200)))


@pytest.mark.parametrize("before", [b"", b"x", b"xy", b"xyz"])
def test_a_mark_is_found_in_every_shape(before: bytes) -> None:
    words = before + NOTE.encode() + b"after"
    for data in (words, words.hex().encode(), base64.b64encode(words)):
        assert found_in_bytes(data, MARKS) == ["note"]


def test_marks_are_found_in_names_and_contents_of_files(tmp_path: Path) -> None:
    assert found_in_folder(tmp_path, MARKS) == []
    (tmp_path / "holiday-of-jane-MARKQX.jpg").touch()
    (tmp_path / "log").write_text("POST aaaaa-bbbbb-ccccc-ddddd-eeeee-f")
    assert [line.partition(" in /")[0] for line in found_in_folder(tmp_path, MARKS)] == [
        "file name",
        "receipt in lower case",
    ]
