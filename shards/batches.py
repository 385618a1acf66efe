"""Rows gathered into record batches that stay small, however large their images are."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

import pyarrow as pa

from shards.reader import BATCH_SCHEMA, MAX_BATCH_BYTES


@dataclass(frozen=True)
class Row:
    """One row of ``BATCH_SCHEMA``, field by field."""

    key: str
    shard: str
    index: int
    url: str | None
    caption: str | None
    sha256: str | None
    md5: str | None
    offset: int | None
    image: bytes | None
    embedding: None = None
    phash: int | None = None
    pdq: bytes | None = None


def in_batches(rows: Iterable[Row], most: int) -> Iterator[pa.RecordBatch]:
    """Batches of at most ``most`` rows, and of few more bytes than ``MAX_BATCH_BYTES``."""
    held: list[Row] = []
    weight = 0
    for row in rows:
        held.append(row)
        weight += len(row.image or b"")
        if len(held) >= most or weight >= MAX_BATCH_BYTES:
            yield _batch(held)
            held, weight = [], 0
    if held:
        yield _batch(held)


def _batch(rows: list[Row]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([asdict(row) for row in rows], schema=BATCH_SCHEMA)
