"""Exact look-up: row keys (`unlist.keys`) of URLs and digests -> rows.

One sorted table for all kinds: a row key already tells its kind apart. A row has a key for its
URL, for each digest that its dataset records, and for the stored picture's own digests, since a
person may hold the file as the web had it or as the dataset stores it.

The table is cut into pages of 4 KiB, the unit in which a machine reads files: 204 keys with their
rows each. The first key of every page, its *fence*, is kept apart; these are 1/256 of the table
and stay in memory. So a look-up finds its page by the fences and reads that one page from disk,
and another only where a key runs over a page's edge. Keys are compared whole: nothing rests on
their being evenly spread.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from indexer.digests.sort import KEY_BYTES, Pairs, sort_pairs
from indexer.storage.mapped import IndexDamaged, as_read_only, map_array, map_scattered
from unlist.keyset import KeySet, as_keys

PER_PAGE: Final = 204
# One page: keys and rows in order, and how many of them count.
PAGE: Final = np.dtype(
    [
        ("keys", "u1", (PER_PAGE, KEY_BYTES)),
        ("rows", "<u4", (PER_PAGE,)),
        ("count", "<u4"),
        ("spare", "u1", (12,)),
    ]
)
# Fixed-length byte strings compare as bytes do, zeros at the end included.
_KEY: Final = f"S{KEY_BYTES}"
# Pages written, or read through, and looked up at a time: 16 and 4 MB.
_WRITTEN: Final = 1 << 12
_READ: Final = 1 << 10


@dataclass(frozen=True, eq=False, slots=True)
class DigestIndex:
    """Sorted row keys with their rows; `build`, `build_in` or `open` makes it.

    Attributes:
        pages: PAGE[p], the keys rising, rows of equal keys rising; all pages full but the last.
        fences: uint8[p, 16], the first key of each page.
    """

    pages: NDArray[Any]
    fences: NDArray[np.uint8]

    @classmethod
    def build(cls, keys: NDArray[np.uint8], rows: NDArray[np.uint32]) -> Self:
        """Sort pairs of key (uint8[n, 16]) and row (uint32[n]) in memory; equal pairs once."""
        pages = np.concatenate([np.empty(0, PAGE), *_paged(sort_pairs([(keys, rows)], None))])
        return cls(as_read_only(pages), as_read_only(pages["keys"][:, 0]))

    @classmethod
    def build_in(
        cls,
        directory: Path,
        prefix: str,
        chunks: Iterable[tuple[NDArray[np.uint8], NDArray[np.uint32]]],
    ) -> Self:
        """Sort any number of pairs into files, in bounded memory.

        Args:
            directory: where to; sorted runs wait there in a file that is gone at the end.
            prefix: of the files' names, as `open` takes it.
            chunks: keys (uint8[n, 16]) with their rows (uint32[n]), in any order; equal pairs are
                kept once.
        """
        fences = [np.empty((0, KEY_BYTES), np.uint8)]
        with _pages_path(directory, prefix).open("wb") as out:
            for pages in _paged(sort_pairs(chunks, directory)):
                out.write(pages.tobytes())
                fences.append(pages["keys"][:, 0].copy())
        np.save(_fences_path(directory, prefix), np.concatenate(fences), allow_pickle=False)
        return cls.open(directory, prefix)

    @classmethod
    def open(cls, directory: Path, prefix: str) -> Self:
        """Map the files that `save` or `build_in` wrote.

        Raises:
            IndexDamaged: they are missing, cut short, or do not belong together.
        """
        fences = map_array(_fences_path(directory, prefix), np.uint8, 2)
        path = _pages_path(directory, prefix)
        if not path.is_file() or path.stat().st_size != len(fences) * PAGE.itemsize:
            raise IndexDamaged(path.name)
        if fences.shape[1] != KEY_BYTES:
            raise IndexDamaged(_fences_path(directory, prefix).name)
        pages = np.frombuffer(map_scattered(path), PAGE) if len(fences) else np.empty(0, PAGE)
        return cls(pages, fences)

    def save(self, directory: Path, prefix: str) -> None:
        """Write `<prefix>-pages.bin` and `<prefix>-fences.npy`."""
        _pages_path(directory, prefix).write_bytes(self.pages.tobytes())
        np.save(_fences_path(directory, prefix), self.fences, allow_pickle=False)

    def __len__(self) -> int:
        if not len(self.pages):
            return 0
        return (len(self.pages) - 1) * PER_PAGE + int(self.pages["count"][-1])

    def rows_of(self, wanted: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """All rows that have any of these keys.

        Args:
            wanted: uint8[q, 16].

        Returns:
            int64[n] and uint32[n]: positions in `wanted` and rows, ordered by both.

        Raises:
            IndexDamaged: a page does not have the form it was written in.
        """
        owners, places = self._places(wanted)
        found = [
            self._read(wanted, owners[at : at + _READ], places[at : at + _READ])
            for at in range(0, len(places), _READ)
        ]
        return (
            np.concatenate([np.empty(0, np.int64), *(owner for owner, _ in found)]),
            np.concatenate([np.empty(0, np.uint32), *(rows for _, rows in found)]),
        )

    def rows_listed(self, listed: KeySet) -> NDArray[np.uint32]:
        """The rows that have any of these keys, in any order, by reading the whole table."""
        found = [np.empty(0, np.uint32)]
        for start in range(0, len(self.pages), _WRITTEN):
            pages = self.pages[start : start + _WRITTEN]
            filled = np.arange(PER_PAGE) < pages["count"][:, None]
            keys = as_keys(pages["keys"][filled])
            found.append(pages["rows"][filled][listed.contains(keys)])
        return np.concatenate(found)

    def search(self, wanted: Sequence[bytes]) -> list[int]:
        """All rows that have any of these keys, rising, each once."""
        keys = np.frombuffer(b"".join(wanted), np.uint8).reshape(-1, KEY_BYTES)
        return sorted({int(row) for row in self.rows_of(keys)[1]})

    def _places(self, wanted: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The pages that may hold a key: the last whose fence is below it, and those it begins.

        Returns:
            int64[n] each: positions in `wanted` and pages, ordered by both.
        """
        sought, fences = _as_strings(wanted), _as_strings(self.fences)
        first = np.maximum(np.searchsorted(fences, sought, side="left") - 1, 0)
        sizes = np.searchsorted(fences, sought, side="right") - first
        inside = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return np.repeat(np.arange(len(wanted)), sizes), np.repeat(first, sizes) + inside

    def _read(
        self, wanted: NDArray[np.uint8], owners: NDArray[np.int64], places: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """Rows of keys in pages, one page each; with their owners."""
        pages = self.pages[places]
        counts = pages["count"]
        full = (counts == PER_PAGE) | (places == len(self.pages) - 1)
        if not (full & (counts > 0) & (counts <= PER_PAGE)).all():
            raise IndexDamaged("pages")
        keys = np.ascontiguousarray(pages["keys"]).view(np.uint64)
        sought = np.ascontiguousarray(wanted[owners]).view(np.uint64)[:, None]
        equal = (keys == sought).all(axis=2) & (np.arange(PER_PAGE) < counts[:, None])
        page, at = np.nonzero(equal)
        return owners[page], pages["rows"][page, at]


def _paged(sorted_pairs: Iterable[Pairs]) -> Iterable[NDArray[Any]]:
    """Lay sorted pairs out in pages, some thousands at a time."""
    waiting = Pairs.none()
    for pairs in sorted_pairs:
        waiting = Pairs.joined([waiting, pairs])
        while len(waiting) > _WRITTEN * PER_PAGE:
            yield _pages(waiting[: _WRITTEN * PER_PAGE])
            waiting = waiting[_WRITTEN * PER_PAGE :]
    if len(waiting):
        yield _pages(waiting)


def _pages(pairs: Pairs) -> NDArray[Any]:
    """Pages of these pairs, all full but the last."""
    full = -(-len(pairs) // PER_PAGE)
    pages, padding = np.zeros(full, PAGE), full * PER_PAGE - len(pairs)
    keys = np.concatenate([pairs.keys(), np.zeros((padding, KEY_BYTES), np.uint8)])
    rows = np.concatenate([pairs.rows, np.zeros(padding, np.uint64)])
    pages["keys"] = keys.reshape(full, PER_PAGE, KEY_BYTES)
    pages["rows"] = rows.reshape(full, PER_PAGE)
    pages["count"] = PER_PAGE
    pages["count"][-1] = PER_PAGE - padding
    return pages


def _as_strings(keys: NDArray[np.uint8]) -> NDArray[Any]:
    return np.ascontiguousarray(keys).view(_KEY).reshape(-1)


def _pages_path(directory: Path, prefix: str) -> Path:
    return directory / f"{prefix}-pages.bin"


def _fences_path(directory: Path, prefix: str) -> Path:
    return directory / f"{prefix}-fences.npy"
