"""Tables with an array of embeddings beside each, row for row: position is identity.

Row ``i`` of the array belongs to row ``i`` of the table.  Where the two differ in length nothing
says which row an embedding belongs to, so that none is used and the shard is counted.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import cached_property
from typing import Final

import pyarrow as pa

from shards.arrays import ArrayUnreadable, EmbeddingRows, embedding_rows
from shards.metadata import Told, batch_of, rows_told, run_of
from shards.parquet import TableFacts, table_batches
from shards.reader import EMBEDDING_ROWS, MAX_BATCH_BYTES, EmbeddingFacts, Signal
from shards.tables import TableReader
from unlist.formats import ShardFiles

# Which encoders publish embeddings of a length; several may, so the operator names theirs.
_OFTEN: Final = {
    512: "ViT-B-32/openai",
    768: "ViT-L-14/openai",
    1024: "ViT-H-14/laion2b_s32b_b79k",
}


class EmbeddedReader(TableReader):
    """A form whose arrays are named by ``_array``: empty for an npy file, else a name in an npz."""

    def _array(self) -> str | None:
        """The name of the array to read; ``None`` where none is to be read."""
        return ""

    @abstractmethod
    def _published(self, name: str) -> tuple[EmbeddingFacts, ...]:
        """The image embeddings that a file holds.

        Raises:
            ArrayUnreadable: see there.
        """

    def _embeddings(self) -> tuple[EmbeddingFacts, ...]:
        return self._first_published

    @cached_property
    def _first_published(self) -> tuple[EmbeddingFacts, ...]:
        """What the first file of embeddings holds that can be read."""
        for files in self._files.values():
            if files.embeddings is not None:
                with suppress(ArrayUnreadable):
                    return self._published(files.embeddings)
        return ()

    def _batches(
        self,
        files: ShardFiles,
        facts: TableFacts,
        told: Told,
        rows: int | None,
        refused: Counter[str],
    ) -> Iterator[pa.RecordBatch]:
        """See ``TableReader._batches``; with each row's embedding, where it has one."""
        with ExitStack() as stack:
            embeddings = self._opened(stack, files, facts, refused)
            if embeddings is None:
                yield from super()._batches(files, facts, told, rows, refused)
                return
            yield from self._joined(files, told, embeddings, rows, refused)

    def _joined(
        self,
        files: ShardFiles,
        told: Told,
        embeddings: EmbeddingRows,
        rows: int | None,
        refused: Counter[str],
    ) -> Iterator[pa.RecordBatch]:
        fitting = MAX_BATCH_BYTES // (8 * embeddings.facts.dim)
        most = max(1, min(rows or EMBEDDING_ROWS, fitting))
        at = 0
        assert files.table is not None  # noqa: S101
        for first, batch in table_batches(
            self._folder, files.table, told.wanted, most=most, refused=refused
        ):
            while at < first:  # rows of the table that cannot be read still have an embedding
                at += len(embeddings.take(min(most, first - at)))
            missing = embeddings.missing
            fields = rows_told(
                batch, told, shard=files.name, places=run_of(first, batch.num_rows), refused=refused
            )
            fields["embedding"] = embeddings.take(batch.num_rows)
            at += batch.num_rows
            if embeddings.missing > missing:
                refused["embedding_missing"] += embeddings.missing - missing
            yield batch_of(fields)

    def _opened(
        self, stack: ExitStack, files: ShardFiles, facts: TableFacts, refused: Counter[str]
    ) -> EmbeddingRows | None:
        """The shard's embeddings, ready to be taken; ``None``, and counted, if there are none."""
        array = self._array()
        if array is None:
            return None
        if files.embeddings is None:
            refused["embeddings_absent"] += 1
            return None
        try:
            rows = stack.enter_context(embedding_rows(self._folder, files.embeddings, array))
        except ArrayUnreadable:
            refused["embeddings_unreadable"] += 1
            return None
        if rows.facts.rows != facts.rows or rows.facts.dim != self._dim:
            refused["embeddings_misaligned"] += 1
            return None
        return rows

    def _covered(self, files: ShardFiles, told: Told) -> bool:
        return files.embeddings is not None or told.identifies

    @cached_property
    def _dim(self) -> int:
        """The length of the dataset's embeddings: that of the first that can be read."""
        return next((one.dim for one in self._embeddings() if one.used), 0)

    def _embedding_signal(self, embeddings: Sequence[EmbeddingFacts]) -> Signal:
        used = next((one for one in embeddings if one.used), None)
        if used is None:
            return Signal("embedding", False, self._why_no_embeddings(embeddings))
        encoder = used.encoder or f"--encoder names what made them{_guess(used.dim)}"
        return Signal(
            "embedding",
            True,
            f"{used.array} holds {used.dim:,} numbers ({used.dtype}) for each row: {encoder}",
        )

    def _why_no_embeddings(self, embeddings: Sequence[EmbeddingFacts]) -> str:  # noqa: ARG002
        return "no array of embeddings beside the tables can be read"


def _guess(dim: int) -> str:
    return f" (of that length are those of {_OFTEN[dim]}, among others)" if dim in _OFTEN else ""
