"""A dataset's parquet tables, read a few rows at a time from wherever they lie.

A damaged page costs its row group; the rest of the table is read.  Row groups may be of any size:
pages are read through a small buffer, never a column at once.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from shards.reader import MAX_BATCH_BYTES
from shards.storage import Folder
from unlist.formats import Columns, find_columns

_T = TypeVar("_T")
# What one column is read by: a request of a bucket each, and no more memory than that.
_BUFFER_BYTES: Final = 4 * 1024 * 1024
_FEW_ROWS: Final = 64


class TableUnreadable(ValueError):
    """The file is no whole parquet file, or the disk cannot give it."""


@dataclass(frozen=True)
class TableFacts:
    """A table told by its footer: rows and columns; ``failed`` counts rows known to be failed."""

    rows: int
    names: tuple[str, ...]
    failed: "Counter[str]"

    @property
    def columns(self) -> Columns:
        """Which column plays which role."""
        return find_columns(self.names)


def table_facts(folder: Folder, name: str) -> TableFacts:
    """Look at a table's footer.

    Raises:
        TableUnreadable: see there.
    """
    return with_parquet(
        folder,
        name,
        lambda table: TableFacts(
            table.metadata.num_rows, tuple(table.schema_arrow.names), Counter()
        ),
    )


def with_parquet(folder: Folder, name: str, use: Callable[[pq.ParquetFile], _T]) -> _T:
    """What ``use`` makes of an opened table, all errors being of one kind.

    Raises:
        TableUnreadable: see there.
    """
    try:
        with (
            folder.pick(name) as file,
            pq.ParquetFile(file, buffer_size=_BUFFER_BYTES, pre_buffer=False) as parquet,
        ):
            return use(parquet)
    except (OSError, pa.ArrowException) as error:
        raise TableUnreadable(name) from error


def table_batches(
    folder: Folder, name: str, columns: Sequence[str], *, most: int, refused: Counter[str]
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Some columns of a table, in order, with the number of each batch's first row.

    Args:
        folder: where the table lies.
        name: the table.
        columns: names as the table spells them.
        most: rows in a batch; fewer where rows are large, so that few weigh ``MAX_BATCH_BYTES``.
        refused: counted up under ``row_unreadable`` where a row group breaks off.

    Raises:
        TableUnreadable: the table cannot be opened; none of its rows were given.
    """
    try:
        file = folder.pick(name)
        table = pq.ParquetFile(file, buffer_size=_BUFFER_BYTES, pre_buffer=False)
    except (OSError, pa.ArrowException) as error:
        raise TableUnreadable(name) from error
    with file, table:
        first = 0
        for group in range(table.num_row_groups):
            for done, batch in _group_batches(table, group, columns, most, refused):
                yield first + done, batch
            first += table.metadata.row_group(group).num_rows


def _group_batches(
    table: pq.ParquetFile,
    group: int,
    columns: Sequence[str],
    most: int,
    refused: Counter[str],
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """A row group's batches, with the number of each one's first row within the group."""
    rows = table.metadata.row_group(group).num_rows
    done = 0
    try:
        for batch in table.iter_batches(
            batch_size=_rows_at_once(table, group, columns, most),
            row_groups=[group],
            columns=list(columns),
        ):
            yield done, batch
            done += batch.num_rows
    except (OSError, pa.ArrowException):
        refused["row_unreadable"] += rows - done


def _rows_at_once(table: pq.ParquetFile, group: int, columns: Sequence[str], most: int) -> int:
    """Fewer rows a batch where they are large (images in a column), by what the footer says."""
    meta = table.metadata.row_group(group)
    chunks = (meta.column(number) for number in range(meta.num_columns))
    weight = sum(c.total_uncompressed_size for c in chunks if c.path_in_schema in columns)
    each = weight / max(1, meta.num_rows)
    return int(max(1, min(most, MAX_BATCH_BYTES / 2 / max(1, each))))


def table_row(
    folder: Folder, name: str, columns: Sequence[str], index: int
) -> pa.RecordBatch | None:
    """Some columns of row ``index``; ``None`` where the table has no such row.

    Only the row group that holds it is read, and that only as far as the row.

    Raises:
        TableUnreadable: see there.
    """

    def find(table: pq.ParquetFile) -> pa.RecordBatch | None:
        first = 0
        for group in range(table.num_row_groups):
            rows = table.metadata.row_group(group).num_rows
            if first <= index < first + rows:
                return _row_of(table, group, columns, index - first)
            first += rows
        return None

    return with_parquet(folder, name, find)


def _row_of(
    table: pq.ParquetFile, group: int, columns: Sequence[str], row: int
) -> pa.RecordBatch | None:
    most = _rows_at_once(table, group, columns, _FEW_ROWS)
    for batch in table.iter_batches(
        batch_size=most, row_groups=[group], columns=list(columns), use_threads=False
    ):
        if row < batch.num_rows:
            return batch.slice(row, 1)
        row -= batch.num_rows
    return None
