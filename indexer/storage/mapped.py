"""Arrays in files, mapped into memory read-only: what the exact indexes are made of.

Opening takes no load time and the processes of a machine share one copy. What does not have the
form it was written in is refused; whether the content is what was written, the digests in
`indexer.storage.manifest` tell.
"""

import mmap
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray


class IndexDamaged(ValueError):
    """Files of an index do not have the form or the content that they were written with."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The index file {name!r} is damaged: remove its index and run index_dataset again."
        )


def map_array(path: Path, dtype: type[np.generic], dimensions: int) -> NDArray[Any]:
    """Map a `.npy` file into memory, read-only.

    Args:
        path: the file.
        dtype: of its numbers.
        dimensions: how many axes it has.

    Raises:
        IndexDamaged: it is missing, cut short, or of another form.
    """
    try:
        mapped: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise IndexDamaged(path.name) from error
    array = cast("NDArray[Any]", mapped.view(np.ndarray))
    if array.dtype != dtype or array.ndim != dimensions or not array.flags.c_contiguous:
        raise IndexDamaged(path.name)
    return array


def map_scattered(path: Path) -> mmap.mmap:
    """Map a file of which single pages far apart are read: reading one fetches no neighbors.

    Raises:
        OSError, ValueError: there is no such file, or nothing in it.
    """
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if hasattr(mmap, "MADV_RANDOM"):
        mapped.madvise(mmap.MADV_RANDOM)
    return mapped


def new_array(path: Path, dtype: type[np.generic], shape: tuple[int, ...]) -> NDArray[Any]:
    """Make a `.npy` file of zeros and map it into memory, to be filled; empty ones are only saved.

    Its pages reach the disk as the system sees fit: flush the file before relying on it.
    """
    if 0 in shape:
        np.save(path, np.zeros(shape, dtype), allow_pickle=False)
        return np.zeros(shape, dtype)
    mapped: Any = np.lib.format.open_memmap(path, "w+", dtype, shape)
    return cast("NDArray[Any]", mapped.view(np.ndarray))


def as_read_only(array: NDArray[Any]) -> NDArray[Any]:
    """The same numbers, contiguous, not to be written to."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
