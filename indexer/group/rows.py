"""The row table of a group: where each row lies in its dataset, and what the dataset records.

An Arrow IPC file, memory-mapped: by us, for Arrow's own map has the kernel fetch every batch that
is opened, the whole table before the first look-up. Every batch in it but the last has `BATCH_ROWS`
rows, so that a row's batch follows from its number, and a look-up touches the pages of that row
alone.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from indexer.evidence.hits import Row
from indexer.storage import layout
from indexer.storage.mapped import map_scattered

BATCH_ROWS: Final = 1 << 16


class RowTable:
    """A row table, mapped into memory.

    Attributes:
        num_rows: how many rows it has.
    """

    def __init__(self, path: Path) -> None:
        """Map a table that `RowTableWriter` wrote.

        Raises:
            ValueError, pyarrow.ArrowException, OSError: it is none.
        """
        reader = pa.ipc.open_file(pa.py_buffer(map_scattered(path)))
        if reader.schema != layout.ROW_SCHEMA:
            raise ValueError("the row table has other columns")
        self._batches = [reader.get_batch(at) for at in range(reader.num_record_batches)]
        if any(batch.num_rows != BATCH_ROWS for batch in self._batches[:-1]):
            raise ValueError("the row table's batches have other lengths")
        self.num_rows = sum(batch.num_rows for batch in self._batches)

    def take(self, rows: NDArray[np.uint32]) -> list[Row]:
        """The entries of these rows, which rise."""
        return [Row(**facts) for part in self._parts(rows) for facts in part.to_pylist()]

    def _parts(self, rows: NDArray[np.uint32]) -> Iterator[pa.RecordBatch]:
        homes = rows // BATCH_ROWS
        for home in np.unique(homes):
            inside = rows[homes == home] % BATCH_ROWS
            yield self._batches[home].take(pa.array(inside))


class RowTableWriter(AbstractContextManager["RowTableWriter"]):
    """Writes a row table from batches of any size, holding one batch of the table in memory."""

    def __init__(self, path: Path) -> None:
        self._sink = pa.OSFile(str(path), "wb")
        self._file = pa.ipc.new_file(self._sink, layout.ROW_SCHEMA)
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0

    def append(self, batch: pa.RecordBatch) -> None:
        """Write rows behind those that are there."""
        self._waiting.append(batch)
        self._rows += batch.num_rows
        if self._rows >= BATCH_ROWS:
            self._write(whole=False)

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._write(whole=True)
        self._file.close()
        self._sink.close()

    def _write(self, *, whole: bool) -> None:
        """Write the batches that are full, and if `whole` the rest too."""
        table = pa.Table.from_batches(self._waiting, layout.ROW_SCHEMA).combine_chunks()
        full = self._rows if whole else self._rows - self._rows % BATCH_ROWS
        self._file.write_table(table.slice(0, full), max_chunksize=BATCH_ROWS)
        self._waiting = table.slice(full).to_batches()
        self._rows -= full
