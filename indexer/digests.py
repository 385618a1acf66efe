"""Exact look-up: row keys (`unlist.keys`) of URLs and digests -> rows.

One sorted table for all kinds: a row key already tells its kind apart. A row has a key for its
URL, for each digest that its dataset records, and for the stored picture's own digests, since a
person may hold the file as the web had it or as the dataset stores it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

KEY_BYTES: Final = 16
# Fixed-length byte strings compare as bytes do, zeros at the end included.
_KEY: Final = f"S{KEY_BYTES}"


@dataclass(frozen=True, eq=False, slots=True)
class DigestIndex:
    """Sorted row keys with their rows.

    Attributes:
        keys: uint8[n, 16], rising.
        rows: uint32[n].
    """

    keys: NDArray[np.uint8]
    rows: NDArray[np.uint32]

    @classmethod
    def build(cls, keys: NDArray[np.uint8], rows: NDArray[np.uint32]) -> Self:
        """Sort pairs of key (uint8[n, 16]) and row (uint32[n]); equal pairs are kept once."""
        order = np.lexsort((rows, _as_strings(keys)))
        keys, rows = keys[order], rows[order]
        fresh = np.ones(len(rows), bool)
        fresh[1:] = (keys[1:] != keys[:-1]).any(axis=1) | (rows[1:] != rows[:-1])
        return cls(np.ascontiguousarray(keys[fresh]), rows[fresh])

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Take arrays as `arrays` named them, memory-mapped or not."""
        return cls(arrays["keys"], arrays["rows"])

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays to store, by name."""
        return {"keys": self.keys, "rows": self.rows}

    def search(self, wanted: Sequence[bytes]) -> list[int]:
        """All rows that have any of these keys, rising, each once."""
        table = _as_strings(self.keys)
        sought = _as_strings(np.frombuffer(b"".join(wanted), np.uint8).reshape(-1, KEY_BYTES))
        starts = np.searchsorted(table, sought, side="left")
        ends = np.searchsorted(table, sought, side="right")
        spans = zip(starts, ends, strict=True)
        return sorted({int(row) for start, end in spans for row in self.rows[start:end]})


def _as_strings(keys: NDArray[np.uint8]) -> np.ndarray:
    return np.ascontiguousarray(keys).view(_KEY).reshape(-1)
