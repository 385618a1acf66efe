"""Parquet tables: reading what identifies rows, and writing a table with rows left out.

The rewritten table keeps what the writer chose: schema and its metadata, codec per column, which
columns are dictionary-encoded, page format version, sort order, and the row groups' bounds less the
rows dropped.  Memory is bounded: a batch at a time is read, and a row group (at most
``_GROUP_BYTES``) is gathered before it is written.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from unlist.formats.refused import DatasetRefused

_BATCH_ROWS: Final = 65_536
_GROUP_BYTES: Final = 256 << 20


class TableBroken(DatasetRefused):
    """A parquet file is cut off, damaged or none at all; the message names it."""


def table_open(path: Path) -> pq.ParquetFile:
    """Open a parquet file; only its footer is read.

    Raises:
        TableBroken: it is no intact parquet file.
    """
    try:
        return pq.ParquetFile(path, memory_map=False)
    except (pa.ArrowException, OSError) as error:
        raise _broken(path, error) from error


def table_batches(
    path: Path, table: pq.ParquetFile, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """The named columns of every row, in order, in batches of at most 65,536 rows.

    Raises:
        TableBroken: a page cannot be read.
    """
    try:
        yield from table.iter_batches(batch_size=_BATCH_ROWS, columns=list(columns))
    except (pa.ArrowException, OSError) as error:
        raise _broken(path, error) from error


def table_rewrite(source: Path, target: Path, dropped: npt.NDArray[np.int64]) -> int:
    """Write ``source`` without the rows at ``dropped`` to ``target``; gives the rows written.

    Args:
        source: an intact parquet file.
        target: where to write; overwritten.
        dropped: 0-based row numbers, ascending.

    Raises:
        TableBroken: ``source`` cannot be read to the end.
    """
    table = table_open(source)
    try:
        with pq.ParquetWriter(target, table.schema_arrow, **_writer_options(table)) as writer:
            for group in _groups(table, dropped):
                writer.write_table(group, row_group_size=max(1, group.num_rows))
    except (pa.ArrowException, OSError) as error:
        raise _broken(source, error) from error
    return table.metadata.num_rows - len(dropped)


def _groups(table: pq.ParquetFile, dropped: npt.NDArray[np.int64]) -> Iterator[pa.Table]:
    """The kept rows of each row group; a very large group in several parts."""
    start = 0
    for number in range(table.num_row_groups):
        gathered: list[pa.RecordBatch] = []
        for batch in table.iter_batches(batch_size=_rows_at_once(table), row_groups=[number]):
            gathered.append(_without(batch, start, dropped))
            start += batch.num_rows
            if sum(part.nbytes for part in gathered) > _GROUP_BYTES:
                yield pa.Table.from_batches(gathered)
                gathered = []
        if any(part.num_rows for part in gathered):
            yield pa.Table.from_batches(gathered)


def _rows_at_once(table: pq.ParquetFile) -> int:
    """Fewer rows a batch where rows are large (images in a column)."""
    groups = [table.metadata.row_group(n) for n in range(table.num_row_groups)]
    widest = max((g.total_byte_size / max(1, g.num_rows) for g in groups), default=1)
    return int(min(_BATCH_ROWS, max(64, (_GROUP_BYTES // 8) / max(1, widest))))


def _without(batch: pa.RecordBatch, start: int, dropped: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """The batch, whose first row is row ``start`` of the table, without the dropped rows."""
    low, high = np.searchsorted(dropped, [start, start + batch.num_rows])
    if low == high:
        return batch
    keep = np.ones(batch.num_rows, dtype=bool)
    keep[dropped[low:high] - start] = False
    return batch.filter(pa.array(keep))


def _writer_options(table: pq.ParquetFile) -> dict[str, Any]:
    """What makes pyarrow write as the source was written, as far as its footer tells."""
    meta = table.metadata
    options: dict[str, Any] = {
        "version": meta.format_version,
        "store_schema": b"ARROW:schema" in (meta.metadata or {}),
        "use_dictionary": False,
    }
    if not meta.num_row_groups:
        return options
    group = meta.row_group(0)
    chunks = [group.column(n) for n in range(group.num_columns)]
    options["compression"] = {c.path_in_schema: _codec(c.compression) for c in chunks}
    options["use_dictionary"] = [c.path_in_schema for c in chunks if c.has_dictionary_page]
    options["write_statistics"] = any(c.is_stats_set for c in chunks)
    options["use_deprecated_int96_timestamps"] = any(c.physical_type == "INT96" for c in chunks)
    options["sorting_columns"] = group.sorting_columns or None
    return options


def _codec(name: str) -> str:
    return "NONE" if name == "UNCOMPRESSED" else name


def _broken(path: Path, error: Exception) -> TableBroken:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return TableBroken(
        f"{path.name} is no intact parquet file ({reason}); fetch or write the file again."
    )
