"""An index directory, opened for searching.

Opening maps files into memory: it takes no load time, and the processes of a machine share one
copy. A directory is never changed once it is there, so an open group needs no lock. Rows that
were removed since are named with each search, and nothing finds them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from indexer import PDQ_RADIUS, PHASH_RADIUS
from indexer.digests.index import DigestIndex
from indexer.evidence.hits import Candidate, GroupHits, Row
from indexer.group.nearby import NO_ROWS, distances_to, least_to, rows_near, rows_without
from indexer.group.query import Query, best_cosines, near_add, rounded, vectors_of
from indexer.group.rows import RowTable
from indexer.group.stored import codes_of, stored_fingerprint
from indexer.hamming.index import HammingIndex
from indexer.query.fingerprint import Fingerprint
from indexer.storage import layout
from indexer.storage.layout import RowMap
from indexer.storage.manifest import (
    Counts,
    EncoderMismatch,
    GroupManifest,
    GroupUnreadable,
    read_manifest,
    verify_files,
)
from indexer.vectors.index import VectorIndex
from unlist.keys import KEY_BYTES
from unlist.keyset import KeySet

# How many of its best cosines per view a group reports at least: what the background needs.
BACKGROUND_DEPTH: Final = 64
# How many rows near by digest or hash are measured at most, for a placeholder picture may be in
# half a million rows: the nearest. Those near by embedding come on top.
MOST_NEAR: Final = 2000

Measures = tuple[int | None, int | None, tuple[float, ...]]


class IndexGroup:
    """One group's index, read-only and memory-mapped; `open` makes it.

    Attributes:
        path: its directory.
        manifest: the facts in it.
    """

    def __init__(self, path: Path, manifest: GroupManifest) -> None:
        self.path = path
        self.manifest = manifest
        self._table = RowTable(path / layout.ROWS_FILE)
        self._digests = DigestIndex.open(path, layout.DIGEST)
        self._pdq = HammingIndex.open(path, layout.PDQ)
        self._phash = HammingIndex.open(path, layout.PHASH)
        self._vectors = VectorIndex.open(path, manifest.search)
        self._at_vectors, self._at_pdq, self._at_phash = (
            RowMap.open(path, name) for name in layout.MAPPED
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

    def rows_of(self, keys: NDArray[np.uint8]) -> NDArray[np.uint32]:
        """The rows that have any of these row keys (uint8[n, 16]): uint32, rising, each once."""
        return np.unique(self._digests.rows_of(keys)[1])

    def row_at(self, keys: NDArray[np.uint8], shard: str, index: int) -> int | None:
        """The row that lies at a place of its dataset and has one of these keys; None: no more."""
        rows = self.rows_of(keys)
        there = zip(rows.tolist(), self._table.take(rows), strict=True)
        places = {(one.shard, one.index): row for row, one in there}
        return places.get((shard, index))

    def stored(self, row: int) -> Fingerprint:
        """A row as a query, made of what the index has of it: its picture need not be read.

        Of digests it has those that the dataset records, not those of the picture as stored.
        """
        one = np.array([row], np.uint32)
        [there], places = self._at_vectors.places(one)
        return stored_fingerprint(
            self._table.take(one)[0],
            pdq=codes_of(self._pdq, self._at_pdq, one),
            phash=codes_of(self._phash, self._at_phash, one),
            vectors=self._vectors.vectors[places].astype(np.float32) if there else None,
            encoder=self.manifest.encoder,
        )

    def rows_listed(self, listed: KeySet) -> NDArray[np.uint32]:
        """As `rows_of`, for so many keys that reading the whole table of digests costs less."""
        return np.unique(self._digests.rows_listed(listed))

    def search(
        self,
        fingerprints: Sequence[Fingerprint],
        *,
        top: int,
        removed: NDArray[np.uint32] = NO_ROWS,
    ) -> list[GroupHits]:
        """Search for several queries at once.

        Args:
            fingerprints: the queries.
            top: how many rows by embedding per view. Hits by digest and hash all come, or where
                there are more than `MOST_NEAR` (or `top`), the nearest of them.
            removed: rows that are not to be found, rising.

        Returns:
            One `GroupHits` per query, in their order.

        Raises:
            EncoderMismatch: a photo has no embedding by this index's encoder.
        """
        queries = [self._query(fingerprint, removed) for fingerprint in fingerprints]
        pictured = [query for query in queries if query.fingerprint.perceptual]
        pdq = [query.pdq for query in pictured]
        phash = [query.phash for query in pictured]
        near_add(pictured, rows_near(pdq, self._pdq, self._at_pdq, PDQ_RADIUS), removed)
        near_add(pictured, rows_near(phash, self._phash, self._at_phash, PHASH_RADIUS), removed)
        embedded = [query for query in pictured if query.vectors is not None]
        self._near_vectors(embedded, top, removed)
        return self._hits(queries, most=max(top, MOST_NEAR))

    def nearest(
        self,
        vector: NDArray[np.float32],
        *,
        most: int,
        removed: NDArray[np.uint32] = NO_ROWS,
    ) -> list[tuple[Row, float]]:
        """The rows nearest to one vector, whatever it was made of: for sweeps, no verdict.

        Every vector is compared: the lists of a large group were tuned to find copies, and words
        lie far from all pictures.

        Args:
            vector: float32[dim], of length 1, by this index's encoder.
            most: how many rows.
            removed: rows that are not to be found, rising.

        Returns:
            Rows with their exact cosines, falling.

        Raises:
            EncoderMismatch: the vector has another length.
        """
        if vector.shape != (self.manifest.encoder.dim,):
            raise EncoderMismatch(
                f"The index {self.path.name!r} has vectors of {self.manifest.encoder.dim} numbers, "
                f"not {vector.shape}: embed by {self.manifest.encoder.name!r}."
            )
        at = self._at_vectors
        gone = at.places(removed)[1]
        found = self._vectors.search(vector[None], depth=most, removed=gone, every=True)
        places, cosines = found.places[0], found.cosines[0]
        rows = at.rows(places[places >= 0])
        order = np.argsort(rows, kind="stable")
        known = dict(zip(rows[order].tolist(), self._table.take(rows[order]), strict=True))
        pairs = zip(rows.tolist(), rounded(cosines[places >= 0]).tolist(), strict=True)
        return [(known[row], cosine) for row, cosine in pairs]

    def _query(self, fingerprint: Fingerprint, removed: NDArray[np.uint32]) -> Query:
        keys = np.frombuffer(b"".join(key for _, key in fingerprint.digests), np.uint8)
        return Query(
            fingerprint,
            vectors=vectors_of(fingerprint, self.manifest.encoder, self.path.name),
            by_digest=rows_without(self.rows_of(keys.reshape(-1, KEY_BYTES)), removed),
        )

    def _near_vectors(
        self, queries: Sequence[Query], top: int, removed: NDArray[np.uint32]
    ) -> None:
        """Add the rows nearest by embedding, all queries in one pass over the index."""
        views = [query.vectors for query in queries if query.vectors is not None]
        if not views or not len(self._vectors):
            return
        nearest = self._vectors.search(
            np.concatenate(views),
            depth=max(top, BACKGROUND_DEPTH),
            removed=self._at_vectors.places(removed)[1],
        )
        end = 0
        for query, own in zip(queries, views, strict=True):
            start, end = end, end + len(own)
            query.top_cosines = best_cosines(nearest.cosines[start:end])
            places = nearest.places[start:end, :top]
            query.by_embedding = self._at_vectors.rows(places[places >= 0])

    def _hits(self, queries: Sequence[Query], *, most: int) -> list[GroupHits]:
        """Measure all candidates of a query alike, however they were found."""
        near = [query.near for query in queries]
        wanted = [
            np.union1d(self._nearest(query, rows, most), query.by_embedding)
            for query, rows in zip(queries, near, strict=True)
        ]
        union = np.unique(np.concatenate([NO_ROWS, *wanted]))
        known = dict(zip(union.tolist(), self._table.take(union), strict=True))
        return [
            GroupHits(
                dataset=self.manifest.dataset,
                group=self.manifest.group,
                rows=self.manifest.rows,
                encoder=self._compared_by(query),
                views=query.fingerprint.views,
                flags=query.fingerprint.flags,
                candidates=self._candidates(query, rows, known),
                top_cosines=query.top_cosines,
                near=len(all_near),
            )
            for query, rows, all_near in zip(queries, wanted, near, strict=True)
        ]

    def _nearest(self, query: Query, rows: NDArray[np.uint32], most: int) -> NDArray[np.uint32]:
        """The nearest of these rows: by digest first, then by PDQ, by pHash, by place."""
        if len(rows) <= most:
            return rows
        keys = [rows, ~np.isin(rows, query.by_digest)]
        if query.fingerprint.perceptual:
            pdq = least_to(query.pdq, self._pdq, self._at_pdq, rows)
            phash = least_to(query.phash, self._phash, self._at_phash, rows)
            keys = [rows, phash, pdq, keys[-1]]
        return rows[np.lexsort(keys)[:most]]

    def _candidates(
        self, query: Query, rows: NDArray[np.uint32], known: dict[int, Row]
    ) -> tuple[Candidate, ...]:
        shared = np.isin(rows, query.by_digest).tolist()
        measured = self._measure(query, rows)
        facts = zip(rows.tolist(), shared, measured, strict=True)
        return tuple(Candidate(known[row], digest, *evidence) for row, digest, evidence in facts)

    def _measure(self, query: Query, rows: NDArray[np.uint32]) -> list[Measures]:
        """Hash distances and cosines of the query to these rows, as far as they have any."""
        if not query.fingerprint.perceptual:
            return [(None, None, ())] * len(rows)
        pdq = distances_to(query.pdq, self._pdq, self._at_pdq, rows)
        phash = distances_to(query.phash, self._phash, self._at_phash, rows)
        return list(zip(pdq, phash, self._cosines(query, rows), strict=True))

    def _cosines(self, query: Query, rows: NDArray[np.uint32]) -> list[tuple[float, ...]]:
        cosines: list[tuple[float, ...]] = [()] * len(rows)
        if query.vectors is None:
            return cosines
        there, places = self._at_vectors.places(rows)
        near = self._vectors.cosines(places, query.vectors)
        for at, values in zip(np.flatnonzero(there), rounded(near), strict=True):
            cosines[at] = tuple(values.tolist())
        return cosines

    def _compared_by(self, query: Query) -> str:
        """The encoder by which a query was compared: none where its hashes stood alone."""
        alone = query.fingerprint.perceptual and query.vectors is None
        return "" if alone else self.manifest.encoder.name

    def _check_sizes(self) -> None:
        lengths = {
            "vectors": (len(self._vectors), self._at_vectors),
            "pdq": (len(self._pdq.codes), self._at_pdq),
            "phash": (len(self._phash.codes), self._at_phash),
        }
        rows = self._table.num_rows
        found = Counts(rows, **{name: length for name, (length, _) in lengths.items()})
        fits = all(at.fits(length, rows) for length, at in lengths.values())
        dim_fits = self._vectors.dim == self.manifest.encoder.dim
        if not fits or not dim_fits or found != self.manifest.counts:
            raise GroupUnreadable(
                f"The files of index {self.path.name!r} do not belong together: "
                "remove it and run index_dataset again."
            )
