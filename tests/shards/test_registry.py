"""Opening datasets by name of format."""

import subprocess
import sys
from pathlib import Path

import pytest

from shards import NotADataset, UnknownFormat, open_dataset, readable_formats
from shards.reasons import REASONS
from tests.shards.factories import write_images


@pytest.mark.parametrize("name", ["mscoco", "LAION", ""])
def test_a_format_that_is_not_read_is_refused_with_those_that_are(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(UnknownFormat, match="img2dataset, laion, clip-retrieval"):
        open_dataset(str(tmp_path), name)


def test_every_readable_format_refuses_an_empty_folder(tmp_path: Path) -> None:
    for name in readable_formats():
        with pytest.raises(NotADataset):
            open_dataset(str(tmp_path), name)


def test_a_file_and_an_unknown_protocol_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    with pytest.raises(NotADataset, match="is a file"):
        open_dataset(str(file), "images")
    with pytest.raises(NotADataset, match="cannot be opened"):
        open_dataset("bogus://folder", "images")


def test_an_fsspec_url_is_read_like_a_path(tmp_path: Path) -> None:
    folder = write_images(tmp_path)
    by_url = open_dataset(f"file://{folder}", "images")
    assert by_url.shards() == open_dataset(str(folder), "images").shards()


def test_reasons_have_stable_codes_and_sentences() -> None:
    for code, reason in REASONS.items():
        assert code == reason.code
        assert code.replace("_", "").isalnum()
        assert code.islower()
        assert len(reason.sentence) > 20


def test_reading_brings_in_neither_django_nor_torch() -> None:
    code = (
        "import sys, shards.registry; "
        "print([m for m in ('django', 'celery', 'torch', 'faiss', 'PIL') if m in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.strip() == "[]"
