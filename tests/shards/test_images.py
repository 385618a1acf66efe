"""A folder of image files."""

import hashlib
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from shards import NotADataset, open_dataset
from shards.reader import MAX_IMAGE_BYTES
from tests.shards.factories import picture, write_images
from tests.shards.reader_contract import ReaderContract, read_dataset

rows_of = partial(read_dataset, form="images")


class TestContract(ReaderContract):
    format = "images"

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return write_images(tmp_path / "pictures")


def test_the_key_is_the_path_below_the_folder(tmp_path: Path) -> None:
    rows, refused = rows_of(write_images(tmp_path))
    assert [row["key"] for row in rows] == ["1.png", "3.png", "below/0.png", "below/2.png"]
    assert [(row["shard"], row["index"]) for row in rows] == [
        (".", 0),
        (".", 1),
        ("below", 0),
        ("below", 1),
    ]
    assert refused == {}


def test_digests_are_those_of_the_file(tmp_path: Path) -> None:
    data = picture(1)
    (tmp_path / "a.JPG").write_bytes(data)
    rows, _ = rows_of(tmp_path)
    assert rows[0]["sha256"] == hashlib.sha256(data).hexdigest()
    assert rows[0]["md5"] == hashlib.md5(data, usedforsecurity=False).hexdigest()


def test_what_cannot_be_read_is_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "good.jpg").write_bytes(picture(1))
    (tmp_path / "empty.jpg").write_bytes(b"")
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(MAX_IMAGE_BYTES + 1)
    (tmp_path / "gone.jpg").write_bytes(picture(2))
    reader = open_dataset(str(tmp_path), "images")
    shard = reader.shards()[0]
    (tmp_path / "gone.jpg").unlink()
    refused: Counter[str] = Counter()
    rows = [row for batch in reader.batches(shard, refused=refused) for row in batch.to_pylist()]
    assert [row["key"] for row in rows] == ["good.jpg"]
    assert refused == {"image_empty": 1, "image_too_large": 1, "image_unreadable": 1}


def test_a_file_that_is_gone_gives_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(picture(1))
    reader = open_dataset(str(tmp_path), "images")
    (tmp_path / "a.jpg").unlink()
    assert reader.read_image(".", "a.jpg", 0, None) is None


def test_a_name_outside_the_folder_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(picture(1))
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "a.jpg").write_bytes(picture(2))
    reader = open_dataset(str(inside), "images")
    assert reader.read_image(".", "../secret.jpg", 0, None) is None


def test_a_folder_without_images_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(NotADataset, match="holds no image file"):
        open_dataset(str(tmp_path), "images")
