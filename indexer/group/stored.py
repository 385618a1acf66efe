"""A row of an index as a query: what the index has of it, where its picture cannot be read.

An index has one orientation of a picture and one embedding of the whole. The other orientations'
hashes follow from the one; crops and parts of the picture are not searched by.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from indexer.evidence.hits import Row
from indexer.hamming.index import HammingIndex
from indexer.hashes.pdq import pdq_turned
from indexer.hashes.phash import phash_turned
from indexer.hashes.picture import QUALITY_FLOOR
from indexer.query.fingerprint import Fingerprint, fingerprint_digests
from indexer.storage.layout import RowMap
from indexer.storage.manifest import EncoderFacts
from unlist.keys import Kind, row_key

_RECORDED: Final[tuple[Kind, ...]] = ("sha256", "md5")
_NO_PDQ: Final = np.empty((0, 32), np.uint8)
_NO_PHASH: Final = np.empty(0, np.uint64)


def stored_fingerprint(
    row: Row,
    *,
    pdq: NDArray[np.uint8],
    phash: NDArray[np.uint8],
    vectors: NDArray[np.float32] | None,
    encoder: EncoderFacts,
) -> Fingerprint:
    """Make a fingerprint of what an index has of one row.

    Args:
        row: its entry in the row table.
        pdq: its code, uint8[1 or 0, 32]; a picture that shows too little has none.
        phash: likewise, uint8[1 or 0, 8].
        vectors: float32[1, dim]; None where it has no embedding.
        encoder: whose.
    """
    values = [(kind, getattr(row, kind)) for kind in _RECORDED]
    recorded = fingerprint_digests((kind, row_key(kind, text)) for kind, text in values if text)
    if vectors is None and not len(pdq) and not len(phash):
        return recorded
    codes = phash.view(np.uint64).ravel()
    return Fingerprint(
        digests=recorded.digests,
        pdq=np.concatenate([_NO_PDQ, *map(pdq_turned, pdq)]),
        pdq_quality=QUALITY_FLOOR,  # of which only this much is known
        phash=np.concatenate([_NO_PHASH, *map(phash_turned, codes)]),
        views=() if vectors is None else ("whole",),
        embeddings={} if vectors is None else {encoder.name: vectors},
        preprocessing={} if vectors is None else {encoder.name: encoder.preprocessing},
        flags=(),
    )


def codes_of(index: HammingIndex, at: RowMap, row: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """A row's code in a Hamming index: uint8[1 or 0, bytes]."""
    _, places = at.places(row)
    return np.array(index.codes[places])
