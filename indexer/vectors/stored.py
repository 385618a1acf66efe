"""Writing and reading the file of vectors while an index is built.

The file is a FAISS index of 16-bit floats (scalar quantizer, inner product), so that other tools
open it too. It is read here by plain reads into one buffer: mapped pages would count as memory of
the process that builds.
"""

import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.storage.growing import GrowingArray

BLOCK: Final = 4096
_BYTES: Final = 2
# Of the number of vectors in the file's head: behind the index's type and dimension.
_COUNT: Final = slice(8, 16)


class VectorWriter(GrowingArray):
    """Writes vectors, float16[n, dim], block by block.

    The file begins as that of an empty index, in which two counts are set.
    """

    def __init__(self, path: Path, dim: int) -> None:
        self._bare = faiss.serialize_index(_empty(dim)).tobytes()
        super().__init__(path, np.float16, (dim,))

    def _head(self) -> bytes:
        head = bytearray(self._bare)
        head[_COUNT] = self._length.to_bytes(8, "little")
        head[-8:] = (self._length * self._tail[0] * _BYTES).to_bytes(8, "little")
        return bytes(head)


class StoredVectors:
    """Reads what `VectorWriter` wrote.

    Attributes:
        dim: how many numbers a vector has.
    """

    def __init__(self, path: Path, dim: int) -> None:
        self.dim = dim
        self._path = path
        self._codec = _empty(dim)
        self._head = len(faiss.serialize_index(self._codec))
        self._count = (path.stat().st_size - self._head) // (dim * _BYTES)

    def __len__(self) -> int:
        return self._count

    def blocks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """All vectors in pieces: the place of the first, float32[n, dim] to be used at once."""
        halves = np.empty((BLOCK, self.dim), np.float16)
        wide = np.empty((BLOCK, self.dim), np.float32)
        with self._path.open("rb", buffering=0) as stream:
            stream.seek(self._head)
            for start in range(0, len(self), BLOCK):
                count = min(BLOCK, len(self) - start)
                _fill(stream, halves[:count])
                yield start, widen(self._codec, halves[:count], wide)

    def take(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors at these places: float32[n, dim]."""
        size = self.dim * _BYTES
        with self._path.open("rb", buffering=0) as stream:
            file = stream.fileno()
            found = [os.pread(file, size, self._head + size * int(place)) for place in places]
        halves = np.frombuffer(b"".join(found), np.float16).reshape(-1, self.dim)
        return halves.astype(np.float32)


def widen(
    codec: Any, halves: NDArray[np.float16], room: NDArray[np.float32]
) -> NDArray[np.float32]:
    """16-bit floats as 32-bit ones, in the first rows of `room`: faster than NumPy's way."""
    wide: NDArray[np.float32] = codec.sa_decode(halves.view(np.uint8), x=room[: len(halves)])
    return wide


def _fill(stream: FileIO, room: NDArray[np.float16]) -> None:
    """Read until `room` is full."""
    rest = room.data.cast("B")
    while len(rest):
        count = stream.readinto(rest)
        if not count:
            raise OSError("the file of vectors ended early")
        rest = rest[count:]


def _empty(dim: int) -> Any:
    return faiss.IndexScalarQuantizer(
        dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
