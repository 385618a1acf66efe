"""LAION's tables: URLs without images, in every spelling."""

from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shards import NotADataset, open_dataset
from tests.shards.factories import write_images
from tests.shards.makers import urls, write_clip_retrieval, write_laion, write_parquet
from tests.shards.reader_contract import read_dataset

read = partial(read_dataset, form="laion")


def test_rows_go_by_their_sample_id(tmp_path: Path) -> None:
    rows, refused = read(write_laion(tmp_path))
    assert [row["key"] for row in rows[:3]] == ["0", "1", "2"]
    assert [row["key"] for row in rows[5:7]] == ["100", "101"]
    assert refused == {}


def test_a_float_that_may_have_lost_digits_is_no_key(tmp_path: Path) -> None:
    ids = [1.0, 2.0**53, 2.5, float("nan"), float("inf"), -7.0, None, 2.0**53 - 1]
    columns = {"SAMPLE_ID": pa.array(ids, pa.float64()), "URL": urls(8)}
    write_parquet(tmp_path / "0.parquet", columns)
    rows, refused = read(tmp_path)
    keys = [row["key"] for row in rows]
    assert keys == ["1", "#1", "#2", "#3", "#4", "-7", "#6", "9007199254740991"]
    assert refused == {"key_by_place": 5}


def test_an_integer_id_keeps_all_its_digits(tmp_path: Path) -> None:
    write_parquet(tmp_path / "0.parquet", {"sample_id": [2**62 + 1], "url": urls(1)})
    assert read(tmp_path)[0][0]["key"] == str(2**62 + 1)


def test_hashes_that_a_table_records_are_read(tmp_path: Path) -> None:
    columns = {
        "url": urls(4),
        "phash": ["f" * 16, "00000000000000AB", "xyz", None],
        "PDQ": ["ab" * 32, None, "ab", "CD" * 32],
    }
    write_parquet(tmp_path / "0.parquet", columns)
    rows, refused = read(tmp_path)
    assert [row["phash"] for row in rows] == [2**64 - 1, 0xAB, None, None]
    assert [row["pdq"] for row in rows] == [b"\xab" * 32, None, None, b"\xcd" * 32]
    assert refused == {"hash_malformed": 2}
    signal = open_dataset(str(tmp_path), "laion").describe().signals[1]
    assert (signal.available, signal.reason) == (
        True,
        "the tables record the phash and pdq of each image",
    )


def test_digests_stored_as_bytes_are_spelled_out(tmp_path: Path) -> None:
    columns = {
        "url": urls(3),
        "sha256": pa.array([b"\x01" * 32, None, b"\xff" * 32], pa.binary(32)),
        "md5": pa.array([b"\x02" * 16, b"AB" * 16, b"odd"], pa.binary()),
    }
    write_parquet(tmp_path / "0.parquet", columns)
    rows, refused = read(tmp_path)
    assert [row["sha256"] for row in rows] == ["01" * 32, None, "ff" * 32]
    assert [row["md5"] for row in rows] == ["02" * 16, "ab" * 16, None]
    assert refused == {"digest_malformed": 1}


def test_a_broken_row_group_costs_its_rows_only(tmp_path: Path) -> None:
    path = tmp_path / "0.parquet"
    table = pa.table({"url": [f"https://img.example.com/{n:06d}.jpg" for n in range(3000)]})
    pq.write_table(table, path, row_group_size=1000, compression="zstd", use_dictionary=False)
    column = pq.ParquetFile(path).metadata.row_group(1).column(0)
    data = bytearray(path.read_bytes())
    data[column.data_page_offset + 60 : column.data_page_offset + 160] = b"\x55" * 100
    path.write_bytes(data)
    rows, refused = read(tmp_path)
    assert [row["index"] for row in rows] == [*range(1000), *range(2000, 3000)]
    assert refused == {"row_unreadable": 1000}


def test_two_columns_of_one_name_are_no_crash(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(urls(2)), pa.array(urls(2, first=5))], ["url", "url"])
    pq.write_table(table, tmp_path / "0.parquet")
    rows, _ = read(tmp_path)
    assert [row["url"] for row in rows] == urls(2)


def test_a_column_that_holds_no_text_is_as_good_as_none(tmp_path: Path) -> None:
    write_parquet(tmp_path / "0.parquet", {"url": urls(2), "caption": [["a"], ["b"]]})
    rows, refused = read(tmp_path)
    assert [row["caption"] for row in rows] == [None, None]
    assert refused == {}


def test_arrays_beside_the_tables_are_not_passed_over_in_silence(tmp_path: Path) -> None:
    folder = write_clip_retrieval(tmp_path)
    facts = open_dataset(str(folder), "laion").describe()
    assert facts.embeddings == ()
    embedding = facts.signals[2]
    assert not embedding.available
    assert "see clip-retrieval and datacomp" in embedding.reason
    assert all(row["embedding"] is None for row in read(folder)[0])


def test_a_folder_without_tables_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(NotADataset, match=r"no \.parquet file"):
        open_dataset(str(write_images(tmp_path)), "laion")


def test_a_table_of_no_columns_at_all_is_counted(tmp_path: Path) -> None:
    write_parquet(tmp_path / "0.parquet", {"similarity": np.zeros(7)})
    rows, refused = read(tmp_path)
    assert (rows, refused) == ([], {"url_column_missing": 7})
