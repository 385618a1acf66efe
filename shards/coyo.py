"""COYO's tables: URLs, captions, and a perceptual hash of every image.

``image_phash`` is what ``imagehash.phash`` prints.  COYO's README calls it "pHash" with a link to
phash.org, whose hash is another; the eight hashes that COYO's README and dataset cards show decide
it.  imagehash keeps the 8 x 8 lowest DCT coefficients *with* the constant one, which comes first
and lies above the median in any picture that is not black, so that the first bit is set; phash.org
leaves it out, so that the first bit is set in half the pictures.  In all eight it is set.
Every dataset's own hashes are held against that when it is described.
"""

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa

from shards.columns import phashes_of
from shards.parquet import TableFacts, TableUnreadable, table_batches
from shards.reader import Signal
from shards.tables import TableReader
from unlist.formats import DatasetFormat, find_columns

_SAMPLE: Final = 4096
# imagehash.phash sets the first bit in all pictures but a few that are black or nearly so.
_FIRST_BIT_SHARE: Final = 0.95


class CoyoReader(TableReader):
    """Parquet tables as COYO-700M publishes them."""

    format: ClassVar[DatasetFormat] = "coyo"

    def _hash_signal(self, tables: Sequence[TableFacts]) -> Signal:
        if not any(facts.columns.phash for facts in tables):
            return super()._hash_signal(tables)
        hashes = self._some_hashes()
        if not len(hashes):
            return Signal("hash", False, "image_phash holds no hash of 16 hex digits")
        share = float(np.mean(hashes >> np.uint64(63)))
        seen = f"the first bit is set in {share:.1%} of {len(hashes):,} read"
        if share >= _FIRST_BIT_SHARE:
            return Signal("hash", True, f"image_phash is imagehash's phash: {seen}")
        return Signal(
            "hash",
            True,
            f"image_phash is taken for imagehash's phash, but {seen}, where that sets it nearly "
            "always: if these are another hash, no photo is found by them",
        )

    def _some_hashes(self) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
        """The hashes of the first table that has any."""
        for name, facts in self._tables.items():
            files = self._files[name]
            column = facts and find_columns(facts.names).phash
            if not facts or not column or files.table is None:
                continue
            try:
                batches = table_batches(
                    self._folder, files.table, [column], most=_SAMPLE, refused=Counter()
                )
                first = next((batch for _, batch in batches), None)
            except TableUnreadable:
                continue
            hashes = _usable(first)
            if len(hashes):
                return hashes
        return np.empty(0, np.uint64)


def _usable(batch: pa.RecordBatch | None) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
    if batch is None:
        return np.empty(0, np.uint64)
    hashes = phashes_of(batch.column(0), Counter()).drop_null()
    return hashes.to_numpy(zero_copy_only=False)
