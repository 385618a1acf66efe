"""What a dataset gives itself: embeddings, perceptual hashes, digests and URLs, in one form.

Nothing here opens a picture. A published embedding or hash that cannot be used is counted and left
out; its row stays.
"""

from collections import Counter
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from indexer.storage.manifest import EncoderFacts, EncoderMismatch
from unlist.keys import KEY_BYTES, Kind, keys_from_arrow, row_keys

RECORDED: Final[tuple[Kind, ...]] = ("url", "sha256", "md5")
# A vector without a direction, or with a component that is no number.
UNUSABLE_EMBEDDING: Final = "embedding_unusable"
# Half of a hash's bits are set, as each says whether a coefficient lies above the median, unless
# most coefficients are equal: then the picture was of one color, and so are many.
PLAIN_HASH: Final = "hash_too_plain"
_BLOCK: Final = 4096

Embeddings = tuple[NDArray[np.float16], NDArray[np.uint32]]
PdqCodes = tuple[NDArray[np.uint8], NDArray[np.uint32]]
PhashCodes = tuple[NDArray[np.uint64], NDArray[np.uint32]]


def given_keys(batch: pa.RecordBatch) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    """Row keys of recorded URLs and digests: uint8[n, 16] and their rows, uint32[n]."""
    pairs = [_recorded_keys(batch, kind) for kind in RECORDED]
    return np.concatenate([keys for keys, _ in pairs]), np.concatenate([rows for _, rows in pairs])


def given_embeddings(
    batch: pa.RecordBatch, facts: EncoderFacts, refused: Counter[str]
) -> Embeddings:
    """Published embeddings brought to length 1: float16[n, dim] and their rows, uint32[n].

    Raises:
        EncoderMismatch: they are of another dimension than the index's encoder.
    """
    column = batch.column("embedding")
    rows = rows_there(column)
    lengths = pc.unique(pc.list_value_length(column).drop_null()).to_pylist()
    if [length for length in lengths if length != facts.dim]:
        raise EncoderMismatch(
            f"The dataset's embeddings have {lengths[0]} dimensions, those of {facts.name} "
            f"have {facts.dim}: name the encoder that made them when the dataset is added."
        )
    values = pc.list_flatten(column).to_numpy(zero_copy_only=False).reshape(-1, facts.dim)
    vectors, usable = unit_vectors(values)
    if not usable.all():
        refused[UNUSABLE_EMBEDDING] += int((~usable).sum())
    return vectors[usable], rows[usable]


def unit_vectors(
    values: NDArray[np.float16] | NDArray[np.float32],
) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
    """Bring vectors to Euclidean length 1, block by block.

    Args:
        values: [n, dim].

    Returns:
        float16[n, dim], and which of them have a direction: zeros, NaN and infinity have none.
    """
    unit = np.empty(values.shape, np.float16)
    usable = np.empty(len(values), np.bool_)
    for start in range(0, len(values), _BLOCK):
        part = slice(start, start + _BLOCK)
        block = values[part].astype(np.float32)
        lengths = np.sqrt(np.einsum("nd,nd->n", block, block))
        usable[part] = np.isfinite(lengths) & (lengths > 1e-6)
        np.divide(block, lengths[:, None], out=block, where=usable[part, None])
        unit[part] = block
    return unit, usable


def given_hashes(batch: pa.RecordBatch, refused: Counter[str]) -> tuple[PdqCodes, PhashCodes]:
    """Recorded PDQ and pHash codes and their rows, without those that tell nothing apart."""
    pdq = batch.column("pdq").drop_null()
    codes = np.frombuffer(b"".join(code or b"" for code in pdq.to_pylist()), np.uint8)
    codes = codes.reshape(-1, 32)
    phash = batch.column("phash").drop_null().to_numpy(zero_copy_only=False).astype(np.uint64)
    structured = np.bitwise_count(codes).sum(axis=1) >= 64
    busy = np.bitwise_count(phash) >= 16
    if plain := int((~structured).sum() + (~busy).sum()):
        refused[PLAIN_HASH] += plain
    return (
        (codes[structured], rows_there(batch.column("pdq"))[structured]),
        (phash[busy], rows_there(batch.column("phash"))[busy]),
    )


def _recorded_keys(
    batch: pa.RecordBatch, kind: Kind
) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    """Row keys of a column's values that are there, with the rows they belong to."""
    keys = row_keys(kind, batch.column(kind))
    there = rows_there(keys)
    known = np.ascontiguousarray(keys_from_arrow(keys)[there])
    return known.view(np.uint8).reshape(-1, KEY_BYTES), there


def rows_there(column: "pa.Array[pa.Scalar[pa.DataType]]") -> NDArray[np.uint32]:
    """The places where a column has a value, rising."""
    return np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False)).astype(np.uint32)
