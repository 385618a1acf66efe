"""Exact search within a Hamming radius, for codes of 64 and 256 bits.

Multi-index hashing over sorted tables (`indexer.hamming.plan` has the rule, ADR 0009 the
measurements), in compiled loops (`indexer.hamming.kernels`). Small tables are scanned, and so is
any table for a radius so wide, or a query so ordinary, that a scan is the cheaper way: a million
rows with one and the same code cost no more than comparing them.

What always holds: exactly the rows within the radius are found, each once per query, whatever the
radius. Memory stays bounded by what is found, and by far less for who takes it in `pieces`.
The tables are arrays on disk, memory-mapped, shared between processes; nothing changes them, so
any number of threads may search at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from indexer.hamming.codes import Codes, as_words
from indexer.hamming.lookup import Found, Lookup
from indexer.hamming.native import LANES
from indexer.hamming.plan import Bands, cheapest
from indexer.hamming.sort import Cut, sort_band
from indexer.hamming.threads import pool, processors
from indexer.storage.mapped import IndexDamaged, as_read_only, map_array, new_array

# Below this many rows comparing them all is as fast as looking up.
SCAN_ROWS: Final = 1 << 14
# How many rows are sorted at a time per thread when building: 128 MB.
_SORTED: Final = 1 << 24


@dataclass(frozen=True, eq=False, slots=True)
class HammingIndex:
    """Codes with their bands' tables; `build`, `build_in` or `open` makes it.

    Attributes:
        codes: uint8[n, bytes], bytes a multiple of 8, n below 2**32.
        starts: uint32[bands, 2**prefix + 1], where each bucket of a band starts in its entries;
            no bands for small tables.
        entries: uint32[bands, n + 16], tag and row number of all rows, bucket by bucket.
    """

    codes: Codes
    starts: NDArray[np.uint32]
    entries: NDArray[np.uint32]

    @classmethod
    def build(cls, codes: Codes, *, radius: int, scan_rows: int = SCAN_ROWS) -> Self:
        """Index codes in memory; from `scan_rows` rows on with band tables.

        Args:
            codes: uint8[n, bytes].
            radius: the one most searched for; any other is answered too, only slower.
            scan_rows: smaller tables get no bands.
        """
        bands = _bands(codes, radius, scan_rows)
        starts = np.zeros(_starts_shape(bands), np.uint32)
        entries = np.zeros(_entries_shape(bands), np.uint32)
        _sort(codes, bands, starts, entries)
        return cls(as_read_only(codes), as_read_only(starts), as_read_only(entries))

    @classmethod
    def build_in(
        cls, directory: Path, prefix: str, codes: Codes, *, radius: int, scan_rows: int = SCAN_ROWS
    ) -> Self:
        """Index codes straight into files: the tables never lie in memory as a whole.

        Args:
            directory: where to.
            prefix: of the files' names, as `open` takes it.
            codes: uint8[n, bytes]; memory-mapped ones stay so, and where `<prefix>-codes.npy` is
                there already it is taken for theirs.
            radius: as in `build`.
            scan_rows: as in `build`.
        """
        path = _path(directory, prefix, "codes")
        if not path.exists():
            np.save(path, codes, allow_pickle=False)
        bands = _bands(codes, radius, scan_rows)
        starts = new_array(_path(directory, prefix, "starts"), np.uint32, _starts_shape(bands))
        entries = new_array(_path(directory, prefix, "entries"), np.uint32, _entries_shape(bands))
        _sort(codes, bands, starts, entries)
        return cls.open(directory, prefix)

    @classmethod
    def open(cls, directory: Path, prefix: str) -> Self:
        """Map the files that `save` or `build_in` wrote.

        Raises:
            IndexDamaged: they are missing, cut short, or do not belong together.
        """
        codes = map_array(_path(directory, prefix, "codes"), np.uint8, 2)
        starts = map_array(_path(directory, prefix, "starts"), np.uint32, 2)
        entries = map_array(_path(directory, prefix, "entries"), np.uint32, 2)
        index = cls(codes, starts, entries)
        if codes.shape[1] % 8 or not codes.shape[1]:
            raise IndexDamaged(_path(directory, prefix, "codes").name)
        bands = index.bands
        shapes = _starts_shape(bands), _entries_shape(bands)
        if (starts.shape, entries.shape) != shapes or (starts[:, -1] != len(codes)).any():
            raise IndexDamaged(_path(directory, prefix, "starts").name)
        return index

    def save(self, directory: Path, prefix: str) -> None:
        """Write the arrays as `<prefix>-codes.npy`, `-starts.npy` and `-entries.npy`."""
        for name in ("codes", "starts", "entries"):
            np.save(_path(directory, prefix, name), getattr(self, name), allow_pickle=False)

    @property
    def bands(self) -> Bands:
        """How the codes are cut."""
        rows, size = self.codes.shape
        return Bands.cut(size * 8, rows, len(self.starts))

    def search(self, queries: Codes, radius: int, *, threads: int | None = None) -> Found:
        """Find all rows within `radius` bits of each query.

        Args:
            queries: uint8[q, bytes].
            radius: in bits, inclusive.
            threads: at most so many work on it; the machine's processors where not given.
        """
        pieces = list(self.pieces(queries, radius, threads=threads))
        none = np.empty(0, np.int64)
        return Found(
            np.concatenate([none, *(piece.queries for piece in pieces)]),
            np.concatenate([none, *(piece.rows for piece in pieces)]),
            np.concatenate([none, *(piece.distances for piece in pieces)]),
        )

    def pieces(self, queries: Codes, radius: int, *, threads: int | None = None) -> Iterator[Found]:
        """As `search`, a million pairs or so at a time, in the same order.

        For queries that may have a large part of the table near them.
        """
        if queries.shape[1] != self.codes.shape[1]:
            raise ValueError(
                f"Queries of {queries.shape[1]} bytes cannot be compared with codes of "
                f"{self.codes.shape[1]}: search the index made for them."
            )
        rows, asked = as_words(self.codes), as_read_only(as_words(queries))
        lookup = Lookup(rows, self.starts, self.entries, self.bands, asked, radius)
        yield from lookup.pieces(max(1, processors() if threads is None else threads))


def warm_up() -> None:
    """Compile all loops, or load them compiled: seconds once, then a tenth of one per process."""
    codes = np.zeros((32, 32), np.uint8)
    for scan_rows in (1, len(codes) + 1):
        HammingIndex.build(codes, radius=1, scan_rows=scan_rows).search(codes[:1], 1)


def _bands(codes: Codes, radius: int, scan_rows: int) -> Bands:
    rows, size = codes.shape
    if size % 8 or rows >= 1 << 32:
        raise ValueError(
            f"{rows} codes of {size} bytes cannot be indexed: their bytes must be a multiple of 8 "
            "and their number below 2**32."
        )
    if rows < max(scan_rows, 1):
        return Bands.cut(size * 8, rows, 0)
    return cheapest(size * 8, rows, radius)


def _starts_shape(bands: Bands) -> tuple[int, int]:
    return bands.count, (1 << bands.prefix_bits) + 1


def _entries_shape(bands: Bands) -> tuple[int, int]:
    # Rounded up, so that each band's entries begin at a cache line.
    return bands.count, (-(-bands.rows // LANES) + 1) * LANES


def _sort(
    codes: Codes, bands: Bands, starts: NDArray[np.uint32], entries: NDArray[np.uint32]
) -> None:
    """Fill the tables, a band per thread at a time."""
    words, pairs = as_read_only(as_words(codes)), min(len(codes), _SORTED)
    prefix, lower, row_bits = bands.prefix_bits, bands.prefix_bits // 2, bands.row_bits

    def sort(band: int) -> None:
        cut = Cut(bands.firsts[band], prefix, bands.seen_bits[band] - prefix, row_bits, lower)
        sort_band(words, cut, starts[band], entries[band], np.empty(pairs, np.uint64))

    list(pool().map(sort, range(bands.count)))


def _path(directory: Path, prefix: str, name: str) -> Path:
    return directory / f"{prefix}-{name}.npy"
