"""What every reader must do, whatever its format: each format's test inherits it.

To test a new format, write a class with a ``folder`` fixture that makes a healthy dataset of at
least one row, and name the format.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from shards import BATCH_SCHEMA, ShardReader, open_dataset
from shards.reasons import REASONS, rows_refused


class ReaderContract:
    format: str

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        raise NotImplementedError

    @pytest.fixture
    def reader(self, folder: Path) -> ShardReader:
        return open_dataset(str(folder), self.format)

    def test_facts_agree_with_the_shards(self, reader: ShardReader) -> None:
        facts, shards = reader.describe(), reader.shards()
        assert facts.format == self.format
        assert facts.shards == len(shards)
        assert facts.rows == sum(shard.rows for shard in shards) > 0

    def test_every_signal_is_told_with_a_reason(self, reader: ShardReader) -> None:
        signals = reader.describe().signals
        assert [one.name for one in signals] == ["digest", "hash", "embedding", "geometry"]
        assert all(one.reason for one in signals)

    def test_every_row_is_in_a_batch_or_counted(self, reader: ShardReader) -> None:
        for shard in reader.shards():
            refused: Counter[str] = Counter()
            rows = sum(len(batch) for batch in reader.batches(shard, refused=refused))
            assert rows + rows_refused(refused) == shard.rows
            assert set(refused) <= set(REASONS)

    def test_what_is_known_beforehand_comes_true(self, reader: ShardReader) -> None:
        refused: Counter[str] = Counter()
        for shard in reader.shards():
            for _ in reader.batches(shard, refused=refused):
                pass
        known = reader.describe().refused
        assert {code: refused[code] for code in known} == dict(known)

    def test_batches_have_the_schema_and_no_null_key(self, reader: ShardReader) -> None:
        for batch in _batches(reader):
            assert batch.schema == BATCH_SCHEMA
            assert batch.column("key").null_count == 0

    def test_batches_are_as_small_as_asked(self, reader: ShardReader) -> None:
        shard = max(reader.shards(), key=lambda one: one.rows)
        small = list(reader.batches(shard, rows=2, refused=Counter()))
        whole = list(reader.batches(shard, refused=Counter()))
        assert all(0 < len(batch) <= 2 for batch in small)
        assert pa.Table.from_batches(small) == pa.Table.from_batches(whole)

    def test_a_picture_is_read_again_by_its_place(self, reader: ShardReader) -> None:
        rows = [row for batch in _batches(reader) for row in batch.to_pylist()]
        assert rows
        for row in rows:
            place = (row["shard"], row["key"], row["index"], row["offset"])
            assert reader.read_image(*place) == row["image"]

    def test_a_picture_of_another_key_is_not_given_out(self, reader: ShardReader) -> None:
        row = next(_batches(reader)).to_pylist()[0]
        assert reader.read_image(row["shard"], "another", row["index"], row["offset"]) is None
        assert reader.read_image("another", row["key"], row["index"], row["offset"]) is None

    def test_a_rewritten_file_changes_the_identity(self, reader: ShardReader, folder: Path) -> None:
        before = [shard.identity for shard in reader.shards()]
        for path in [path for path in folder.rglob("*") if path.is_file()]:
            path.write_bytes(path.read_bytes() + b"\0" * 1024)
        after = [shard.identity for shard in open_dataset(str(folder), self.format).shards()]
        assert len(before) == len(after)
        assert all(old != new for old, new in zip(before, after, strict=True))

    def test_identity_stays_while_nothing_changes(self, reader: ShardReader, folder: Path) -> None:
        again = open_dataset(str(folder), self.format).shards()
        assert [one.identity for one in reader.shards()] == [one.identity for one in again]


def _batches(reader: ShardReader) -> Iterator[pa.RecordBatch]:
    for shard in reader.shards():
        yield from reader.batches(shard, refused=Counter())
