"""The files of a dataset on disk: listing them, digesting them, copying them.

Names are relative to the dataset's folder, with ``/`` between parts, sorted.  Everything there is
listed, hidden files included, except our own work folder; what a listing cannot cover (a link to a
folder) is refused, so that a copy is never silently incomplete.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from unlist.formats.refused import DatasetRefused

WORK_FOLDER: Final = ".unlist-apply"
_CHUNK: Final = 1 << 20

Advance = Callable[[int], object]
"""Told how many bytes were just dealt with."""


class DatasetUnreadable(DatasetRefused):
    """The dataset cannot be read as a folder of files; the message says what is in the way."""


@dataclass(frozen=True)
class FileFacts:
    """A file as a digest line names it: relative path, size in bytes, SHA-256 in hex."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class DatasetFiles:
    """A dataset's folder and the files in it that are meant: all of them, or the one named."""

    root: Path
    names: tuple[str, ...]

    def path(self, name: str) -> Path:
        """Where a file lies."""
        return self.root / name


def dataset_files(dataset: Path) -> DatasetFiles:
    """The files of a dataset that is a folder, or of one that is a single file.

    Raises:
        DatasetUnreadable: there is nothing, or a folder in it is a link.
    """
    if dataset.is_file():
        return DatasetFiles(dataset.parent, (dataset.name,))
    if not dataset.is_dir():
        raise DatasetUnreadable(f"There is no dataset at {dataset}: no such folder or file.")
    return DatasetFiles(dataset, tuple(sorted(_names(dataset))))


def digest(facts: Iterable[FileFacts]) -> str:
    """SHA-256 over the sorted lines ``path size sha256``, each ended by a newline; in hex."""
    lines = sorted(f"{fact.path} {fact.size} {fact.sha256}\n" for fact in facts)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def file_facts(root: Path, name: str, advance: Advance) -> FileFacts:
    """The facts of a file, read once."""
    sha256, size = hashlib.sha256(), 0
    with (root / name).open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
            size += len(chunk)
            advance(len(chunk))
    return FileFacts(name, size, sha256.hexdigest())


def file_copy(root: Path, name: str, target: Path, advance: Advance) -> FileFacts:
    """Copy a file byte for byte, with its permissions; gives its facts."""
    sha256, size = hashlib.sha256(), 0
    with (root / name).open("rb") as source, target.open("wb") as copy:
        while chunk := source.read(_CHUNK):
            sha256.update(chunk)
            copy.write(chunk)
            size += len(chunk)
            advance(len(chunk))
    shutil.copymode(root / name, target)
    return FileFacts(name, size, sha256.hexdigest())


def _names(folder: Path) -> Iterable[str]:
    for parent, folders, names in os.walk(folder):
        if parent == str(folder) and WORK_FOLDER in folders:
            folders.remove(WORK_FOLDER)
        for name in folders:
            if Path(parent, name).is_symlink():
                raise DatasetUnreadable(
                    f"{Path(parent, name)} is a link to a folder, which is not followed; "
                    "apply the list to that folder itself, or replace the link by it."
                )
        yield from (Path(parent, name).relative_to(folder).as_posix() for name in names)
