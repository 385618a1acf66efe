"""What every reader must do, whatever its format: each format's test inherits it.

To test a new format, write a class with a ``folder`` fixture that makes a healthy dataset of at
least one row, and name the format.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest

from shards import BATCH_SCHEMA, ShardReader, open_dataset
from shards.reasons import REASONS, rows_refused


class ReaderContract:
    format: str
    encoder = ""
    pictures = True
    """Whether the dataset holds pictures."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        raise NotImplementedError

    @pytest.fixture
    def reader(self, folder: Path) -> ShardReader:
        return self.opened(str(folder))

    def opened(self, path: str) -> ShardReader:
        return open_dataset(path, self.format, encoder=self.encoder)

    def test_facts_agree_with_the_shards(self, reader: ShardReader) -> None:
        facts, shards = reader.describe(), reader.shards()
        assert facts.format == self.format == reader.format
        assert facts.shards == len(shards)
        assert facts.rows == sum(shard.rows for shard in shards) > 0
        assert all(shard.bytes > 0 for shard in shards)

    def test_every_signal_is_told_with_a_reason(self, reader: ShardReader) -> None:
        signals = reader.describe().signals
        assert [one.name for one in signals] == ["digest", "hash", "embedding", "geometry"]
        assert all(one.reason for one in signals)

    def test_signals_are_what_the_rows_bear_out(self, reader: ShardReader) -> None:
        told = {one.name: one.available for one in reader.describe().signals}
        rows = list(rows_of(reader))
        given = {name: any(row[name] is not None for row in rows) for name in BATCH_SCHEMA.names}
        assert told["digest"] == (given["sha256"] or given["md5"])
        assert told["hash"] == (given["image"] or given["phash"] or given["pdq"])
        assert told["embedding"] == (given["image"] or given["embedding"])
        assert told["geometry"] == given["image"] == self.pictures

    def test_every_row_is_in_a_batch_or_counted(self, reader: ShardReader) -> None:
        for shard in reader.shards():
            refused: Counter[str] = Counter()
            rows = sum(len(batch) for batch in reader.batches(shard, refused=refused))
            assert rows + rows_refused(refused) == shard.rows
            assert set(refused) <= set(REASONS)
            assert all(count > 0 for count in refused.values())

    def test_what_is_known_beforehand_comes_true(self, reader: ShardReader) -> None:
        refused: Counter[str] = Counter()
        for shard in reader.shards():
            for _ in reader.batches(shard, refused=refused):
                pass
        known = reader.describe().refused
        assert {code: refused[code] for code in known} == dict(known)

    def test_batches_have_the_schema_and_no_null_key(self, reader: ShardReader) -> None:
        for batch in batches_of(reader):
            batch.validate(full=True)
            assert batch.schema == BATCH_SCHEMA
            assert batch.column("key").null_count == 0

    def test_a_place_is_given_once_and_lies_in_the_shard(self, reader: ShardReader) -> None:
        sizes = {shard.name: shard.rows for shard in reader.shards()}
        places = [(row["shard"], row["index"]) for row in rows_of(reader)]
        assert len(set(places)) == len(places)
        assert all(0 <= index < sizes[shard] for shard, index in places)

    def test_embeddings_have_the_length_that_was_told(self, reader: ShardReader) -> None:
        told = {one.dim for one in reader.describe().embeddings if one.used}
        found = {len(row["embedding"]) for row in rows_of(reader) if row["embedding"]}
        assert found == told

    def test_batches_are_as_small_as_asked(self, reader: ShardReader) -> None:
        shard = max(reader.shards(), key=lambda one: one.rows)
        small = list(reader.batches(shard, rows=2, refused=Counter()))
        whole = list(reader.batches(shard, refused=Counter()))
        assert all(0 < len(batch) <= 2 for batch in small)
        assert pa.Table.from_batches(small) == pa.Table.from_batches(whole)

    def test_a_picture_is_read_again_by_its_place(self, reader: ShardReader) -> None:
        for row in rows_of(reader):
            place = (row["shard"], row["key"], row["index"], row["offset"])
            assert reader.read_image(*place) == row["image"]
            assert (row["image"] is not None) == self.pictures

    def test_a_picture_of_another_key_is_not_given_out(self, reader: ShardReader) -> None:
        row = next(rows_of(reader))
        assert reader.read_image(row["shard"], "another", row["index"], row["offset"]) is None
        assert reader.read_image("another", row["key"], row["index"], row["offset"]) is None

    def test_a_rewritten_file_changes_the_identity(self, reader: ShardReader, folder: Path) -> None:
        before = [shard.identity for shard in reader.shards()]
        for path in files_in(folder):
            path.write_bytes(path.read_bytes() + b"\0" * 1024)
        after = [shard.identity for shard in self.opened(str(folder)).shards()]
        assert len(before) == len(after)
        assert all(old != new for old, new in zip(before, after, strict=True))

    def test_identity_stays_while_nothing_changes(self, reader: ShardReader, folder: Path) -> None:
        again = self.opened(str(folder)).shards()
        assert [one.identity for one in reader.shards()] == [one.identity for one in again]

    def test_another_storage_gives_the_same_rows(self, reader: ShardReader, folder: Path) -> None:
        there = fsspec.filesystem("memory")
        root = f"/contract/{id(folder)}"
        for path in files_in(folder):
            there.pipe(f"{root}/{path.relative_to(folder).as_posix()}", path.read_bytes())
        try:
            other = self.opened(f"memory:/{root}")
            assert other.shards() == reader.shards()
            assert list(rows_of(other)) == list(rows_of(reader))
            row = next(rows_of(other))
            place = (row["shard"], row["key"], row["index"], row["offset"])
            assert other.read_image(*place) == row["image"]
        finally:
            there.rm(root, recursive=True)

    @pytest.mark.parametrize("kept", [0.0, 0.5, 0.95])
    def test_a_damaged_file_costs_its_own_shard_only(
        self, reader: ShardReader, folder: Path, kept: float
    ) -> None:
        whole = {shard.name: shard for shard in reader.shards()}
        rows = list(rows_of(reader))
        for path in files_in(folder):
            data = path.read_bytes()
            path.write_bytes(data[: int(len(data) * kept)])
            damaged = self.opened(str(folder))
            assert damaged.describe().shards == len(whole)
            same = {one.name for one in damaged.shards() if one == whole[one.name]}
            assert len(same) >= len(whole) - 1
            for shard in damaged.shards():
                refused: Counter[str] = Counter()
                read = sum(len(batch) for batch in damaged.batches(shard, refused=refused))
                assert read + rows_refused(refused) == shard.rows
                if shard.name in same:
                    assert read == sum(row["shard"] == shard.name for row in rows)
                elif read < sum(row["shard"] == shard.name for row in rows):
                    assert refused or shard.rows < whole[shard.name].rows
            path.write_bytes(data)

    def test_reading_writes_nothing(self, reader: ShardReader, folder: Path) -> None:
        before = {path: path.stat().st_mtime_ns for path in folder.parent.rglob("*")}
        reader.describe()
        assert list(rows_of(reader))
        assert {path: path.stat().st_mtime_ns for path in folder.parent.rglob("*")} == before


def read_dataset(
    folder: Path, form: str, *, encoder: str = ""
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """All rows of a dataset, and what was refused; together they are its rows."""
    reader = open_dataset(str(folder), form, encoder=encoder)
    rows: list[dict[str, Any]] = []
    refused: Counter[str] = Counter()
    total = 0
    for shard in reader.shards():
        total += shard.rows
        for batch in reader.batches(shard, refused=refused):
            rows += batch.to_pylist()
    assert len(rows) + rows_refused(refused) == total
    return rows, refused


def read_by_key(folder: Path, form: str) -> tuple[dict[str, dict[str, Any]], Counter[str]]:
    """The same, of a dataset whose keys name one row each."""
    rows, refused = read_dataset(folder, form)
    by_key = {row["key"]: row for row in rows}
    assert len(by_key) == len(rows)
    return by_key, refused


def batches_of(reader: ShardReader) -> Iterator[pa.RecordBatch]:
    for shard in reader.shards():
        yield from reader.batches(shard, refused=Counter())


def rows_of(reader: ShardReader) -> Iterator[dict[str, Any]]:
    for batch in batches_of(reader):
        yield from batch.to_pylist()


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
