"""A query on its way through one group: what it is compared by, and what was found near it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from indexer.group.nearby import rows_without
from indexer.hashes.picture import phash_codes
from indexer.query.fingerprint import Fingerprint
from indexer.storage.manifest import EncoderFacts, EncoderMismatch


def _no_rows() -> NDArray[np.uint32]:
    return np.empty(0, np.uint32)


@dataclass(slots=True)
class Query:
    """A query on its way through one group.

    Attributes:
        fingerprint: what is searched for.
        vectors: its embeddings, float32[views, dim]; None where only digests and hashes count.
        by_digest: uint32[n], rising: the rows that share a digest or URL.
        by_hash: uint32[n], rising: the rows near it by PDQ or pHash.
        by_embedding: uint32[n]: the rows nearest by embedding, of each view.
        top_cosines: float32[views, k].
    """

    fingerprint: Fingerprint
    vectors: NDArray[np.float32] | None
    by_digest: NDArray[np.uint32]
    by_hash: NDArray[np.uint32] = field(default_factory=_no_rows)
    by_embedding: NDArray[np.uint32] = field(default_factory=_no_rows)
    top_cosines: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))

    @property
    def pdq(self) -> NDArray[np.uint8]:
        """Its PDQ codes, uint8[n, 32]; none for a URL."""
        codes = self.fingerprint.pdq
        return np.empty((0, 32), np.uint8) if codes is None else codes

    @property
    def phash(self) -> NDArray[np.uint8]:
        """Its pHash codes, uint8[n, 8]."""
        codes = self.fingerprint.phash
        return phash_codes(np.empty(0, np.uint64) if codes is None else codes)

    @property
    def near(self) -> NDArray[np.uint32]:
        """The rows that share a digest or URL, or are near by hash; rising, each once."""
        return np.union1d(self.by_digest, self.by_hash)


def vectors_of(
    fingerprint: Fingerprint, encoder: EncoderFacts, index: str
) -> NDArray[np.float32] | None:
    """The query's embeddings by the encoder of an index; None where it has none to compare.

    Args:
        fingerprint: the query.
        encoder: of the index.
        index: its name, for the refusal.

    Raises:
        EncoderMismatch: a photo has no embedding by this encoder, or by another version of it.
    """
    if not fingerprint.perceptual or not fingerprint.views:
        return None
    vectors = fingerprint.embeddings.get(encoder.name)
    if vectors is None:
        known = ", ".join(sorted(fingerprint.embeddings)) or "none"
        raise EncoderMismatch(
            f"The index {index!r} was made by the encoder {encoder.name!r}, "
            f"the query by {known}: fingerprint the photo by {encoder.name!r} too."
        )
    made = EncoderFacts(encoder.name, fingerprint.preprocessing[encoder.name], vectors.shape[1])
    if made != encoder:
        raise EncoderMismatch(
            f"The index {index!r} was made by another version of the encoder {encoder.name!r} "
            f"({encoder.preprocessing}; {encoder.dim} numbers): run index_dataset again."
        )
    return np.ascontiguousarray(vectors, np.float32)


def near_add(
    queries: Sequence[Query], found: Sequence[NDArray[np.uint32]], removed: NDArray[np.uint32]
) -> None:
    """Add to each query the rows that its hashes are near to, but those removed."""
    for query, rows in zip(queries, found, strict=True):
        query.by_hash = np.union1d(query.by_hash, rows_without(rows, removed))


def best_cosines(cosines: NDArray[np.float32]) -> NDArray[np.float32]:
    """The best cosines of each view, as many as every view has."""
    depth = int(np.isfinite(cosines).sum(axis=1).min())
    return rounded(cosines[:, :depth]).astype(np.float32)


def rounded(cosines: NDArray[np.float32]) -> NDArray[np.float64]:
    """To four decimals: what is left of a sum must not depend on who else was in the batch."""
    return np.asarray(np.round(np.asarray(cosines, np.float64), 4))
