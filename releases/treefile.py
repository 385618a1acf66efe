"""The tree of a release as a file beside it: a proof then reads some forty places of it, no more.

Building the tree of a million keys takes seconds; the file (80 bytes a key) is made once, by
whoever needs it first, and read by all processes of the site without being loaded: where a
release goes live, nothing has to be forgotten. It is derived and never trusted. It is found by
the root that the manifest names; what is read leads to that root by hashing or is not used; and a
key counts as absent only between two neighbors that lead there. A file that is cut short, damaged
or away is made again from the release's own files.

Layout: magic (8 bytes), the tree's root (32), then the published values in the tree's order, each
with zeros up to 16 bytes, then the hashes of each level, leaves first.
"""

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from unlist.durable import stream_sync
from unlist.keyfile import leaf_data, tree_leaves
from unlist.keys import Keys
from unlist.manifest import ListFile, Manifest, ManifestInvalid
from unlist.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    ProofInvalid,
    leaf_hash,
    path_places,
    tree_levels,
    verify_inclusion,
)

_MAGIC: Final = b"UNLTREE1"
_VALUE_BYTES: Final = 16
_HEAD: Final = len(_MAGIC) + HASH_BYTES


class TreeDamaged(Exception):
    """The file is not the tree of its release: it is made again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A value that a release lists: which leaf it is, and the path that proves it."""

    index: int
    path: list[bytes]


class TreeFile:
    """The tree of a release, open for reading.

    Args:
        handle: the open file; it stays the caller's.
        manifest: the release.

    Raises:
        TreeDamaged: the file is another's, or of another length.
    """

    def __init__(self, handle: int, manifest: Manifest) -> None:
        self._handle = handle
        self._size, self._root = manifest.tree.size, bytes.fromhex(manifest.tree.root)
        self._ranges = dict(_ranges(manifest))
        self._levels = _level_offsets(self._size)
        if self._read(0, _HEAD) != _MAGIC + self._root:
            raise TreeDamaged
        if os.fstat(handle).st_size != self._levels[-1]:
            raise TreeDamaged

    def entry(self, kind: str, value: bytes) -> Entry | None:
        """Return where the release lists a value, and its path; None where it does not.

        Raises:
            TreeDamaged: what the file says does not lead to the manifest's root.
        """
        if kind not in self._ranges:
            return None
        start, end = self._ranges[kind]
        at = self._first_not_below(value, start, end)
        if at < end and self._value(at, len(value)) == value:
            return Entry(at, self._path(kind, value, at))
        for near in range(max(start, at - 1), min(at + 1, end)):
            self._path(kind, self._value(near, len(value)), near)
        return None

    def _first_not_below(self, value: bytes, start: int, end: int) -> int:
        while start < end:
            middle = (start + end) // 2
            if self._value(middle, len(value)) < value:
                start = middle + 1
            else:
                end = middle
        return start

    def _value(self, index: int, length: int) -> bytes:
        return self._read(_HEAD + _VALUE_BYTES * index, length)

    def _path(self, kind: str, value: bytes, index: int) -> list[bytes]:
        """Return the path of a value, which leads to the root."""
        path = [
            self._read(self._levels[level] + HASH_BYTES * place, HASH_BYTES)
            for level, place in path_places(index, self._size)
        ]
        try:
            verify_inclusion(leaf_hash(leaf_data(kind, value)), index, self._size, path, self._root)
        except ProofInvalid as fault:
            raise TreeDamaged from fault
        return path

    def _read(self, offset: int, length: int) -> bytes:
        data = os.pread(self._handle, length, offset)
        if len(data) != length:
            raise TreeDamaged
        return data


@contextlib.contextmanager
def tree_open(path: Path, manifest: Manifest) -> Iterator[TreeFile]:
    """Open the tree of a release for the block.

    Raises:
        FileNotFoundError: there is none.
        TreeDamaged: it is another's.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        yield TreeFile(handle, manifest)
    finally:
        os.close(handle)


def tree_write(path: Path, manifest: Manifest, keys_read: Callable[[ListFile], Keys]) -> None:
    """Make the tree of a release from its keys, under its name in one step.

    Args:
        path: the file; an old one is replaced, and who reads it goes on with the old.
        manifest: the release.
        keys_read: gives the keys of one of its files, ascending.

    Raises:
        ManifestInvalid: the keys are not those that the manifest's tree was built over.
    """
    triples = [(file.path, file.kind, keys_read(file)) for file in manifest.files_in_order]
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with beside.open("xb") as file:
            file.write(_MAGIC + bytes.fromhex(manifest.tree.root))
            for _, _, keys in triples:
                file.write(_padded(keys))
            top: Sequence[bytes] = ()
            for top in tree_levels(tree_leaves(triples)):
                file.write(b"".join(top))
            _root_check(manifest, file.tell(), top)
            stream_sync(file)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _root_check(manifest: Manifest, written: int, top: Sequence[bytes]) -> None:
    root = top[0] if top else EMPTY_ROOT
    fits = written == _level_offsets(manifest.tree.size)[-1]
    if not fits or root.hex() != manifest.tree.root:
        raise ManifestInvalid(
            f"The keys at hand are not those of release {manifest.release}: "
            "they give another tree root."
        )


def _padded(keys: Keys) -> bytes:
    width = keys.dtype.itemsize
    return keys.tobytes() if width == _VALUE_BYTES else keys.astype(f"V{_VALUE_BYTES}").tobytes()


def _ranges(manifest: Manifest) -> Iterator[tuple[str, tuple[int, int]]]:
    """Give for each kind where its values begin and end in the tree."""
    start = 0
    for file in manifest.files_in_order:
        yield file.kind, (start, start + file.rows)
        start += file.rows


def _level_offsets(size: int) -> list[int]:
    """Return where each level begins in the file, and where the last one ends."""
    offsets, nodes = [_HEAD + _VALUE_BYTES * size], size
    while nodes:
        offsets.append(offsets[-1] + HASH_BYTES * nodes)
        nodes = 0 if nodes == 1 else (nodes + 1) >> 1
    return offsets
