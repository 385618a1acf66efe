"""What img2dataset's outputs with images beside a table have in common: rows joined on ``key``.

Each row of the table either has its image, is marked as failed by img2dataset, or is counted.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final

import pyarrow as pa

from shards.batches import Row, in_batches
from shards.parquet import TableFacts, TableUnreadable
from shards.reader import PICTURE_ROWS, DatasetFacts, ShardFacts, Signal
from shards.storage import Folder, side_by_side
from shards.table import ShardTable, failed_rows, table_open
from unlist.formats import Layout, ShardFiles


class JoinedReader:
    """A folder that img2dataset wrote; where the images lie is said by who derives from this."""

    format: Final = "img2dataset"

    def __init__(self, folder: Folder, layout: Layout, encoder: str = "") -> None:  # noqa: ARG002
        """Read ``layout`` in ``folder``; embeddings are computed, by whatever encoder."""
        self._folder = folder
        self._files = {files.name: files for files in layout.shards}

    def describe(self) -> DatasetFacts:
        """See ``ShardReader.describe``."""
        tables = [facts for facts in self._tables.values() if facts is not None]
        return DatasetFacts(
            format=self.format,
            shards=len(self._files),
            rows=sum(facts.rows for facts in tables),
            columns=tuple(dict.fromkeys(name for facts in tables for name in facts.names)),
            signals=(_digest_signal(tables), *self._image_signals(tables)),
            refused=dict(self._known_refusals()),
        )

    def shards(self) -> Sequence[ShardFacts]:
        """See ``ShardReader.shards``."""
        return side_by_side(self._shard, list(self._files))

    def batches(
        self, shard: ShardFacts, *, rows: int | None = None, refused: Counter[str]
    ) -> Iterator[pa.RecordBatch]:
        """See ``ShardReader.batches``."""
        files = self._files[shard.name]
        if files.table is None:
            refused["table_missing"] += 1
            return
        try:
            table = table_open(self._folder, files.table, refused)
        except TableUnreadable:
            refused["table_unreadable"] += 1
            return
        if table.has_keys:
            yield from in_batches(self._rows(files, table, refused), rows or PICTURE_ROWS)

    def _rows(self, files: ShardFiles, table: ShardTable, refused: Counter[str]) -> Iterator[Row]:
        """The rows whose image is there; every other one is counted."""
        raise NotImplementedError

    def _image_signals(self, tables: Sequence[TableFacts]) -> tuple[Signal, Signal, Signal]:
        """Whether hashes, embeddings and geometry can be had from the images."""
        raise NotImplementedError

    @cached_property
    def _tables(self) -> dict[str, TableFacts | None]:
        """Facts of each shard's table; ``None`` where there is none or it cannot be read."""
        names = list(self._files)
        facts = side_by_side(lambda name: self._facts(self._files[name]), names)
        return dict(zip(names, facts, strict=True))

    def _facts(self, files: ShardFiles) -> TableFacts | None:
        try:
            return failed_rows(self._folder, files.table) if files.table else None
        except TableUnreadable:
            return None

    def _shard(self, name: str) -> ShardFacts:
        files, facts = self._files[name], self._tables[name]
        single = [one for one in files.files if one not in files.images]
        identity = {one: self._folder.identity(one) for one in single}
        if files.images:
            identity[f"{name}/"] = self._folder.listing_identity(files.images)
        return ShardFacts(
            name=name,
            rows=facts.rows if facts else 0,
            bytes=sum(self._folder.sizes[one] for one in files.files),
            identity=identity,
        )

    def _known_refusals(self) -> Counter[str]:
        known: Counter[str] = Counter()
        for name, files in self._files.items():
            facts = self._tables[name]
            if facts is None:
                known["table_unreadable" if files.table else "table_missing"] += 1
            elif facts.columns.key is None:
                known["key_column_missing"] += facts.rows
            else:
                known.update(facts.failed)
        return known


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


def _digest_signal(tables: Sequence[TableFacts]) -> Signal:
    kinds = [
        kind for kind in ("sha256", "md5") if any(getattr(facts.columns, kind) for facts in tables)
    ]
    if kinds:
        recorded = " and ".join(kinds)
        return Signal("digest", True, f"the tables record the {recorded} of each download")
    return Signal(
        "digest",
        False,
        "the tables have no sha256 or md5 column (img2dataset ran with --compute_hash none)",
    )


def image_signals(why: str, *, stored: bool) -> tuple[Signal, Signal, Signal]:
    """The three ways of matching that need images, all there or all not, for one reason."""
    return (
        Signal("hash", stored, why),
        Signal("embedding", stored, why),
        Signal("geometry", stored, why),
    )
