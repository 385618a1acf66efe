"""Published embeddings: the rows of an npy file, or of one array of an npz, block by block.

Headers are parsed without pickle, and no array is ever held whole.  The rows of a file that breaks
off are given as far as they go: the rest are null.
Formats: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html; an npz is a zip.
"""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Final

import numpy as np
import pyarrow as pa

from shards.storage import Folder

_KINDS: Final = ("f2", "f4", "f8")
_MAX_DIM: Final = 65_536
# NumPy reads as long a header as a file claims before it minds; a real one has some hundred bytes.
_MAX_HEADER_BYTES: Final = 65_536
# What NumPy writes; others take as much memory as a file tells them to.
_PACKINGS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGE: Final = (OSError, EOFError, zipfile.BadZipFile, zlib.error)
_NPZ: Final = ".npz"
_NPY: Final = ".npy"


class ArrayUnreadable(ValueError):
    """The file holds no table of floating-point numbers, or the disk cannot give it."""


@dataclass(frozen=True)
class ArrayFacts:
    """An array told by its header: rows, numbers in a row, and their type as NumPy writes it."""

    rows: int
    dim: int
    dtype: str


class EmbeddingRows:
    """The rows of an opened array, taken from the first to the last."""

    def __init__(self, file: IO[bytes], facts: ArrayFacts) -> None:
        self.facts = facts
        self.missing = 0
        self._file = file
        self._dtype = np.dtype(facts.dtype)
        self._ended = False

    def take(self, rows: int) -> "pa.Array[Any]":
        """The next ``rows`` rows as lists of ``float16``; null, and counted, after the end."""
        dim = self.facts.dim
        values = self._read(rows * dim)
        there = len(values) // dim
        self.missing += rows - there
        ends = pa.array((np.minimum(np.arange(rows + 1), there) * dim).astype(np.int32))
        absent = None if there == rows else pa.array(np.arange(rows) >= there)
        halves: Any = pa.array(values[: there * dim], pa.float16())
        taken: pa.Array[Any] = pa.ListArray.from_arrays(ends, halves, mask=absent)  # type: ignore[call-overload]  # the stubs know no Int32Array here
        return taken

    def _read(self, count: int) -> "np.ndarray[Any, np.dtype[np.float16]]":
        data = b""
        if not self._ended:
            try:
                data = self._file.read(count * self._dtype.itemsize)
            except _DAMAGE:
                self._ended = True
        whole = len(data) // self._dtype.itemsize
        values = np.frombuffer(data, self._dtype, count=whole)
        with np.errstate(over="ignore"):  # larger than float16 can be: infinite, told later
            return np.ascontiguousarray(values.astype("<f2", copy=False))


@contextmanager
def embedding_rows(folder: Folder, name: str, array: str = "") -> Iterator[EmbeddingRows]:
    """Open an npy file, or the array named ``array`` of an npz.

    Raises:
        ArrayUnreadable: see there.
    """
    if name.lower().endswith(_NPZ):
        with _archive(folder.read, name) as npz, _member(npz, name, array) as file:
            yield EmbeddingRows(file, _facts(file, name))
        return
    try:
        file = folder.read(name)
    except OSError as error:
        raise ArrayUnreadable(name) from error
    with file:
        yield EmbeddingRows(file, _facts(file, name))


def array_facts(folder: Folder, name: str) -> ArrayFacts:
    """An npy file told by its header, of which no more is read.

    Raises:
        ArrayUnreadable: see there.
    """
    try:
        with folder.pick(name) as file:
            return _facts(file, name)
    except OSError as error:
        raise ArrayUnreadable(name) from error


def archive_facts(folder: Folder, name: str) -> Mapping[str, ArrayFacts]:
    """What an npz holds, by array: those that are tables of floating-point numbers.

    Raises:
        ArrayUnreadable: it is no zip file, or the disk cannot give it.
    """
    facts = {}
    with _archive(folder.pick, name) as npz:
        for member in npz.namelist():
            array = member.removesuffix(_NPY)
            try:
                with _member(npz, name, array) as file:
                    facts[array] = _facts(file, name)
            except ArrayUnreadable:
                continue
    return facts


@contextmanager
def _archive(opened: Callable[[str], IO[bytes]], name: str) -> Iterator[zipfile.ZipFile]:
    try:
        file = opened(name)
    except OSError as error:
        raise ArrayUnreadable(name) from error
    with file:
        try:
            npz = zipfile.ZipFile(file)
        except _DAMAGE as error:
            raise ArrayUnreadable(name) from error
        with npz:
            yield npz


def _member(npz: zipfile.ZipFile, name: str, array: str) -> IO[bytes]:
    try:
        if npz.getinfo(array + _NPY).compress_type not in _PACKINGS:
            raise ArrayUnreadable(f"{name}: {array}")
        return npz.open(array + _NPY)
    except (KeyError, NotImplementedError, RuntimeError, *_DAMAGE) as error:
        raise ArrayUnreadable(f"{name}: {array}") from error


def _facts(file: IO[bytes], name: str) -> ArrayFacts:
    """Parse a header; the file is left where the first row begins."""
    try:
        version = np.lib.format.read_magic(file)
        read, size_bytes = {
            (1, 0): (np.lib.format.read_array_header_1_0, 2),
            (2, 0): (np.lib.format.read_array_header_2_0, 4),
        }[version]
        claimed = file.read(size_bytes)
        length = min(int.from_bytes(claimed, "little"), _MAX_HEADER_BYTES)
        shape, fortran, dtype = read(io.BytesIO(claimed + file.read(length)))
    except (ValueError, KeyError, *_DAMAGE) as error:
        raise ArrayUnreadable(name) from error
    tabular = len(shape) == 2 and shape[0] >= 0 and 0 < shape[1] <= _MAX_DIM
    if not tabular or (fortran and shape[0] > 1) or dtype.str[1:] not in _KINDS:
        raise ArrayUnreadable(name)
    return ArrayFacts(shape[0], shape[1], dtype.str)
