"""Batches of dataset rows become one immutable index directory.

Every stored picture is decoded once, and all its fingerprints come from that. Memory stays
bounded by a batch, but for the small per-row codes: vectors wait in a file until the index is
written. A picture that cannot be used is counted by reason and never stops the build; its row
still gets into the row table, where its URL and recorded digests find it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import faiss
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from indexer import PDQ_RADIUS, PHASH_RADIUS, layout
from indexer.appearing import appearing
from indexer.decode import ImageRefused, decode
from indexer.digests import KEY_BYTES, DigestIndex
from indexer.fingerprint import TOO_PLAIN, picture_digests
from indexer.hamming import HammingIndex
from indexer.hashes import (
    QUALITY_FLOOR,
    Hashes,
    bounded,
    hash_picture,
    phash_codes,
)
from indexer.manifest import (
    MANIFEST_FILE,
    SCHEMA,
    EncoderFacts,
    GroupManifest,
    describe_file,
)
from unlist.keys import Kind, keys_from_arrow, row_keys

if TYPE_CHECKING:  # the encoders' module loads torch, which an index does without
    from indexer.encoder import Encoder

_SPILL_FILE: Final = "vectors.spill"
_AT_ONCE: Final = 32
_RECORDED: Final[tuple[Kind, ...]] = ("url", "sha256", "md5")


@dataclass(frozen=True, slots=True)
class _Pictured:
    """A row's picture, decoded and hashed: `row` is its place in the batch."""

    row: int
    image: Image.Image
    hashes: Hashes


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A batch after decoding.

    Attributes:
        rows: the batch's part of the row table.
        pictures: the usable ones.
        keys, owners: row keys, uint8[n, 16], and the places in the batch they belong to.
        refused: pictures not usable, by reason.
    """

    rows: pa.RecordBatch
    pictures: list[_Pictured]
    keys: NDArray[np.uint8]
    owners: NDArray[np.uint32]
    refused: Counter[str]


@dataclass(slots=True)
class _Codes:
    """The small per-row codes gathered so far, batch by batch."""

    keys: list[NDArray[np.uint8]] = field(default_factory=list)
    owners: list[NDArray[np.uint32]] = field(default_factory=list)
    pictured: list[int] = field(default_factory=list)
    pdq: list[NDArray[np.uint8]] = field(default_factory=list)
    phash: list[NDArray[np.uint64]] = field(default_factory=list)
    rows: int = 0


def build_group(
    out: Path,
    batches: Iterable[pa.RecordBatch],
    *,
    encoder: "Encoder",
    dataset: str,
    group: int,
    shards: list[dict[str, Any]],
    refused: Counter[str],
    progress: Callable[[int], None],
) -> GroupManifest:
    """Build the index of one group of shards.

    Args:
        out: the directory to appear, whole and flushed to disk, or not at all.
        batches: rows as `shards.reader.BATCH_SCHEMA` has them.
        encoder: for the embeddings.
        dataset: whose rows these are.
        group: its number.
        shards: identities of the shards read, recorded in the manifest.
        refused: counts of unusable pictures by reason are added to it; what the reader counted
            there is recorded with them.
        progress: called with the number of rows just done, every few rows.
    """
    with appearing(out) as directory:
        codes = _Codes()
        with (
            pa.OSFile(str(directory / layout.ROWS_FILE), "wb") as sink,
            pa.ipc.new_file(sink, layout.ROW_SCHEMA) as table,
            (directory / _SPILL_FILE).open("wb") as spill,
        ):
            for prepared in _ahead(batches):
                table.write_batch(prepared.rows)
                refused.update(prepared.refused)
                _gather(codes, prepared, encoder, spill)
                progress(prepared.rows.num_rows)
        _write_indexes(directory, codes, encoder.dim)
        manifest = GroupManifest(
            schema=SCHEMA,
            dataset=dataset,
            group=group,
            rows=codes.rows,
            pictured=len(codes.pictured),
            encoder=EncoderFacts(encoder.name, encoder.preprocessing, encoder.dim),
            shards=tuple(shards),
            refused=dict(sorted(refused.items())),
            files=tuple(describe_file(path) for path in sorted(directory.iterdir())),
        )
        (directory / MANIFEST_FILE).write_bytes(manifest.to_json())
    return manifest


def _ahead(batches: Iterable[pa.RecordBatch]) -> Iterator[_Prepared]:
    """Decode and hash one batch while the one before is being embedded."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting = None
        for batch in _small(batches):
            coming = pool.submit(_prepare, batch)
            if waiting is not None:
                yield waiting.result()
            waiting = coming
        if waiting is not None:
            yield waiting.result()


def _small(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Cut batches so that their decoded pictures, 8 MB each at most, stay few.

    The rows are copied out: of a slice, pyarrow's cast and `ascii_lower` together misread strings.
    """
    for batch in batches:
        for start in range(0, batch.num_rows, _AT_ONCE):
            yield batch.take(np.arange(start, min(start + _AT_ONCE, batch.num_rows)))


def _prepare(batch: pa.RecordBatch) -> _Prepared:
    refused: Counter[str] = Counter()
    pictures: list[_Pictured] = []
    keys = [_recorded_keys(batch, kind) for kind in _RECORDED]
    stored: list[tuple[int, bytes]] = []
    for row, data in enumerate(batch.column("image")):
        if not data.is_valid:
            continue
        content = data.as_py()
        stored += [(row, key) for _, key in picture_digests(content)]
        picture = _picture(row, content, refused)
        if picture is not None:
            pictures.append(picture)
    keys.append(
        (
            np.frombuffer(b"".join(key for _, key in stored), np.uint8).reshape(-1, KEY_BYTES),
            np.array([row for row, _ in stored], np.uint32),
        )
    )
    return _Prepared(
        rows=batch.select(layout.ROW_SCHEMA.names).cast(layout.ROW_SCHEMA),
        pictures=pictures,
        keys=np.concatenate([key for key, _ in keys]),
        owners=np.concatenate([owner for _, owner in keys]),
        refused=refused,
    )


def _picture(row: int, content: bytes, refused: Counter[str]) -> _Pictured | None:
    """Decode and hash a stored picture, or count why not."""
    try:
        image = bounded(decode(content))
    except ImageRefused as refusal:
        refused[refusal.reason] += 1
        return None
    hashes = hash_picture(image, turned=False)
    if hashes.quality < QUALITY_FLOOR:
        refused[TOO_PLAIN] += 1
        return None
    return _Pictured(row, image, hashes)


def _recorded_keys(
    batch: pa.RecordBatch, kind: Kind
) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    """Row keys of a column's values that are there, with the rows they belong to."""
    keys = row_keys(kind, batch.column(kind))
    there = np.flatnonzero(keys.is_valid().to_numpy(zero_copy_only=False)).astype(np.uint32)
    known = np.ascontiguousarray(keys_from_arrow(keys)[there])
    return known.view(np.uint8).reshape(-1, KEY_BYTES), there


def _gather(codes: _Codes, prepared: _Prepared, encoder: "Encoder", spill: BinaryIO) -> None:
    pictures = prepared.pictures
    spill.write(encoder.embed([picture.image for picture in pictures]).tobytes())
    codes.keys.append(prepared.keys)
    codes.owners.append(prepared.owners + np.uint32(codes.rows))
    codes.pictured += [codes.rows + picture.row for picture in pictures]
    codes.pdq += [picture.hashes.pdq for picture in pictures]
    codes.phash += [picture.hashes.phash for picture in pictures]
    codes.rows += prepared.rows.num_rows


def _write_indexes(directory: Path, codes: _Codes, dim: int) -> None:
    no_keys = np.empty((0, KEY_BYTES), np.uint8)
    digests = DigestIndex.build(
        np.concatenate([no_keys, *codes.keys]),
        np.concatenate([np.empty(0, np.uint32), *codes.owners]),
    )
    pdq = np.concatenate([np.empty((0, 32), np.uint8), *codes.pdq])
    phash = np.concatenate([np.empty(0, np.uint64), *codes.phash])
    np.save(directory / layout.PICTURED_FILE, np.array(codes.pictured, np.uint32))
    layout.write_arrays(directory, layout.DIGEST, digests.arrays())
    layout.write_arrays(directory, layout.PDQ, HammingIndex.build(pdq, radius=PDQ_RADIUS).arrays())
    layout.write_arrays(
        directory,
        layout.PHASH,
        HammingIndex.build(phash_codes(phash), radius=PHASH_RADIUS).arrays(),
    )
    _write_vectors(directory, len(codes.pictured), dim)


def _write_vectors(directory: Path, count: int, dim: int) -> None:
    """Turn the spilled vectors into a FAISS flat index."""
    spill = directory / _SPILL_FILE
    index = faiss.IndexFlatIP(dim)
    if count:
        index.add(np.memmap(spill, np.float32, mode="r", shape=(count, dim)))
    faiss.write_index(index, str(directory / layout.VECTORS_FILE))
    spill.unlink()
