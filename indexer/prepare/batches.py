"""Batches of dataset rows become all that an index is built from, batch by batch, in order.

Every stored picture is decoded once, and all its fingerprints come from that. Published
embeddings and recorded hashes are taken as they are, brought to one form. Memory stays bounded
by the few batches under way, whatever the dataset's size. What cannot be used is counted by
reason and never stops the rest: its row still gets into the row table, where its URL and recorded
digests find it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from indexer.machine import cores
from indexer.prepare.given import (
    Embeddings,
    given_embeddings,
    given_hashes,
    given_keys,
    rows_there,
)
from indexer.prepare.pictures import Pictures, Task, pictures_prepare
from indexer.prepare.pool import PicturePool, ahead
from indexer.storage import layout
from indexer.storage.manifest import EncoderFacts

if TYPE_CHECKING:  # the encoders' module loads torch, which published embeddings do without
    from indexer.encoder.load import Encoder

# Batches are cut so that what is under way stays small: so many rows with pictures, or so many
# bytes of them (one picture may have 20 MB).
_PICTURES: Final = 64
_PICTURE_BYTES: Final = 16 * 1024 * 1024
_ROWS: Final = 16_384
# Batches at the encoder at the same time: while one ends, the next already keeps its cores busy.
_EMBEDDED_AT_ONCE: Final = 2


@dataclass(frozen=True, eq=False, slots=True)
class Prepared:
    """A batch of rows, ready to be put into an index.

    Rows are named by their place in the batch; every array of places rises, but `owners`.

    Attributes:
        rows: the batch's part of the row table, `layout.ROW_SCHEMA`.
        keys, owners: row keys uint8[n, 16] and the row that each belongs to, uint32[n].
        vectors, vector_rows: float16[n, dim], each of Euclidean length 1; uint32[n].
        pdq, pdq_rows: uint8[n, 32]; uint32[n].
        phash, phash_rows: uint64[n]; uint32[n].
        refused: what could not be used, by reason.
    """

    rows: pa.RecordBatch
    keys: NDArray[np.uint8]
    owners: NDArray[np.uint32]
    vectors: NDArray[np.float16]
    vector_rows: NDArray[np.uint32]
    pdq: NDArray[np.uint8]
    pdq_rows: NDArray[np.uint32]
    phash: NDArray[np.uint64]
    phash_rows: NDArray[np.uint32]
    refused: Counter[str]


def prepare(
    batches: Iterable[pa.RecordBatch],
    *,
    encoder: "Encoder | None",
    facts: EncoderFacts,
    workers: int | None = None,
) -> Iterator[Prepared]:
    """Prepare batches, in their order.

    Args:
        batches: rows as `shards.reader.BATCH_SCHEMA` has them.
        encoder: embeds the pictures that came without an embedding; None: those get none.
        facts: the encoder of the index, whose dimension given embeddings must have.
        workers: processes that decode and hash pictures, started when the first picture comes;
            0: this process does; None: one for each core.

    Raises:
        EncoderMismatch: an embedding column is of another dimension than the encoder.
        WorkerUnavailable: processes do not start here.
    """
    count = cores() if workers is None else workers
    task = Task(None if encoder is None else encoder.input)
    with (
        PicturePool(task, max(1, count)) as pool,
        ThreadPoolExecutor(_EMBEDDED_AT_ONCE, thread_name_prefix="embedding") as embedding,
    ):
        pending = (_Pending.of(batch, pool if count else None, task) for batch in _cut(batches))
        decoded = _begun(pending, most=count + 2)
        joined = (embedding.submit(one.joined, encoder, facts) for one in decoded)
        yield from ahead(joined, most=_EMBEDDED_AT_ONCE + 1)


@dataclass(frozen=True, slots=True)
class _Pending:
    """A batch whose pictures are being prepared."""

    batch: pa.RecordBatch
    rows: NDArray[np.uint32]
    results: "Future[pa.RecordBatch]"
    task: Task

    @classmethod
    def of(cls, batch: pa.RecordBatch, pool: PicturePool | None, task: Task) -> "_Pending":
        images = batch.column("image")
        stored = images.drop_null()
        if pool is not None and len(stored):
            results = pool.submit(stored)
        else:
            results = Future()
            results.set_result(pictures_prepare((one.as_py() for one in stored), task))
        return cls(batch, rows_there(images), results, task)

    def joined(self, encoder: "Encoder | None", facts: EncoderFacts) -> Prepared:
        """Everything that is known of the batch; what the dataset gives joins what was computed."""
        batch, pictures = self.batch, Pictures.of(self.results.result(), self.rows, self.task)
        refused = Counter(pictures.refused)
        keys, owners = given_keys(batch)
        given = given_embeddings(batch, facts, refused)
        vectors, vector_rows = _vectors(pictures, given, encoder, facts)
        given_pdq, given_phash = given_hashes(batch, refused)
        pdq, pdq_rows = _merged(pictures.pdq, pictures.rows, *given_pdq, pictures.plain)
        phash, phash_rows = _merged(pictures.phash, pictures.rows, *given_phash, pictures.plain)
        return Prepared(
            rows=batch.select(layout.ROW_SCHEMA.names).cast(layout.ROW_SCHEMA),
            keys=np.concatenate([keys, pictures.keys]),
            owners=np.concatenate([owners, pictures.owners]),
            vectors=vectors,
            vector_rows=vector_rows,
            pdq=pdq,
            pdq_rows=pdq_rows,
            phash=phash,
            phash_rows=phash_rows,
            refused=refused,
        )


def _begun(pending: Iterable[_Pending], most: int) -> Iterator[_Pending]:
    """The same, in order, with at most `most` begun before they are taken."""
    waiting: list[_Pending] = []
    for one in pending:
        waiting.append(one)
        if len(waiting) >= most:
            yield waiting.pop(0)
    yield from waiting


def _cut(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Cut batches to size.

    The rows are copied out: of a slice, pyarrow's cast and `ascii_lower` together misread strings.
    """
    for batch in batches:
        start = 0
        for stop in _cuts(batch):
            yield batch.take(np.arange(start, stop))
            start = stop


def _cuts(batch: pa.RecordBatch) -> Iterator[int]:
    """The places after which a batch is cut."""
    images = batch.column("image")
    if images.null_count == batch.num_rows:
        yield from range(_ROWS, batch.num_rows, _ROWS)
    else:
        rows = weight = 0
        for place, size in enumerate(_sizes(images)):
            if rows and (rows == _PICTURES or weight + size > _PICTURE_BYTES):
                yield place
                rows = weight = 0
            rows, weight = rows + 1, weight + size
    if batch.num_rows:
        yield batch.num_rows


def _sizes(images: "pa.Array[Any]") -> list[int]:
    """Bytes of each picture, 0 where there is none."""
    lengths: pa.Array[Any] = pc.binary_length(images)  # type: ignore[call-overload]
    return [length or 0 for length in lengths.to_pylist()]


def _vectors(
    pictures: Pictures, given: Embeddings, encoder: "Encoder | None", facts: EncoderFacts
) -> Embeddings:
    """Given embeddings, and the encoder's for the pictures that came without."""
    wanted = np.isin(pictures.rows, given[1], invert=True)
    if encoder is None or pictures.pixels is None or not wanted.any():
        own, rows = np.empty((0, facts.dim), np.float16), pictures.rows[:0]
    else:
        own = encoder.embed_pixels(pictures.pixels[wanted]).astype(np.float16)
        rows = pictures.rows[wanted]
    return _merged(own, rows, *given, pictures.plain)


def _merged(
    own: NDArray[Any],
    own_rows: NDArray[np.uint32],
    given: NDArray[Any],
    given_rows: NDArray[np.uint32],
    plain: NDArray[np.uint32],
) -> tuple[NDArray[Any], NDArray[np.uint32]]:
    """What was computed and what was given, by rising row.

    What a picture was computed to goes before what is recorded of it, and of a picture that shows
    too little nothing is taken, whoever made it.
    """
    taken = np.isin(given_rows, np.concatenate([own_rows, plain]), invert=True)
    if not len(own_rows) and taken.all():
        return given, given_rows
    rows = np.concatenate([own_rows, given_rows[taken]])
    order = np.argsort(rows, kind="stable")
    return np.concatenate([own, given[taken]])[order], rows[order]
