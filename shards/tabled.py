"""Datasets with a metadata table for each shard: what all their readers have in common.

A reader derives from ``TabledReader`` by way of ``shards.tables``, where the table is the shard, or
of ``shards.joined``, where images lie beside it.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import ClassVar

import pyarrow as pa

from shards.parquet import TableFacts, TableUnreadable, table_facts
from shards.reader import DatasetFacts, EmbeddingFacts, ShardFacts, Signal
from shards.storage import Folder, side_by_side
from unlist.formats import DatasetFormat, Layout, ShardFiles


class TabledReader(ABC):
    """A folder whose shards have a table each: described by the tables, not by their rows."""

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
        return DatasetFacts(
            format=self.format,
            shards=len(self._files),
            rows=sum(facts.rows for facts in tables),
            columns=tuple(dict.fromkeys(name for facts in tables for name in facts.names)),
            signals=self._signals(tables),
            refused=dict(self._known_refusals()),
            embeddings=self._embeddings(),
        )

    def shards(self) -> Sequence[ShardFacts]:
        """See ``ShardReader.shards``."""
        return side_by_side(self._shard, list(self._files))

    @abstractmethod
    def batches(
        self, shard: ShardFacts, *, rows: int | None = None, refused: Counter[str]
    ) -> Iterator[pa.RecordBatch]:
        """See ``ShardReader.batches``."""

    @abstractmethod
    def read_image(self, shard: str, key: str, index: int, offset: int | None) -> bytes | None:
        """See ``ShardReader.read_image``."""

    @abstractmethod
    def _signals(self, tables: Sequence[TableFacts]) -> tuple[Signal, ...]:
        """Every way of matching, and whether it works, by the tables that can be read."""

    @abstractmethod
    def _single(self, files: ShardFiles) -> tuple[str | None, ...]:
        """The files that make the shard what it is, beside its folder of images."""

    @abstractmethod
    def _losses(self, files: ShardFiles, facts: TableFacts) -> Mapping[str, int]:
        """What is known beforehand to be kept out of a shard whose table can be read."""

    def _embeddings(self) -> tuple[EmbeddingFacts, ...]:
        """The embeddings that the dataset publishes."""
        return ()

    def _table_facts(self, table: str) -> TableFacts:
        """Look at a table.

        Raises:
            TableUnreadable: see there.
        """
        return table_facts(self._folder, table)

    def _look(self, files: ShardFiles) -> TableFacts | None:
        try:
            return self._table_facts(files.table) if files.table else None
        except TableUnreadable:
            return None

    @cached_property
    def _tables(self) -> dict[str, TableFacts | None]:
        """Facts of each shard's table; ``None`` where there is none or it cannot be read."""
        names = list(self._files)
        facts = side_by_side(lambda name: self._look(self._files[name]), names)
        return dict(zip(names, facts, strict=True))

    def _shard(self, name: str) -> ShardFacts:
        files, facts = self._files[name], self._tables[name]
        single = [one for one in self._single(files) if one is not None]
        identity = {one: self._folder.identity(one) for one in single}
        if files.images:
            identity[f"{name}/"] = self._folder.listing_identity(files.images)
        return ShardFacts(
            name=name,
            rows=facts.rows if facts else 0,
            bytes=sum(self._folder.sizes[one] for one in (*single, *files.images)),
            identity=identity,
        )

    def _known_refusals(self) -> Counter[str]:
        known: Counter[str] = Counter()
        for name, files in self._files.items():
            facts = self._tables[name]
            known.update({no_table(files): 1} if facts is None else self._losses(files, facts))
        return known


def no_table(files: ShardFiles) -> str:
    """The code of the reason why a shard's table says nothing."""
    return "table_unreadable" if files.table else "table_missing"


def digest_signal(tables: Sequence[TableFacts], why_not: str) -> Signal:
    """Whether the tables record digests of the downloads; ``why_not`` is said where none does."""
    if kinds := recorded(("sha256", "md5"), tables):
        return Signal("digest", True, f"the tables record the {kinds} of each download")
    return Signal("digest", False, why_not)


def recorded(roles: Iterable[str], tables: Sequence[TableFacts]) -> str:
    """Which of these columns some table has, in words; empty where none has any."""
    return " and ".join(
        role for role in roles if any(getattr(facts.columns, role) for facts in tables)
    )
