"""What img2dataset's outputs with images beside a table have in common: rows joined on ``key``.

Each row of the table either has its image, is marked as failed by img2dataset, or is counted.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final

import pyarrow as pa

from shards.batches import Row, in_batches
from shards.parquet import TableFacts, TableUnreadable
from shards.reader import PICTURE_ROWS, ShardFacts, Signal
from shards.table import ShardTable, failed_rows, table_open
from shards.tabled import TabledReader, digest_signal, no_table
from unlist.formats import DatasetFormat, ShardFiles

_NO_DIGESTS: Final = (
    "the tables have no sha256 or md5 column (img2dataset ran with --compute_hash none)"
)


class JoinedReader(TabledReader):
    """A folder that img2dataset wrote; where the images lie is said by who derives from this."""

    format: ClassVar[DatasetFormat] = "img2dataset"

    def batches(
        self, shard: ShardFacts, *, rows: int | None = None, refused: Counter[str]
    ) -> Iterator[pa.RecordBatch]:
        """See ``ShardReader.batches``."""
        files = self._files[shard.name]
        try:
            table = table_open(self._folder, files.table, refused) if files.table else None
        except TableUnreadable:
            table = None
        if table is None:
            refused[no_table(files)] += 1
        elif table.has_keys:
            yield from in_batches(self._rows(files, table, refused), rows or PICTURE_ROWS)

    @abstractmethod
    def _rows(self, files: ShardFiles, table: ShardTable, refused: Counter[str]) -> Iterator[Row]:
        """The rows whose image is there; every other one is counted."""

    @abstractmethod
    def _image_signals(self, tables: Sequence[TableFacts]) -> tuple[Signal, Signal, Signal]:
        """Whether hashes, embeddings and geometry can be had from the images."""

    def _signals(self, tables: Sequence[TableFacts]) -> tuple[Signal, ...]:
        return digest_signal(tables, _NO_DIGESTS), *self._image_signals(tables)

    def _single(self, files: ShardFiles) -> tuple[str | None, ...]:
        return files.table, files.archive, files.stats

    def _losses(self, files: ShardFiles, facts: TableFacts) -> Mapping[str, int]:  # noqa: ARG002
        return facts.failed if facts.columns.key else {"key_column_missing": facts.rows}

    def _table_facts(self, table: str) -> TableFacts:
        return failed_rows(self._folder, table)


def row_stored(
    table: ShardTable,
    index: int,
    image: bytes | str,
    *,
    shard: str,
    key: str,
    refused: Counter[str],
) -> Row | None:
    """A row with its stored image; ``None`` where ``image`` is a code that says why there is none.

    Whatever is against the row, or against its image, is counted.
    """
    if isinstance(image, str):
        refused[image] += 1
        return None
    if table.failure(index):
        refused["status_contradicted"] += 1
    told = table.row(index, refused)
    return Row(key=key, shard=shard, offset=None, image=image, **vars(told))


def image_signals(why: str, *, stored: bool) -> tuple[Signal, Signal, Signal]:
    """The three ways of matching that need images, all there or all not, for one reason."""
    return (
        Signal("hash", stored, why),
        Signal("embedding", stored, why),
        Signal("geometry", stored, why),
    )
