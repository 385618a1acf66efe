"""Rows removed since their group was indexed: masked in every search, never by rebuilding.

A dataset's masked rows are kept as row keys, in a key file (`unlist.keyfile`) beside its index
directories, which stay as they are. Keys outlive a new index of the same rows, and name a row
wherever it lies. Which rows of a group they are is looked up in its digest table when it is first
searched, and again when the file has changed.

What always holds: a row that has any masked key is in no search's answer, whatever else finds it.
"""

import fcntl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from catalog.models import Dataset, Group, indexes_path
from indexer.group.index import IndexGroup
from indexer.storage.manifest import GroupUnreadable
from unlist.durable import file_write
from unlist.keyfile import KeyFileInvalid, keyfile_read, keyfile_write
from unlist.keys import Keys
from unlist.keyset import KeySet, sorted_unique

_Stamp = tuple[int, int, int]


def masked_path(dataset: str) -> Path:
    """The key file of a dataset's masked rows; it need not be there."""
    return indexes_path(dataset) / "masked.parquet"


def keys_mask(*, dataset: Dataset, keys: Keys) -> int:
    """Mask the rows that have any of these keys, from the next search on; returns all masked keys.

    Raises:
        GroupUnreadable: what was masked before cannot be read.
    """
    return _change(dataset.name, lambda masked: np.concatenate([masked, keys]))


def keys_unmask(*, dataset: Dataset, keys: Keys) -> int:
    """Let rows be found again by taking these keys back; returns how many keys stay masked.

    A row stays masked while another of its keys is.

    Raises:
        GroupUnreadable: what was masked before cannot be read.
    """
    taken = KeySet(sorted_unique(keys))
    return _change(dataset.name, lambda masked: masked[~taken.contains(masked)])


def rows_masked(group: Group, opened: IndexGroup) -> NDArray[np.uint32]:
    """The rows of an opened group that no search may find: uint32, rising.

    Raises:
        GroupUnreadable: the file that says so cannot be read; a search without it would be wrong.
    """
    path = masked_path(group.dataset.name)
    try:
        status = path.stat()
    except FileNotFoundError:
        return np.empty(0, np.uint32)
    return _rows(opened, path, (status.st_mtime_ns, status.st_size, status.st_ino))


@lru_cache(maxsize=256)
def _rows(opened: IndexGroup, path: Path, stamp: _Stamp) -> NDArray[np.uint32]:
    return opened.rows_listed(_listed(path, stamp))


@lru_cache(maxsize=8)
def _listed(path: Path, stamp: _Stamp) -> KeySet:  # noqa: ARG001  # another stamp, another file
    return KeySet(_read(path))


def _change(dataset: str, change: Callable[[Keys], Keys]) -> int:
    path = masked_path(dataset)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _lock(path), tempfile.TemporaryDirectory() as folder:
        masked = _read(path) if path.exists() else np.empty(0, "V16")
        facts = keyfile_write(made := Path(folder, path.name), change(masked))
        file_write(path, made.read_bytes())
    return facts.rows


def _read(path: Path) -> Keys:
    try:
        return keyfile_read(path)
    except KeyFileInvalid as error:
        raise GroupUnreadable(
            f"The masked rows in {path} cannot be read ({error}): "
            "remove the file and run mask_rows again."
        ) from error


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """One change at a time; the kernel lets go of the lock when the process ends."""
    with path.with_name(f".{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
