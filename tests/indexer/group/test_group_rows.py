"""The row table: written in any pieces, read row by row."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from indexer.evidence.hits import Row
from indexer.group import rows as group_rows
from indexer.group.rows import RowTable, RowTableWriter
from indexer.storage import layout


def entries(numbers: range) -> list[dict[str, Any]]:
    return [
        {
            "key": str(number),
            "shard": "00000",
            "index": number,
            "url": None if number % 3 else f"https://example.org/{number}",
            "sha256": None,
            "md5": None,
            "offset": number * 512,
        }
        for number in numbers
    ]


@pytest.mark.parametrize("pieces", [[], [1], [8], [3, 3, 3], [5, 20, 1, 0, 30], [16, 16]])
def test_rows_come_back_however_they_were_written(
    tmp_path: Path, pieces: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_rows, "BATCH_ROWS", 8)
    facts = entries(range(sum(pieces)))
    with RowTableWriter(tmp_path / "rows.arrow") as writer:
        start = 0
        for size in pieces:
            part = facts[start : start + size]
            writer.append(pa.RecordBatch.from_pylist(part, layout.ROW_SCHEMA))
            start += size
    table = RowTable(tmp_path / "rows.arrow")
    assert table.num_rows == len(facts)
    every = np.arange(len(facts), dtype=np.uint32)
    assert table.take(every) == [Row(**fact) for fact in facts]
    assert table.take(every[::5]) == [Row(**fact) for fact in facts[::5]]
    assert table.take(every[:0]) == []


def test_a_table_of_other_columns_or_batches_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, pa.schema({"a": pa.int8()})):
        pass
    with pytest.raises(ValueError, match="other columns"):
        RowTable(path)
    with (
        pa.OSFile(str(path), "wb") as sink,
        pa.ipc.new_file(sink, layout.ROW_SCHEMA) as file,
    ):
        for _ in range(2):
            file.write_batch(pa.RecordBatch.from_pylist(entries(range(3)), layout.ROW_SCHEMA))
    with pytest.raises(ValueError, match="other lengths"):
        RowTable(path)
