"""An index directory, opened for searching.

Opening maps files into memory: it takes no load time, and the processes of a machine share one
copy. A directory is never changed once it is there, so an open group needs no lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import faiss
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from indexer import PDQ_RADIUS, PHASH_RADIUS, layout
from indexer.digests import DigestIndex
from indexer.fingerprint import Fingerprint
from indexer.hamming import HammingIndex, least_distances
from indexer.hashes import phash_codes
from indexer.hits import Candidate, GroupHits, Row
from indexer.manifest import (
    EncoderFacts,
    EncoderMismatch,
    GroupManifest,
    GroupUnreadable,
    read_manifest,
    verify_files,
)

# How many of its best cosines per view a group reports at least: what the background needs.
BACKGROUND_DEPTH: Final = 64


@dataclass(slots=True)
class _Query:
    """A query on its way through one group.

    Attributes:
        fingerprint: what is searched for.
        vectors: its embeddings; None where only digests count.
        digest_rows: rows that share a digest or URL.
        places: of pictured rows near it by hash or embedding.
        top_cosines: float32[views, k].
    """

    fingerprint: Fingerprint
    vectors: NDArray[np.float32] | None = None
    digest_rows: set[int] = field(default_factory=set)
    places: set[int] = field(default_factory=set)
    top_cosines: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))

    @property
    def pdq(self) -> NDArray[np.uint8]:
        codes = self.fingerprint.pdq
        return np.empty((0, 32), np.uint8) if codes is None else codes

    @property
    def phash(self) -> NDArray[np.uint8]:
        codes = self.fingerprint.phash
        return phash_codes(np.empty(0, np.uint64) if codes is None else codes)


class IndexGroup:
    """One group's index, read-only and memory-mapped; `open` makes it.

    Attributes:
        path: its directory.
        manifest: the facts in it.
    """

    def __init__(self, path: Path, manifest: GroupManifest) -> None:
        self.path = path
        self.manifest = manifest
        self._rows = pa.ipc.open_file(pa.memory_map(str(path / layout.ROWS_FILE))).read_all()
        self._pictured: NDArray[np.uint32] = layout.map_array(path / layout.PICTURED_FILE)
        self._digests = DigestIndex.from_arrays(
            layout.map_arrays(path, layout.DIGEST, layout.DIGEST_ARRAYS)
        )
        self._pdq, self._phash = (
            HammingIndex.from_arrays(layout.map_arrays(path, name, layout.HAMMING_ARRAYS))
            for name in (layout.PDQ, layout.PHASH)
        )
        self._vectors: Any = faiss.read_index(
            str(path / layout.VECTORS_FILE), faiss.IO_FLAG_MMAP_IFC
        )

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an index directory.

        Raises:
            GroupUnreadable: it is missing, damaged, or of another version.
        """
        manifest = read_manifest(path)
        try:
            group = cls(path, manifest)
        except (OSError, ValueError, KeyError, RuntimeError, pa.ArrowException) as error:
            raise GroupUnreadable(
                f"The index {path.name!r} is damaged: remove it and run index_dataset again."
            ) from error
        group._check_sizes()
        return group

    def verify(self) -> None:
        """Compare every file's digest with the manifest's; takes a full read.

        Raises:
            GroupUnreadable: one differs.
        """
        verify_files(self.path, self.manifest)

    def search(self, fingerprints: Sequence[Fingerprint], *, top: int) -> list[GroupHits]:
        """Search for several queries at once.

        Args:
            fingerprints: the queries.
            top: how many rows by embedding per view; hits by digest and hash all come.

        Returns:
            One `GroupHits` per query, in their order.

        Raises:
            EncoderMismatch: a photo has no embedding by this index's encoder.
        """
        queries = [self._query(fingerprint) for fingerprint in fingerprints]
        pictured = [query for query in queries if query.vectors is not None]
        self._near_codes(pictured)
        self._near_vectors(pictured, top)
        return [self._hits(query) for query in queries]

    def _query(self, fingerprint: Fingerprint) -> "_Query":
        query = _Query(fingerprint)
        keys = [key for _, key in fingerprint.digests]
        query.digest_rows.update(self._digests.search(keys))
        if fingerprint.perceptual:
            query.vectors = self._vectors_of(fingerprint)
        return query

    def _vectors_of(self, fingerprint: Fingerprint) -> NDArray[np.float32]:
        encoder = self.manifest.encoder
        vectors = fingerprint.embeddings.get(encoder.name)
        if vectors is None:
            known = ", ".join(sorted(fingerprint.embeddings)) or "none"
            raise EncoderMismatch(
                f"The index {self.path.name!r} was made by the encoder {encoder.name!r}, "
                f"the query by {known}: fingerprint the photo by {encoder.name!r} too."
            )
        made = EncoderFacts(encoder.name, fingerprint.preprocessing[encoder.name], vectors.shape[1])
        if made != encoder:
            raise EncoderMismatch(
                f"The index {self.path.name!r} was made by another version of the encoder "
                f"{encoder.name!r} ({encoder.preprocessing}; {encoder.dim} numbers): "
                "run index_dataset again."
            )
        return np.ascontiguousarray(vectors, np.float32)

    def _near_codes(self, queries: "Sequence[_Query]") -> None:
        """Add the rows within the Hamming radii of any query's codes."""
        for index, radius, codes in (
            (self._pdq, PDQ_RADIUS, [query.pdq for query in queries]),
            (self._phash, PHASH_RADIUS, [query.phash for query in queries]),
        ):
            owners = np.repeat(np.arange(len(codes)), [len(part) for part in codes])
            if not len(owners):
                continue
            found = index.search(np.concatenate(codes), radius)
            for owner, place in zip(owners[found.queries], found.rows, strict=True):
                queries[owner].places.add(int(place))

    def _near_vectors(self, queries: "Sequence[_Query]", top: int) -> None:
        """Add the rows nearest by embedding, all queries in one pass over the index."""
        depth = min(max(top, BACKGROUND_DEPTH), self._vectors.ntotal)
        if not queries or not depth:
            return
        stacked = np.concatenate([query.vectors for query in queries if query.vectors is not None])
        cosines, found = self._vectors.search(stacked, depth)
        end = 0
        for query in queries:
            start, end = end, end + len(query.fingerprint.views)
            query.top_cosines = _rounded(cosines[start:end])
            query.places.update(found[start:end, :top].ravel().tolist())

    def _hits(self, query: "_Query") -> GroupHits:
        """Measure all candidates of a query alike, however they were found."""
        rows = query.digest_rows | {int(self._pictured[place]) for place in query.places}
        ordered = sorted(rows)
        places = self._places(ordered) if query.vectors is not None else {}
        measured = self._measure(query, list(places.values()))
        evidence = dict(zip(places, measured, strict=True))
        return GroupHits(
            dataset=self.manifest.dataset,
            group=self.manifest.group,
            rows=self.manifest.rows,
            encoder=self.manifest.encoder.name,
            views=query.fingerprint.views,
            flags=query.fingerprint.flags,
            candidates=tuple(
                Candidate(
                    self._row(row),
                    row in query.digest_rows,
                    *evidence.get(row, (None, None, ())),
                )
                for row in ordered
            ),
            top_cosines=query.top_cosines,
        )

    def _places(self, rows: Sequence[int]) -> dict[int, int]:
        """Where the rows that have a usable picture stand among those: row -> place."""
        places = np.searchsorted(self._pictured, np.array(rows, np.uint32)).tolist()
        return {
            row: place
            for row, place in zip(rows, places, strict=True)
            if place < len(self._pictured) and self._pictured[place] == row
        }

    def _measure(
        self, query: "_Query", places: list[int]
    ) -> list[tuple[int, int, tuple[float, ...]]]:
        """Distances and cosines of the query to the pictures at these places."""
        if not places or query.vectors is None:
            return []
        pdq = least_distances(query.pdq, self._pdq.codes[places])
        phash = least_distances(query.phash, self._phash.codes[places])
        vectors = self._vectors.reconstruct_batch(np.array(places, np.int64))
        cosines = np.round((vectors @ query.vectors.T).astype(np.float64), 4)
        return [
            (int(near), int(coarse), tuple(values.tolist()))
            for near, coarse, values in zip(pdq, phash, cosines, strict=True)
        ]

    def _row(self, row: int) -> Row:
        (facts,) = self._rows.slice(row, 1).to_pylist()
        return Row(**facts)

    def _check_sizes(self) -> None:
        pictured = {len(self._pictured), len(self._pdq.codes), len(self._phash.codes)}
        fits = self._rows.num_rows == self.manifest.rows
        if not fits or pictured | {self._vectors.ntotal} != {self.manifest.pictured}:
            raise GroupUnreadable(
                f"The files of index {self.path.name!r} do not belong together: "
                "remove it and run index_dataset again."
            )


def _rounded(cosines: NDArray[np.float32]) -> NDArray[np.float32]:
    """To four decimals: what is left of a sum must not depend on who else was in the batch."""
    return np.round(cosines, 4).astype(np.float32)
