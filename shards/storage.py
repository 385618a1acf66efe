"""The folder that holds a dataset, wherever it lies: listing, opening and recognising files.

All paths go through fsspec, so that a bucket is read like a folder.  Names given out and taken
in are relative, with ``/`` between parts, and are only ever names that the listing gave.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, Any, Self, cast

from fsspec.core import url_to_fs

from shards.reader import FileIdentity
from unlist.formats import NotADataset

_PROBE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Folder:
    """A dataset's folder and the size in bytes of each file in it, by relative name."""

    path: str
    sizes: dict[str, int]
    _filesystem: Any
    _root: str

    @classmethod
    def open(cls, path: str) -> Self:
        """List a folder with everything below it.

        Raises:
            NotADataset: there is no such folder, or it cannot be listed.
        """
        filesystem, root = _filesystem_of(path)
        root = root.rstrip("/")
        try:
            if not filesystem.isdir(root):
                raise NotADataset(_no_folder(filesystem, root, path))
            sizes = _listed(filesystem, root)
        except OSError as error:
            raise NotADataset(
                f"{path} cannot be listed ({error.strerror or type(error).__name__}): "
                "give this process the right to read it, with everything below."
            ) from error
        return cls(path, sizes, filesystem, root)

    def read(self, name: str) -> IO[bytes]:
        """Open a file for reading and seeking.

        Raises:
            OSError: it is gone or cannot be read.
        """
        return cast("IO[bytes]", self._filesystem.open(f"{self._root}/{name}", "rb"))

    def identity(self, name: str) -> FileIdentity:
        """Size and digest of the first and last 64 KiB: changes when the file is rewritten."""
        size = self.sizes[name]
        digest = hashlib.sha256()
        try:
            with self.read(name) as file:
                digest.update(file.read(_PROBE_BYTES))
                file.seek(max(0, size - _PROBE_BYTES))
                digest.update(file.read(_PROBE_BYTES))
        except OSError:
            return {"size": size, "probe": "unreadable"}
        return {"size": size, "probe": digest.hexdigest()}

    def listing_identity(self, names: Iterable[str]) -> FileIdentity:
        """One identity for many files, by their names and sizes, without opening them."""
        digest, total = hashlib.sha256(), 0
        for name in names:
            total += self.sizes[name]
            digest.update(f"{name}\0{self.sizes[name]}\n".encode(errors="surrogateescape"))
        return {"size": total, "probe": digest.hexdigest()}


def _filesystem_of(path: str) -> tuple[Any, str]:
    try:
        filesystem, root = url_to_fs(path)
    except (ImportError, ValueError) as error:
        raise NotADataset(f"{path} cannot be opened: {error}") from error
    return filesystem, str(root)


def _no_folder(filesystem: Any, root: str, path: str) -> str:
    if filesystem.exists(root):
        return f"{path} is a file: give the folder that holds the dataset's files."
    return f"There is no folder {path}: check the path and that its disk is mounted."


def _listed(filesystem: Any, root: str) -> dict[str, int]:
    """Sizes by relative name; a folder below that cannot be read raises OSError."""

    def refuse(error: OSError) -> None:
        raise error

    sizes = {}
    for folder, _, files in filesystem.walk(root, detail=True, on_error=refuse):
        for base, info in files.items():
            name = f"{folder}/{base}".removeprefix(root).lstrip("/")
            sizes[name] = int(info["size"] or 0)
    return sizes
