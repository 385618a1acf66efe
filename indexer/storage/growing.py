"""A file that grows along an array's first axis, behind a head that tells how far it grew."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray


class GrowingArray(ABC):
    """Writes values behind those that are there; `len` tells how many there are.

    The head is written first as that of an empty array, and again when the number is known.
    """

    def __init__(self, path: Path, dtype: npt.DTypeLike, tail: tuple[int, ...] = ()) -> None:
        """Begin a file of arrays of this type and shape[1:]."""
        self._dtype = np.dtype(dtype)
        self._tail = tail
        self._length = 0
        self._stream = path.open("wb")
        self._stream.write(self._head())

    def __len__(self) -> int:
        return self._length

    def append(self, values: NDArray[Any]) -> None:
        """Write values behind those that are there.

        Raises:
            ValueError: they are of another type or shape[1:].
        """
        if values.dtype != self._dtype or values.shape[1:] != self._tail:
            raise ValueError(
                f"{values.dtype}{values.shape} does not continue the file: "
                f"it holds {self._dtype}{(self._length, *self._tail)}"
            )
        self._stream.write(np.ascontiguousarray(values).data)
        self._length += len(values)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.seek(0)
        self._stream.write(self._head())
        self._stream.close()

    @abstractmethod
    def _head(self) -> bytes:
        """What stands before that many values: of the same length for any number of them."""
