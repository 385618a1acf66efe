"""Key files: the same bytes every time, readable elsewhere, refused when a rule is broken."""

import hashlib
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlist.keyfile import (
    KeyFileInvalid,
    keyfile_read,
    keyfile_write,
    keyset_sha256,
    leaf_data,
    tree_leaves,
)
from unlist.keyset import KeySet, as_keys, is_ascending, sorted_unique
from unlist.merkle import leaf_hash

KEYS = [hashlib.sha256(bytes([n])).digest()[:16] for n in range(50)] + [b"\xff" * 15 + b"\0"]


def test_keys_come_back_ascending_and_once(tmp_path: Path) -> None:
    path = tmp_path / "keys-url.parquet"
    facts = keyfile_write(path, [*KEYS, *KEYS[:7]])
    assert keyfile_read(path).tolist() == sorted(KEYS)
    data = path.read_bytes()
    assert (facts.rows, facts.bytes) == (len(KEYS), len(data))
    assert facts.sha256 == hashlib.sha256(data).hexdigest()


def test_the_same_keys_give_the_same_bytes(tmp_path: Path) -> None:
    shapes: list[Any] = [
        KEYS,
        KEYS[::-1],
        np.array(KEYS, dtype="V16"),
        np.array(KEYS, dtype="S16"),
        np.frombuffer(b"".join(KEYS), np.uint8).reshape(-1, 16),
    ]
    for n, keys in enumerate(shapes):
        keyfile_write(tmp_path / str(n), keys)
    assert len({(tmp_path / str(n)).read_bytes() for n in range(len(shapes))}) == 1


def test_the_file_is_laid_out_as_specified(tmp_path: Path) -> None:
    path = tmp_path / "keys-url.parquet"
    keyfile_write(path, KEYS)
    parquet = pq.ParquetFile(path)
    column = parquet.schema.column(0)
    assert (column.name, column.physical_type, column.length) == ("key", "FIXED_LEN_BYTE_ARRAY", 16)
    assert column.max_definition_level == 0  # not null
    chunk = parquet.metadata.row_group(0).column(0)
    assert (chunk.compression, chunk.has_dictionary_page) == ("ZSTD", False)
    assert set(chunk.encodings) <= {"PLAIN", "RLE"}
    rows = duckdb.execute("SELECT key FROM read_parquet(?)", [str(path)]).fetchall()
    assert [row[0] for row in rows] == sorted(KEYS)


def test_an_empty_file_of_keys(tmp_path: Path) -> None:
    assert keyfile_write(tmp_path / "k", []).rows == 0
    assert len(keyfile_read(tmp_path / "k")) == 0
    assert keyset_sha256([]) == hashlib.sha256(b"").hexdigest()


def test_keys_of_another_length_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        keyfile_write(tmp_path / "k", [b"short"])
    with pytest.raises(ValueError, match="16 bytes"):
        keyfile_write(tmp_path / "k", np.zeros((2, 20), np.uint8))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (pa.table({"key": pa.array(sorted(KEYS, reverse=True), pa.binary(16))}), "ascending"),
        (pa.table({"key": pa.array([KEYS[0], KEYS[0]], pa.binary(16))}), "ascending"),
        (pa.table({"key": pa.array([None, KEYS[0]], pa.binary(16))}), "null key"),
        (pa.table({"key": pa.array([b"x" * 8], pa.binary(8))}), "16 bytes"),
        (pa.table({"hash": pa.array(KEYS[:1], pa.binary(16))}), "one column 'key'"),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused(tmp_path: Path, table: pa.Table, words: str) -> None:
    pq.write_table(table, tmp_path / "k.parquet")
    with pytest.raises(KeyFileInvalid, match=words):
        keyfile_read(tmp_path / "k.parquet")


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "k.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(KeyFileInvalid, match=r"k\.parquet cannot be read"):
        keyfile_read(tmp_path / "k.parquet")
    with pytest.raises(KeyFileInvalid, match="cannot be read"):
        keyfile_read(tmp_path / "absent.parquet")


def test_the_set_digest_and_the_leaves_go_by_path() -> None:
    ordered = sorted_unique(as_keys(KEYS))
    urls, digests = ordered[:20], ordered[10:]
    data = b"".join([*digests.tolist(), *urls.tolist()])  # keys-md5 before keys-url
    pairs = [("keys-url.parquet", urls), ("keys-md5.parquet", digests)]
    assert keyset_sha256(pairs) == hashlib.sha256(data).hexdigest()
    leaves = tree_leaves([(path, path[5:-8], keys) for path, keys in pairs])
    assert leaves[0] == leaf_hash(b"md5\n" + digests.tolist()[0])
    assert leaves[-1] == leaf_hash(leaf_data("url", urls.tolist()[-1]))
    assert len(leaves) == len(urls) + len(digests)


@given(st.lists(st.binary(min_size=16, max_size=16)), st.lists(st.binary(min_size=16, max_size=16)))
def test_the_key_set_is_a_set(listed: list[bytes], asked: list[bytes]) -> None:
    asked += listed[::2]
    keys = KeySet(sorted_unique(as_keys(listed)))
    assert len(keys) == len(set(listed))
    assert keys.contains(as_keys(asked)).tolist() == [key in set(listed) for key in asked]


def test_keys_that_share_their_first_half_are_told_apart() -> None:
    listed = [b"same-8-b" + n.to_bytes(8, "big") for n in range(0, 40, 2)]
    asked = [b"same-8-b" + n.to_bytes(8, "big") for n in range(40)]
    found = KeySet(as_keys(listed)).contains(as_keys(asked))
    assert found.tolist() == [n % 2 == 0 for n in range(40)]


def test_a_key_set_needs_order() -> None:
    assert not is_ascending(as_keys([KEYS[0], KEYS[0]]))
    with pytest.raises(ValueError, match="ascending and unique"):
        KeySet(as_keys(sorted(KEYS, reverse=True)))
