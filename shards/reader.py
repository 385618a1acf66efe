"""What a reader of dataset shards gives, whatever the format.

Three things always hold.  Every row of a shard is either in one batch or counted under one
reason of scope ``row`` (``shards.reasons``).  Memory is bounded by one batch and the few columns
of one shard's table that the join needs.  Nothing is written to disk: names inside a dataset are
data that somebody else chose.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import pyarrow as pa

from shards.reasons import rows_refused

_FIELDS: Final["list[pa.Field[Any]]"] = [
    pa.field("key", pa.string(), nullable=False),
    pa.field("shard", pa.string()),
    pa.field("index", pa.int64()),
    pa.field("url", pa.string()),
    pa.field("caption", pa.string()),
    pa.field("sha256", pa.string()),
    pa.field("md5", pa.string()),
    pa.field("offset", pa.int64()),
    pa.field("image", pa.binary()),
    pa.field("embedding", pa.list_(pa.float16())),
    pa.field("phash", pa.uint64()),
    pa.field("pdq", pa.binary(32)),
]
BATCH_SCHEMA: Final = pa.schema(_FIELDS)
"""One row of a dataset, ready to be fingerprinted.

``key`` is the row's native key, ``index`` its 0-based row in the shard's metadata table, ``url``
exactly as stored, ``sha256`` and ``md5`` lower-case hex as the dataset records them, ``offset``
the byte where the image member's first tar header starts (null outside tars), ``image`` the
stored bytes.  ``embedding`` is the published one as it was published, not normalized; all of a
dataset have the same length.  ``phash`` (64 bits in the bit order of
``imagehash.phash``, its first bit the highest) and ``pdq`` are hashes that the dataset records.
All but ``key`` may be null; a row with neither image, embedding nor hash is covered by its URL and
digests alone.
"""

PICTURE_ROWS: Final = 256
"""Rows in a batch with images, unless asked otherwise."""

TABLE_ROWS: Final = 65_536
"""Rows in a batch of URLs, digests and hashes, unless asked otherwise."""

EMBEDDING_ROWS: Final = 8_192
"""Rows in a batch with embeddings, unless asked otherwise: 12 MiB of 768 half-precision numbers."""

MAX_IMAGE_BYTES: Final = 20 * 1024 * 1024
"""A larger stored image is counted, not read: the limit that uploads have too."""

MAX_BATCH_BYTES: Final = 32 * 1024 * 1024
"""A batch is given out early when it weighs this much."""

SignalName = Literal["digest", "hash", "embedding", "geometry"]
FileIdentity = Mapping[str, int | str]


@dataclass(frozen=True)
class Signal:
    """Whether one way of matching works on a dataset, and why, in words for the operator."""

    name: SignalName
    available: bool
    reason: str


@dataclass(frozen=True)
class EmbeddingFacts:
    """An array of embeddings that a dataset publishes.

    Attributes:
        array: what the form calls it: ``img_emb``, ``l14_img``.
        dim: numbers in each.
        dtype: their type as NumPy writes it: ``<f2`` is half precision.
        encoder: open_clip ``model/pretrained tag`` where the form fixes it, else empty.
        used: whether it is the one that is read.
    """

    array: str
    dim: int
    dtype: str
    encoder: str
    used: bool


@dataclass(frozen=True)
class DatasetFacts:
    """What a dataset holds, told without reading its images.

    Attributes:
        format: the reader's name.
        shards: number of shards.
        rows: rows in the shards' tables (image files, where there is no table).
        columns: names of the tables' columns, in order of first appearance.
        signals: one entry per way of matching, available or not.
        refused: what is known beforehand to be kept out, by reason code.
        embeddings: the embeddings that it publishes; empty where they are computed.
    """

    format: str
    shards: int
    rows: int
    columns: tuple[str, ...]
    signals: tuple[Signal, ...]
    refused: Mapping[str, int]
    embeddings: tuple[EmbeddingFacts, ...] = ()

    @property
    def findable(self) -> bool:
        """Whether any row can be found by anything: a signal, or its URL."""
        return self.rows > rows_refused(self.refused)


@dataclass(frozen=True)
class ShardFacts:
    """One shard: its name, its rows, its weight and what tells whether its files have changed.

    ``identity`` maps each file's relative name to its size and a digest of its head and tail:
    cheap to take, and enough to see that a file was rewritten.
    """

    name: str
    rows: int
    bytes: int
    identity: Mapping[str, FileIdentity]


class ShardReader(Protocol):
    """One dataset, opened.  ``shards.registry.open_dataset`` makes it."""

    @property
    def format(self) -> str:
        """The reader's name, as ``open_dataset`` takes it."""
        ...

    def describe(self) -> DatasetFacts:
        """What was found, what can be matched and what cannot."""
        ...

    def shards(self) -> Sequence[ShardFacts]:
        """All shards, in the order of their names."""
        ...

    def batches(
        self, shard: ShardFacts, *, rows: int | None = None, refused: Counter[str]
    ) -> Iterator[pa.RecordBatch]:
        """The shard's rows, at most ``rows`` in a batch.

        Args:
            shard: one of ``shards()``; its files are read as they are now.
            rows: most rows in one batch; fewer where they are heavy (``MAX_BATCH_BYTES``).
                ``None`` leaves it to the form: few with images, thousands without.
            refused: counted up by reason code while the shard is read.

        Yields:
            Record batches of ``BATCH_SCHEMA``.
        """
        ...

    def read_image(self, shard: str, key: str, index: int, offset: int | None) -> bytes | None:
        """The stored bytes of one row's image; ``None`` where the shard no longer holds it."""
        ...
