"""Prepared batches of dataset rows become one immutable index directory.

Everything a row has goes straight to files, batch by batch, and the indexes are made over those
files: memory does not grow with the group. A row needs neither a picture nor an embedding; one
that has nothing but its URL or a digest is found by that.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from indexer import PDQ_RADIUS, PHASH_RADIUS
from indexer.digests.index import DigestIndex
from indexer.group.rows import RowTableWriter
from indexer.hamming.index import HammingIndex
from indexer.hashes.picture import phash_codes
from indexer.storage import layout
from indexer.storage.appearing import appearing
from indexer.storage.manifest import (
    MANIFEST_FILE,
    SCHEMA,
    Counts,
    EncoderFacts,
    GroupManifest,
    describe_file,
)
from indexer.storage.mapped import map_array
from indexer.vectors.index import LISTS_FROM, vectors_finish
from indexer.vectors.stored import VectorWriter
from unlist.keys import KEY_BYTES

if TYPE_CHECKING:
    from indexer.prepare.batches import Prepared

_KEYS_SPILL: Final = "keys.spill"
_OWNERS_SPILL: Final = "owners.spill"
# Row keys handed on at a time.
_AT_ONCE: Final = 1 << 20


def build_group(
    out: Path,
    prepared: Iterable["Prepared"],
    *,
    encoder: EncoderFacts,
    dataset: str,
    group: int,
    shards: Sequence[dict[str, Any]],
    refused: Counter[str],
    progress: Callable[[int], None],
    lists_from: int = LISTS_FROM,
) -> GroupManifest:
    """Build the index of one group of shards.

    Args:
        out: the directory to appear, whole and flushed to disk, or not at all.
        prepared: the rows, as `indexer.prepare` gives them.
        encoder: whose embeddings they have.
        dataset: whose rows these are.
        group: its number.
        shards: identities of the shards read, recorded in the manifest.
        refused: counts by reason of what could not be used are added to it; what the reader
            counted there is recorded with them.
        progress: called with the number of rows just done, batch by batch.
        lists_from: from so many embeddings on they are searched by inverted lists.
    """
    with appearing(out) as directory:
        with _Spill(directory, encoder.dim) as spill:
            for part in prepared:
                spill.append(part)
                refused.update(part.refused)
                progress(part.rows.num_rows)
        counts = spill.counts
        _drop_identities(directory, counts)
        _write_digests(directory)
        _write_hashes(directory)
        lists = vectors_finish(directory, encoder.dim, lists_from=lists_from)
        manifest = GroupManifest(
            schema=SCHEMA,
            dataset=dataset,
            group=group,
            counts=counts,
            encoder=encoder,
            search=lists,
            shards=tuple(shards),
            refused=dict(sorted(refused.items())),
            files=tuple(describe_file(path) for path in sorted(directory.iterdir())),
        )
        (directory / MANIFEST_FILE).write_bytes(manifest.to_json())
    return manifest


class _Spill(ExitStack):
    """The files that batches are written to as they come."""

    def __init__(self, directory: Path, dim: int) -> None:
        super().__init__()
        self._rows = 0
        self._table = self.enter_context(RowTableWriter(directory / layout.ROWS_FILE))
        self._vectors = self.enter_context(VectorWriter(directory / layout.VECTORS_FILE, dim))
        self._keys = self._array(directory / _KEYS_SPILL, np.uint8, (KEY_BYTES,))
        self._owners = self._array(directory / _OWNERS_SPILL, np.uint32)
        self._pdq = self._array(layout.codes_path(directory, layout.PDQ), np.uint8, (32,))
        self._phash = self._array(layout.codes_path(directory, layout.PHASH), np.uint8, (8,))
        self._at = {
            name: self._array(layout.map_path(directory, name), np.uint32) for name in layout.MAPPED
        }

    @property
    def counts(self) -> Counts:
        """What was written so far."""
        return Counts(self._rows, len(self._vectors), len(self._pdq), len(self._phash))

    def append(self, part: "Prepared") -> None:
        """Write a batch behind those before."""
        self._table.append(part.rows)
        self._keys.append(part.keys)
        self._owners.append(self._numbered(part.owners))
        self._vectors.append(part.vectors)
        self._pdq.append(part.pdq)
        self._phash.append(phash_codes(part.phash))
        self._at[layout.VECTORS].append(self._numbered(part.vector_rows))
        self._at[layout.PDQ].append(self._numbered(part.pdq_rows))
        self._at[layout.PHASH].append(self._numbered(part.phash_rows))
        self._rows += part.rows.num_rows

    def _numbered(self, places: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Rows of the batch as rows of the group."""
        return places + np.uint32(self._rows)

    def _array(
        self, path: Path, dtype: type[np.generic], tail: tuple[int, ...] = ()
    ) -> layout.ArrayWriter:
        return self.enter_context(layout.ArrayWriter(path, dtype, tail))


def _drop_identities(directory: Path, counts: Counts) -> None:
    """Remove the row maps that say nothing: where every row has its place at its own number."""
    for name in layout.MAPPED:
        if getattr(counts, name) == counts.rows:
            layout.map_path(directory, name).unlink()


def _write_digests(directory: Path) -> None:
    paths = directory / _KEYS_SPILL, directory / _OWNERS_SPILL
    keys, owners = map_array(paths[0], np.uint8, 2), map_array(paths[1], np.uint32, 1)
    parts = (slice(start, start + _AT_ONCE) for start in range(0, len(keys), _AT_ONCE))
    DigestIndex.build_in(directory, layout.DIGEST, ((keys[part], owners[part]) for part in parts))
    for path in paths:
        path.unlink()


def _write_hashes(directory: Path) -> None:
    for name, radius in ((layout.PDQ, PDQ_RADIUS), (layout.PHASH, PHASH_RADIUS)):
        codes = map_array(layout.codes_path(directory, name), np.uint8, 2)
        HammingIndex.build_in(directory, name, codes, radius=radius)
