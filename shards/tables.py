"""Datasets whose shards are metadata tables: what their readers have in common.

A reader of one more such form derives from ``TableReader`` and says what differs.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import ClassVar, Final

import pyarrow as pa

from shards.metadata import Told, batch_of, rows_told, run_of
from shards.parquet import TableFacts, TableUnreadable, table_batches, table_facts
from shards.reader import TABLE_ROWS, DatasetFacts, EmbeddingFacts, ShardFacts, Signal
from shards.storage import Folder, side_by_side
from unlist.formats import DatasetFormat, Layout, ShardFiles

_NO_IMAGES: Final = "the dataset's files hold no images"


class TableReader:
    """A folder with parquet tables of URLs, and whatever else their makers recorded."""

    format: ClassVar[DatasetFormat]

    def __init__(self, folder: Folder, layout: Layout, encoder: str = "") -> None:
        """Read ``layout`` in ``folder``; ``encoder`` is the one that the operator named."""
        self._folder = folder
        self._layout = layout
        self._encoder = encoder
        self._files = {files.name: files for files in layout.shards}

    def describe(self) -> DatasetFacts:
        """See ``ShardReader.describe``."""
        tables = [facts for facts in self._tables.values() if facts is not None]
        embeddings = self._embeddings()
        return DatasetFacts(
            format=self.format,
            shards=len(self._files),
            rows=sum(facts.rows for facts in tables),
            columns=tuple(dict.fromkeys(name for facts in tables for name in facts.names)),
            signals=(
                digest_signal(tables),
                self._hash_signal(tables),
                self._embedding_signal(embeddings),
                self._geometry_signal(),
            ),
            refused=dict(self._known_refusals()),
            embeddings=embeddings,
        )

    def shards(self) -> Sequence[ShardFacts]:
        """See ``ShardReader.shards``."""
        return side_by_side(self._shard, list(self._files))

    def batches(
        self, shard: ShardFacts, *, rows: int | None = None, refused: Counter[str]
    ) -> Iterator[pa.RecordBatch]:
        """See ``ShardReader.batches``."""
        files = self._files[shard.name]
        facts = self._facts(files)
        if files.table is None or facts is None:
            refused["table_unreadable" if files.table else "table_missing"] += 1
            return
        told = Told.of(facts.names, self.format)
        if not self._covered(files, told):
            refused["url_column_missing"] += facts.rows
            return
        try:
            yield from self._batches(files, facts, told, rows, refused)
        except TableUnreadable:  # since its footer was read
            refused["row_unreadable"] += facts.rows

    def read_image(
        self,
        shard: str,  # noqa: ARG002
        key: str,  # noqa: ARG002
        index: int,  # noqa: ARG002
        offset: int | None,  # noqa: ARG002
    ) -> bytes | None:
        """See ``ShardReader.read_image``: tables of URLs hold no image."""
        return None

    def _batches(
        self,
        files: ShardFiles,
        facts: TableFacts,  # noqa: ARG002  # readers of embeddings compare
        told: Told,
        rows: int | None,
        refused: Counter[str],
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a table that is there and has something to find them by."""
        most = rows or TABLE_ROWS
        assert files.table is not None  # noqa: S101
        for first, batch in table_batches(
            self._folder, files.table, told.wanted, most=most, refused=refused
        ):
            yield batch_of(
                rows_told(
                    batch,
                    told,
                    shard=files.name,
                    places=run_of(first, batch.num_rows),
                    refused=refused,
                )
            )

    def _covered(self, files: ShardFiles, told: Told) -> bool:  # noqa: ARG002
        """Whether there is anything to find a shard's rows by."""
        return told.identifies

    def _embeddings(self) -> tuple[EmbeddingFacts, ...]:
        """The embeddings that the dataset publishes."""
        return ()

    def _hash_signal(self, tables: Sequence[TableFacts]) -> Signal:
        return recorded_hash_signal(tables) or Signal(
            "hash", False, f"the tables record no phash or pdq, and {_NO_IMAGES}"
        )

    def _embedding_signal(self, embeddings: Sequence[EmbeddingFacts]) -> Signal:  # noqa: ARG002
        if self._layout.arrays:
            return Signal(
                "embedding",
                False,
                f"arrays lie beside the tables ({self._layout.arrays[0]}), which this format does "
                "not read: see clip-retrieval and datacomp",
            )
        return Signal("embedding", False, f"no embeddings are published, and {_NO_IMAGES}")

    def _geometry_signal(self) -> Signal:
        return Signal("geometry", False, _NO_IMAGES)

    @cached_property
    def _tables(self) -> dict[str, TableFacts | None]:
        """Facts of each shard's table; ``None`` where there is none or it cannot be read."""
        names = list(self._files)
        facts = side_by_side(lambda name: self._look(self._files[name]), names)
        return dict(zip(names, facts, strict=True))

    def _facts(self, files: ShardFiles) -> TableFacts | None:
        """One table's facts, without looking at all the others for it."""
        return self._tables[files.name] if "_tables" in self.__dict__ else self._look(files)

    def _look(self, files: ShardFiles) -> TableFacts | None:
        try:
            return table_facts(self._folder, files.table) if files.table else None
        except TableUnreadable:
            return None

    def _shard(self, name: str) -> ShardFacts:
        files, facts = self._files[name], self._tables[name]
        read = [one for one in (files.table, files.embeddings) if one is not None]
        return ShardFacts(
            name=name,
            rows=facts.rows if facts else 0,
            bytes=sum(self._folder.sizes[one] for one in read),
            identity={one: self._folder.identity(one) for one in read},
        )

    def _known_refusals(self) -> Counter[str]:
        known: Counter[str] = Counter()
        for name, files in self._files.items():
            facts = self._tables[name]
            if facts is None:
                known["table_unreadable" if files.table else "table_missing"] += 1
            elif not self._covered(files, Told.of(facts.names, self.format)):
                known["url_column_missing"] += facts.rows
        return known


def digest_signal(tables: Sequence[TableFacts]) -> Signal:
    """Whether the tables record digests of the downloads."""
    kinds = [
        kind for kind in ("sha256", "md5") if any(getattr(facts.columns, kind) for facts in tables)
    ]
    if kinds:
        recorded = " and ".join(kinds)
        return Signal("digest", True, f"the tables record the {recorded} of each download")
    if any(facts.columns.url for facts in tables):
        return Signal(
            "digest",
            False,
            "the tables record no sha256 or md5: rows are found by the URLs that people name",
        )
    return Signal("digest", False, "the tables record no sha256, md5 or URL")


def recorded_hash_signal(tables: Sequence[TableFacts]) -> Signal | None:
    """The hashes that tables record, if any do."""
    kinds = [
        kind for kind in ("phash", "pdq") if any(getattr(facts.columns, kind) for facts in tables)
    ]
    if not kinds:
        return None
    return Signal("hash", True, f"the tables record the {' and '.join(kinds)} of each image")
