"""img2dataset's ``parquet`` output: the images lie in the table, in a column named for their form.

A row has its image or is marked as failed; nothing is joined.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shards.arrow import pc
from shards.columns import bytes_of, keys_of, lenient_text_of
from shards.joined import image_signals
from shards.metadata import Told, batch_of, rows_told, run_of
from shards.parquet import TableFacts, TableUnreadable, table_batches, table_row
from shards.reader import MAX_IMAGE_BYTES, PICTURE_ROWS, EmbeddingFacts, Signal
from shards.table import failed_rows, failure
from shards.tables import TableReader
from unlist.formats import DatasetFormat, ShardFiles, find_columns, image_column


class ParquetReader(TableReader):
    """A folder that img2dataset wrote with ``--output_format parquet``."""

    format: ClassVar[DatasetFormat] = "img2dataset"

    def read_image(
        self,
        shard: str,
        key: str,
        index: int,
        offset: int | None,  # noqa: ARG002  # tables have none
    ) -> bytes | None:
        """See ``ShardReader.read_image``."""
        files = self._files.get(shard)
        facts = self._facts(files) if files else None
        stored = image_column(facts.names) if facts else None
        if files is None or files.table is None or facts is None or stored is None:
            return None
        named = Told.of(facts.names, self.format).key
        try:
            row = table_row(self._folder, files.table, [stored, *([named] if named else [])], index)
        except TableUnreadable:
            return None
        if row is None or _key(row, named, index) != key:
            return None
        images = _images(row.column(stored))
        return images[0].as_py() if _usable(images).all() else None

    def _batches(
        self,
        files: ShardFiles,
        facts: TableFacts,
        told: Told,
        rows: int | None,
        refused: Counter[str],
    ) -> Iterator[pa.RecordBatch]:
        """See ``TableReader._batches``; rows without an image are counted."""
        stored, status = image_column(facts.names), find_columns(facts.names).status
        if stored is None:
            refused["image_column_missing"] += 1
            yield from super()._batches(files, facts, told, rows, refused)
            return
        wanted = [*told.wanted, stored, *([status] if status else [])]
        assert files.table is not None  # noqa: S101
        for first, batch in table_batches(
            self._folder, files.table, wanted, most=rows or PICTURE_ROWS, refused=refused
        ):
            images = _images(batch.column(stored))
            usable = _usable(images)
            _count(images, usable, batch.column(status) if status else None, refused)
            kept = pa.array(usable)
            fields = rows_told(
                batch.filter(kept),
                told,
                shard=files.name,
                places=run_of(first, batch.num_rows)[usable],
                refused=refused,
            )
            fields["image"] = images.filter(kept)
            if usable.any():
                yield batch_of(fields)

    def _covered(self, files: ShardFiles, told: Told) -> bool:
        facts = self._facts(files)
        return told.identifies or (facts is not None and image_column(facts.names) is not None)

    def _table_facts(self, table: str) -> TableFacts:
        return failed_rows(self._folder, table)

    def _losses(self, files: ShardFiles, facts: TableFacts) -> Mapping[str, int]:
        return facts.failed if image_column(facts.names) else super()._losses(files, facts)

    def _hash_signal(self, tables: Sequence[TableFacts]) -> Signal:
        return self._from_images(tables)[0]

    def _embedding_signal(self, embeddings: Sequence[EmbeddingFacts]) -> Signal:  # noqa: ARG002
        return self._from_images([facts for facts in self._tables.values() if facts])[1]

    def _geometry_signal(self) -> Signal:
        return self._from_images([facts for facts in self._tables.values() if facts])[2]

    def _from_images(self, tables: Sequence[TableFacts]) -> tuple[Signal, Signal, Signal]:
        if any(image_column(facts.names) for facts in tables):
            return image_signals("the tables hold the images", stored=True)
        why = (
            "the tables hold no images (no column jpg, png or webp); tables of URLs alone are of "
            "the format laion"
        )
        return image_signals(why, stored=False)


def _images(column: "pa.Array[Any]") -> "pa.Array[Any]":
    """What may be images: a number is none."""
    return bytes_of(column, pa.binary(), spelled=False)


def _usable(images: "pa.Array[Any]") -> npt.NDArray[np.bool_]:
    lengths = pc.fill_null(pc.binary_length(images), 0).to_numpy(zero_copy_only=False)
    usable: npt.NDArray[np.bool_] = (lengths > 0) & (lengths <= MAX_IMAGE_BYTES)
    return usable


def _count(
    images: "pa.Array[Any]",
    usable: npt.NDArray[np.bool_],
    statuses: "pa.Array[Any] | None",
    refused: Counter[str],
) -> None:
    """Say of every row without a usable image why, and of failed rows that they have one."""
    lengths = pc.binary_length(images).to_pylist()
    states = [None] * len(lengths) if statuses is None else lenient_text_of(statuses).to_pylist()
    for length, state, good in zip(lengths, states, usable.tolist(), strict=True):
        failed = None if statuses is None else failure((state or "").encode())
        if good and failed:
            refused["status_contradicted"] += 1
        elif not good and length is None:
            refused[failed or "image_missing"] += 1
        elif not good:
            refused["image_too_large" if length else "image_empty"] += 1


def _key(row: pa.RecordBatch, named: str | None, index: int) -> str:
    column = row.column(named) if named else None
    key: str = keys_of(column, run_of(index, 1), Counter())[0].as_py()
    return key
