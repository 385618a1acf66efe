"""Which files an index directory has, and how they are written and mapped into memory.

index.json               see `indexer.storage.manifest`
rows.arrow               Arrow IPC file: the row table, see `indexer.group.rows`
vectors.faiss            float16[n, dim], each of length 1: a FAISS index, see `indexer.vectors`
vectors.ivf, .lists      in large groups, inverted lists over them: see `indexer.vectors.lists`
pdq-*.npy, phash-*.npy   Hamming indexes, see `indexer.hamming`
digest-*                 see `indexer.digests`
<name>-at.npy            uint32[n], rising: the rows that vectors, pdq or phash belong to; no file
                         where every row has one
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from indexer.storage.growing import GrowingArray
from indexer.storage.mapped import map_array

ROWS_FILE: Final = "rows.arrow"
VECTORS: Final = "vectors"
VECTORS_FILE: Final = "vectors.faiss"
LISTS_FILE: Final = "vectors.ivf"
LISTS_DATA_FILE: Final = "vectors.lists"
PDQ: Final = "pdq"
PHASH: Final = "phash"
MAPPED: Final = (VECTORS, PDQ, PHASH)  # those that not every row has
DIGEST: Final = "digest"

_ROW_TYPES: Final[dict[str, pa.DataType]] = {
    "key": pa.string(),
    "shard": pa.string(),
    "index": pa.int64(),
    "url": pa.string(),
    "sha256": pa.string(),
    "md5": pa.string(),
    "offset": pa.int64(),
}
ROW_SCHEMA: Final = pa.schema(_ROW_TYPES)


@dataclass(frozen=True, eq=False, slots=True)
class RowMap:
    """Which rows of a group have something, and where it stands among those that have.

    Attributes:
        at: uint32[n], the row of each place, rising; None where each row stands at its number.
    """

    at: NDArray[np.uint32] | None

    @classmethod
    def open(cls, directory: Path, name: str) -> Self:
        """Map the file of that name, if there is one."""
        path = map_path(directory, name)
        return cls(map_array(path, np.uint32, 1) if path.exists() else None)

    def fits(self, length: int, rows: int) -> bool:
        """Whether it can be that of so many places in a group of so many rows."""
        if self.at is None:
            return length == rows
        return length == len(self.at) <= rows and (not length or int(self.at[-1]) < rows)

    def rows(self, places: NDArray[Any]) -> NDArray[np.uint32]:
        """The rows at these places: uint32, in the same shape."""
        found: NDArray[np.uint32] = (
            places.astype(np.uint32) if self.at is None else np.asarray(self.at[places])
        )
        return found

    def places(self, rows: NDArray[np.uint32]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Which of these rows have something, and the places of those that do, in their order."""
        if self.at is None:
            return np.ones(len(rows), np.bool_), rows.astype(np.int64)
        near = np.searchsorted(self.at, rows)
        there = near < len(self.at)
        there[there] = self.at[near[there]] == rows[there]
        return there, near[there].astype(np.int64)


class ArrayWriter(GrowingArray):
    """A `.npy` file that grows along its first axis."""

    def _head(self) -> bytes:
        """The header: numpy leaves room in it for the first axis to grow."""
        facts = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self._length, *self._tail),
        }
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(head, facts)
        return head.getvalue()


def map_path(directory: Path, name: str) -> Path:
    """Where the row map of `name` lies, if there is one."""
    return directory / f"{name}-at.npy"


def codes_path(directory: Path, name: str) -> Path:
    """Where `indexer.hamming` looks for the codes of an index."""
    return directory / f"{name}-codes.npy"
