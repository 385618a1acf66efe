"""The folder that holds a dataset, wherever it lies: listing, opening and recognizing files.

All paths go through fsspec, so that a bucket is read like a folder.  Names given out and taken
in are relative, with ``/`` between parts, and are only ever names that the listing gave.  Whatever
a storage library raises comes out as ``OSError``.  No sentence of a refusal holds what a URL may
carry before its ``@`` and after its ``?``: logs, the catalog and ``doctor`` repeat those sentences.
"""

import hashlib
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Final, Self, TypeVar, cast

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from shards.reader import FileIdentity
from unlist.formats import NotADataset

_T = TypeVar("_T")
_PROBE_BYTES: Final = 64 * 1024
# Requests to a bucket of this size while a file is read from start to end: few, yet bounded.
_STREAM_BLOCK: Final = 8 * 1024 * 1024
_AT_ONCE: Final = 16
# User and password, in which a slash is seen too, and the query, which may be a signature.
_SECRETS: Final = re.compile(r"(?<=://)(?:[^/\s]+|[^/:\s]*:\S+)(?=@)|(?<=\?)\S+")


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
            with _as_oserror():
                filesystem.invalidate_cache()
                if not filesystem.isdir(root):
                    raise NotADataset(_no_folder(filesystem, root, path))
                sizes = _listed(filesystem, root)
        except OSError as error:
            raise NotADataset(
                _hushed(
                    f"{path} cannot be listed ({error.strerror or str(error)}): "
                    "give this process the right to read it, with everything below.",
                    path,
                )
            ) from None  # the library's own words may hold what was just left out
        return cls(path, sizes, filesystem, root)

    def read(self, name: str) -> IO[bytes]:
        """Open a file that is read from start to end, mostly; seeking works.

        Raises:
            OSError: it is gone or cannot be read.
        """
        return self._open(name, cache_type="readahead", block_size=_STREAM_BLOCK)

    def pick(self, name: str) -> IO[bytes]:
        """Open a file of which a few places are read: each read asks the storage for just that.

        Raises:
            OSError: it is gone or cannot be read.
        """
        return self._open(name, cache_type="none")

    def identity(self, name: str) -> FileIdentity:
        """Size and digest of the first and last 64 KiB: changes when the file is rewritten."""
        size = self.sizes[name]
        digest = hashlib.sha256()
        try:
            with self.pick(name) as file:
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

    def _open(self, name: str, **options: Any) -> IO[bytes]:
        path = f"{self._root}/{name}"
        if isinstance(self._filesystem, LocalFileSystem):
            return cast("IO[bytes]", self._filesystem.open(path, "rb"))
        with _as_oserror():
            return cast("IO[bytes]", _Remote(self._filesystem.open(path, "rb", **options)))


def side_by_side(look: Callable[[str], _T], names: Sequence[str]) -> list[_T]:
    """What ``look`` says of each name, several asked at once: storage answers late, not slowly."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(look, names))


class _Remote(io.BufferedIOBase):
    """A file whose storage library has errors of its own: they come out as ``OSError``."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size: int | None = -1, /) -> bytes:
        with _as_oserror():
            return cast("bytes", self._file.read(-1 if size is None else size))

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return cast("int", self._file.seek(offset, whence))

    def tell(self) -> int:
        return cast("int", self._file.tell())

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()


@contextmanager
def _as_oserror() -> Iterator[None]:
    try:
        yield
    except (OSError, NotADataset):
        raise
    except Exception as error:  # what may come depends on the storage: botocore's, aiohttp's, …
        raise OSError(f"{type(error).__name__}: {error}") from error


def _filesystem_of(path: str) -> tuple[Any, str]:
    try:
        filesystem, root = url_to_fs(path)
    except Exception as error:  # noqa: BLE001  # some are connected to here: they raise anything
        raise NotADataset(_hushed(f"{path} cannot be opened: {error}", path)) from None
    return filesystem, str(root)


def _hushed(sentence: str, path: str) -> str:
    """A sentence without what a URL holds beside its address, wherever it repeats that."""
    if "://" in path:
        found = {secret for part in path.split("::") for secret in _SECRETS.findall(part)}
        for secret in sorted(found, key=len, reverse=True):
            sentence = sentence.replace(secret, "…")
    return sentence


def _no_folder(filesystem: Any, root: str, path: str) -> str:
    if filesystem.exists(root):
        return _hushed(f"{path} is a file: give the folder that holds the dataset's files.", path)
    return _hushed(f"There is no folder {path}: check the path and that its disk is mounted.", path)


def _listed(filesystem: Any, root: str) -> dict[str, int]:
    """Sizes by relative name; a folder below that cannot be read raises OSError."""
    if isinstance(filesystem, LocalFileSystem):
        return _walked(filesystem, root)
    found = filesystem.find(root, detail=True)
    names = ((path.removeprefix(root).lstrip("/"), info) for path, info in found.items())
    return {name: int(info["size"] or 0) for name, info in names if name}


def _walked(filesystem: LocalFileSystem, root: str) -> dict[str, int]:

    def refuse(error: OSError) -> None:
        raise error

    sizes = {}
    for folder, _, files in filesystem.walk(root, detail=True, on_error=refuse):
        for base, info in files.items():
            name = f"{folder}/{base}".removeprefix(root).lstrip("/")
            sizes[name] = int(info["size"] or 0)
    return sizes
