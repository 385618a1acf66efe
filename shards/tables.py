"""Datasets whose shards are metadata tables: what their readers have in common.

A reader of one more such form derives from ``TableReader`` and says what differs.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pyarrow as pa

from shards.metadata import Told, batch_of, rows_told, run_of
from shards.parquet import TableFacts, TableUnreadable, table_batches
from shards.reader import TABLE_ROWS, EmbeddingFacts, ShardFacts, Signal
from shards.tabled import TabledReader, digest_signal, no_table, recorded
from unlist.formats import ShardFiles

_NO_IMAGES: Final = "the dataset's files hold no images"


class TableReader(TabledReader):
    """A folder with parquet tables of URLs, and whatever else their makers recorded."""

    def batches(
        self, shard: ShardFacts, *, rows: int | None = None, refused: Counter[str]
    ) -> Iterator[pa.RecordBatch]:
        """See ``ShardReader.batches``."""
        files = self._files[shard.name]
        facts = self._facts(files)
        if files.table is None or facts is None:
            refused[no_table(files)] += 1
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

    def _signals(self, tables: Sequence[TableFacts]) -> tuple[Signal, ...]:
        return (
            digest_signal(tables, _no_digests(tables)),
            self._hash_signal(tables),
            self._embedding_signal(self._embeddings()),
            self._geometry_signal(),
        )

    def _single(self, files: ShardFiles) -> tuple[str | None, ...]:
        return files.table, files.embeddings

    def _losses(self, files: ShardFiles, facts: TableFacts) -> Mapping[str, int]:
        covered = self._covered(files, Told.of(facts.names, self.format))
        return {} if covered else {"url_column_missing": facts.rows}

    def _hash_signal(self, tables: Sequence[TableFacts]) -> Signal:
        if kinds := recorded(("phash", "pdq"), tables):
            return Signal("hash", True, f"the tables record the {kinds} of each image")
        return Signal("hash", False, f"the tables record no phash or pdq, and {_NO_IMAGES}")

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

    def _facts(self, files: ShardFiles) -> TableFacts | None:
        """One table's facts, without looking at all the others for it."""
        return self._tables[files.name] if "_tables" in self.__dict__ else self._look(files)


def _no_digests(tables: Sequence[TableFacts]) -> str:
    if recorded(("url",), tables):
        return "the tables record no sha256 or md5: rows are found by the URLs that people name"
    return "the tables record no sha256, md5 or URL"
