"""As many rows as wanted, ready to be built into a group: those of `gallery`, never written.

Where another dimension than the encoder's is wanted (768, as LAION publishes), the embeddings are
turned onto the first principal axes of the gallery's real part, which keeps their cosines as nearly
as can be.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.gallery import CHUNK, Chunk, chunk
from benchmarks.gallery_base import Base
from indexer.prepare.batches import Prepared
from indexer.query.fingerprint import Fingerprint
from indexer.storage import layout
from unlist.keys import KEY_BYTES, Kind, keys_from_arrow, row_keys

PREPROCESSING: Final = "given"
_FLIPPED: Final = 8  # of a query's 256 bits, beside the row's
_URL: Final = "https://pictures.example/scale/{:012d}.jpg"


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """So many rows of a dataset that is not there; any of them can be made again by its number.

    Attributes:
        base: the gallery's real part, turned to the wanted dimension.
        count: how many.
        seed: other seeds give other rows.
    """

    base: Base
    count: int
    seed: int = 7

    def __iter__(self) -> Iterator[Prepared]:
        for start in range(0, self.count, CHUNK):
            yield _prepared(self._chunk(start))

    def query(self, row: int, *, views: int, parts: int, encoder: str, hashed: bool) -> Fingerprint:
        """A search for one row: its near copy, as a photo's fingerprint has it.

        Args:
            row: which is sought.
            views: how many embeddings: of the whole, then of what is ever less like it.
            parts: how many times eight hashes: of the whole, then of nothing that is there.
            encoder: the index's.
            hashed: whether its hashes are near the row's; else its embedding alone is.
        """
        start = row - row % CHUNK
        made, at = self._chunk(start), row - start
        rng = np.random.default_rng((self.seed, 1, row))
        near = made.vectors[at].astype(np.float32) + _noise(rng, views, made.vectors.shape[1])
        pdq = rng.integers(256, size=(8 * parts, 32), dtype=np.uint8)
        phash = rng.integers(2**64, size=8 * parts, dtype=np.uint64)
        if hashed:
            pdq[0], phash[0] = _flipped(rng, made.pdq[at]), made.phash[at]
        return Fingerprint(
            digests=(("sha256", rng.bytes(KEY_BYTES)),),  # of the photo's own bytes: no row's
            pdq=pdq,
            pdq_quality=100,
            phash=phash,
            views=tuple(f"view-{place}" for place in range(views)),
            embeddings={encoder: near / np.linalg.norm(near, axis=1, keepdims=True)},
            preprocessing={encoder: PREPROCESSING},
            flags=(),
        )

    def _chunk(self, start: int) -> Chunk:
        return _made(self.base, start, min(CHUNK, self.count - start), self.seed)


def turned(base: Base, dim: int) -> Base:
    """The same with embeddings of `dim` numbers.

    Raises:
        ValueError: it has fewer.
    """
    vectors = base.vectors.astype(np.float32)
    if dim > vectors.shape[1]:
        raise ValueError(f"the gallery has {vectors.shape[1]} dimensions, not {dim}")
    if dim < vectors.shape[1]:
        _, axes = np.linalg.eigh((vectors.T @ vectors).astype(np.float64))
        vectors = vectors @ axes[:, ::-1][:, :dim].astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return replace(base, vectors=vectors.astype(np.float16))


@lru_cache(maxsize=1)
def _made(base: Base, start: int, count: int, seed: int) -> Chunk:
    """A chunk, kept while the next is made: queries ask for rows of one in turn."""
    return chunk(base, start, count, seed)


def _prepared(made: Chunk) -> Prepared:
    count = len(made.vectors)
    every = np.arange(count, dtype=np.uint32)
    hashed = every[~made.plain]
    table = _table(made.first, count)
    return Prepared(
        rows=table,
        keys=np.concatenate([_keys(table, "url"), _keys(table, "md5")]),
        owners=np.concatenate([every, every]),
        vectors=made.vectors,
        vector_rows=every,
        pdq=made.pdq[hashed],
        pdq_rows=hashed,
        phash=made.phash[hashed],
        phash_rows=hashed,
        refused=Counter(),
    )


def _table(start: int, count: int) -> pa.RecordBatch:
    """The row table, its texts about as long as LAION's."""
    numbers = range(start, start + count)
    return pa.RecordBatch.from_pydict(
        {
            "key": [f"{number:012d}" for number in numbers],
            "shard": [f"{number // 10_000:05d}" for number in numbers],
            "index": [number % 10_000 for number in numbers],
            "url": [_URL.format(number) for number in numbers],
            "sha256": [None] * count,
            "md5": [f"{number * 0x9E3779B97F4A7C15 % 2**128:032x}" for number in numbers],
            "offset": [None] * count,
        },
        layout.ROW_SCHEMA,
    )


def _keys(table: pa.RecordBatch, kind: Kind) -> NDArray[np.uint8]:
    keys = keys_from_arrow(row_keys(kind, table.column(kind)))
    return np.ascontiguousarray(keys).view(np.uint8).reshape(-1, KEY_BYTES)


def _flipped(rng: np.random.Generator, code: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A PDQ with `_FLIPPED` of its bits turned over."""
    bits = np.unpackbits(code)
    bits[rng.choice(bits.size, _FLIPPED, replace=False)] ^= 1
    return np.packbits(bits)


def _noise(rng: np.random.Generator, count: int, dim: int) -> NDArray[np.float32]:
    """Little for the first view, more for each after it; 0.02 to 0.6 long."""
    lengths = np.linspace(0.02, 0.6, count)[:, None] / np.sqrt(dim)
    noise: NDArray[np.float32] = (rng.standard_normal((count, dim)) * lengths).astype(np.float32)
    return noise
