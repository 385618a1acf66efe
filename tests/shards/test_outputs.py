"""img2dataset's three outputs: told apart by looking, and what can be wrong with each."""

import gzip
import os
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from shards import NotADataset, open_dataset
from shards.unpack import zstd
from tests.shards.factories import Sample, failed, picture, samples, write_dataset, write_shard
from tests.shards.makers import (
    images_beside,
    images_within,
    write_files_output,
    write_gzip_tars,
    write_laion,
    write_parquet,
    write_parquet_output,
)
from tests.shards.reader_contract import read_by_key

read = partial(read_by_key, form="img2dataset")


def test_the_outputs_are_told_apart_by_looking(tmp_path: Path) -> None:
    reasons = []
    for write in (write_dataset, write_files_output, write_parquet_output):
        folder = write(tmp_path / write.__name__)
        signals = open_dataset(str(folder), "img2dataset").describe().signals
        reasons.append(signals[1].reason)
    assert reasons == [
        "the tar shards hold the images",
        "the folders beside the tables hold the images",
        "the tables hold the images",
    ]


def test_tables_without_images_say_that_they_are_of_another_format(tmp_path: Path) -> None:
    reader = open_dataset(str(write_laion(tmp_path)), "img2dataset")
    signal = reader.describe().signals[1]
    assert not signal.available
    assert "tables of URLs alone are of the format laion" in signal.reason
    refused: Counter[str] = Counter()
    (batch,) = reader.batches(reader.shards()[0], refused=refused)
    assert refused == {"image_column_missing": 1}
    assert batch.column("image").null_count == len(batch) == 5


def test_hashes_recorded_beside_images_are_read_too(tmp_path: Path) -> None:
    extra = {"image_phash": "00000000000000ff", "pdq": "AB" * 32}
    made = [
        Sample("1", picture(1), extra=extra),
        Sample("2", picture(2), extra=extra | {"pdq": "x"}),
    ]
    for write in (write_shard, images_beside, images_within):
        folder = tmp_path / write.__name__
        write(folder, "00000", made)
        rows, refused = read(folder)
        assert (rows["1"]["phash"], rows["1"]["pdq"]) == (0xFF, b"\xab" * 32)
        assert (rows["2"]["phash"], rows["2"]["pdq"]) == (0xFF, None)
        assert refused == {"hash_malformed": 1}


@pytest.mark.parametrize("write", [images_beside, images_within])
def test_rows_that_failed_or_have_no_image_are_counted(tmp_path: Path, write: Any) -> None:
    made = [
        *samples(2),
        failed("7"),
        failed("8", "failed_to_resize"),
        Sample("9", None),
        Sample("10", b""),
        Sample("11", picture(3), status="failed_to_resize"),
    ]
    write(tmp_path, "00000", made)
    rows, refused = read(tmp_path)
    assert set(rows) == {"000000000", "000000001", "11"}
    assert refused == {
        "failed_to_download": 1,
        "failed_to_resize": 1,
        "image_missing": 1,
        "image_empty": 1,
        "status_contradicted": 1,
    }


def test_images_of_no_row_and_second_images_are_counted(tmp_path: Path) -> None:
    images_beside(tmp_path, "00000", samples(2))
    (tmp_path / "00000" / "stranger.jpg").write_bytes(picture(5))
    (tmp_path / "00000" / "000000000.png").write_bytes(picture(6))
    rows, refused = read(tmp_path)
    assert rows["000000000"]["image"] == picture(0)
    assert refused == {"member_without_row": 1, "member_repeated": 1}


def test_a_key_that_is_a_path_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(picture(9))
    folder = tmp_path / "dataset"
    keys = ["../secret", "../../secret", f"{tmp_path}/secret", "..", "a/../../secret"]
    images_beside(folder, "00000", samples(1))
    images_beside(tmp_path / "other", "00000", [Sample(key, None) for key in keys])
    (tmp_path / "other" / "00000.parquet").rename(folder / "00000.parquet")
    rows, refused = read(folder)
    assert rows == {}
    assert refused == {"member_without_row": 1, "image_missing": 5}
    reader = open_dataset(str(folder), "img2dataset")
    assert all(reader.read_image("00000", key, 0, None) is None for key in keys)


def test_a_folder_of_images_without_its_table_is_counted(tmp_path: Path) -> None:
    write_files_output(tmp_path)
    (tmp_path / "00001.parquet").unlink()
    rows, refused = read(tmp_path)
    assert len(rows) == 4
    assert refused == {"failed_to_download": 1, "table_missing": 1}


def test_a_table_whose_folder_is_gone_is_counted(tmp_path: Path) -> None:
    write_files_output(tmp_path)
    for path in (tmp_path / "00001").iterdir():
        path.unlink()
    rows, refused = read(tmp_path)
    assert len(rows) == 4
    assert refused == {"failed_to_download": 2, "image_missing": 4}


@pytest.mark.parametrize("column", ["png", "webp", "JPG"])
def test_images_in_tables_may_be_of_any_form(tmp_path: Path, column: str) -> None:
    data = picture(1, form="PNG" if column == "png" else "WEBP")
    images_within(tmp_path, "00000", [Sample("1", data)], column)
    assert read(tmp_path)[0]["1"]["image"] == data


def test_images_too_large_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("files_output", "parquet_output"):
        monkeypatch.setattr(f"shards.{module}.MAX_IMAGE_BYTES", 50_000)
    for write in (images_beside, images_within):
        folder = tmp_path / write.__name__
        write(folder, "00000", [Sample("1", bytes(50_001)), *samples(1, first=3)])
        rows, refused = read(folder)
        assert (list(rows), refused) == (["000000003"], {"image_too_large": 1})
        reader = open_dataset(str(folder), "img2dataset")
        assert reader.read_image("00000", "1", 0, None) is None


def test_a_table_rewritten_under_the_reader_gives_no_wrong_picture(tmp_path: Path) -> None:
    images_within(tmp_path, "00000", samples(4))
    reader = open_dataset(str(tmp_path), "img2dataset")
    images_within(tmp_path, "00000", samples(4, first=1))
    assert reader.read_image("00000", "000000002", 2, None) is None
    assert reader.read_image("00000", "000000003", 2, None) == picture(3)
    assert reader.read_image("00000", "000000003", 99, None) is None
    assert reader.read_image("00000", "000000003", -1, None) is None
    (tmp_path / "00000.parquet").unlink()
    assert reader.read_image("00000", "000000003", 2, None) is None


def test_tables_of_images_without_keys_go_by_place(tmp_path: Path) -> None:
    write_parquet(tmp_path / "0.parquet", {"jpg": [picture(1), None, picture(2)]})
    rows, refused = read(tmp_path)
    assert {key: row["index"] for key, row in rows.items()} == {"#0": 0, "#2": 2}
    assert refused == {"image_missing": 1, "url_missing": 2}
    reader = open_dataset(str(tmp_path), "img2dataset")
    assert reader.read_image("0", "#2", 2, None) == picture(2)


@pytest.mark.parametrize(("ending", "pack"), [(".tar.gz", gzip.compress), (".tzst", None)])
def test_a_compressed_tar_that_breaks_off_costs_its_tail(
    tmp_path: Path, ending: str, pack: Any
) -> None:
    write_shard(tmp_path, "00000", [Sample(f"{n}", os.urandom(60_000)) for n in range(10)])
    write_shard(tmp_path, "00001", samples(2, first=100))
    tar = tmp_path / "00000.tar"
    data = (pack or zstd.compress)(tar.read_bytes())
    tar.unlink()
    for cut in (len(data) // 2, len(data) - 4):
        (tmp_path / f"00000{ending}").write_bytes(data[:cut])
        rows, refused = read(tmp_path)
        assert {"000000100", "000000101"} <= set(rows)
        lost = 12 - len(rows)
        assert refused["image_missing"] + refused["image_cut_short"] == lost
        assert refused["tar_cut_short"] == 1
    assert lost < 5


def test_a_compressed_tar_of_rubbish_is_counted(tmp_path: Path) -> None:
    write_gzip_tars(tmp_path)
    (tmp_path / "00000.tar.gz").write_bytes(b"\x55" * 10_000)
    (tmp_path / "00001.tar.gz").write_bytes(gzip.compress(b"\x55" * 10_240))
    rows, refused = read(tmp_path)
    assert rows == {}
    assert refused == {
        "failed_to_download": 2,
        "image_missing": 12,
        "tar_cut_short": 2,
        "tar_damaged": 1,
    }


def test_a_compressed_tar_says_that_its_pictures_come_slowly(tmp_path: Path) -> None:
    signals = open_dataset(str(write_gzip_tars(tmp_path)), "img2dataset").describe().signals
    assert signals[3].available
    assert "slow" in signals[3].reason


def test_a_compression_that_is_not_read_is_refused_in_a_sentence(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    (tmp_path / "00001.tar").rename(tmp_path / "00001.tar.xz")
    with pytest.raises(NotADataset, match=r"00001\.tar\.xz, compressed in a way"):
        open_dataset(str(tmp_path), "img2dataset")


def test_a_tar_and_its_compressed_copy_are_not_both_read(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    tar = tmp_path / "00001.tar"
    (tmp_path / "00001.tar.gz").write_bytes(gzip.compress(tar.read_bytes()))
    with pytest.raises(NotADataset, match="name the same shard"):
        open_dataset(str(tmp_path), "img2dataset")
