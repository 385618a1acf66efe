"""Sorting more pairs of row key and row than should lie in memory at once.

Chunks are sorted and spilled to one file as runs; the runs are then merged slice by slice. A
slice ends at a pair chosen from a sample of all runs, so that slices have about the same size
whatever the keys are: pairs are compared whole, and one key with millions of rows is cut too.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

import numpy as np
from numpy.typing import NDArray

KEY_BYTES: Final = 16
# Pairs in a run, and in a slice of all runs, about: 24 bytes each, and three times that to sort.
RUN: Final = 1 << 21
# How many pairs of a run one sampled pair stands for.
_SAMPLED: Final = 1 << 10


@dataclass(frozen=True, eq=False, slots=True)
class Pairs:
    """Keys, as two numbers that order as their bytes do, with their rows.

    Attributes:
        upper, lower: uint64[n], the first and the last eight bytes of the keys, big-endian.
        rows: uint64[n].
    """

    upper: NDArray[np.uint64]
    lower: NDArray[np.uint64]
    rows: NDArray[np.uint64]

    @classmethod
    def none(cls) -> Self:
        """No pairs."""
        return cls(*np.empty((3, 0), np.uint64))

    @classmethod
    def of(cls, keys: NDArray[np.uint8], rows: NDArray[np.uint32]) -> Self:
        """Pairs of keys (uint8[n, 16]) and rows (uint32[n])."""
        halves = halves_of(keys)
        return cls(halves[:, 0], halves[:, 1], np.asarray(rows, np.uint64))

    @classmethod
    def joined(cls, parts: "Sequence[Pairs]") -> Self:
        """All of them, one after the other."""
        return cls(
            np.concatenate([part.upper for part in parts]),
            np.concatenate([part.lower for part in parts]),
            np.concatenate([part.rows for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: Any) -> "Pairs":
        return Pairs(self.upper[at], self.lower[at], self.rows[at])

    def keys(self) -> NDArray[np.uint8]:
        """uint8[n, 16]."""
        halves = np.stack([self.upper, self.lower], axis=1).astype(">u8")
        return halves.view(np.uint8).reshape(-1, KEY_BYTES)

    def sorted(self) -> "Pairs":
        """In rising order of key, then row; equal pairs once."""
        order = np.argsort(self.upper)
        self._settle_ties(order)
        ordered = self[order]
        fresh = np.ones(len(self), bool)
        fresh[1:] = (
            (ordered.upper[1:] != ordered.upper[:-1])
            | (ordered.lower[1:] != ordered.lower[:-1])
            | (ordered.rows[1:] != ordered.rows[:-1])
        )
        return ordered if fresh.all() else ordered[fresh]

    def _settle_ties(self, order: NDArray[np.int64]) -> None:
        """Sort, in place, those of an order by `upper` that have it in common by the rest."""
        upper = self.upper[order]
        same = np.zeros(len(order) + 1, bool)
        same[1:-1] = upper[1:] == upper[:-1]
        tied = np.flatnonzero(same[1:] | same[:-1])
        among = order[tied]
        order[tied] = among[np.lexsort((self.rows[among], self.lower[among], self.upper[among]))]

    def before(self, last: "Pairs") -> int:
        """How many of these, sorted, come before the one pair `last`."""
        start = int(np.searchsorted(self.upper, last.upper[0], side="left"))
        end = int(np.searchsorted(self.upper, last.upper[0], side="right"))
        low = self.lower[start:end]
        first = start + int(np.searchsorted(low, last.lower[0], side="left"))
        end = start + int(np.searchsorted(low, last.lower[0], side="right"))
        return first + int(np.searchsorted(self.rows[first:end], last.rows[0], side="left"))


def sort_pairs(
    chunks: Iterable[tuple[NDArray[np.uint8], NDArray[np.uint32]]],
    directory: Path | None,
    *,
    run: int = RUN,
) -> Iterator[Pairs]:
    """Sort pairs of row key and row; equal pairs come once.

    Args:
        chunks: keys (uint8[n, 16]) and rows (uint32[n]).
        directory: where runs wait; None: all is sorted in memory.
        run: pairs in a run; memory is bounded by a few times that, or a chunk.

    Yields:
        Sorted pairs, each part after the one before.
    """
    if directory is None:
        yield Pairs.joined([Pairs.none(), *(Pairs.of(*chunk) for chunk in chunks)]).sorted()
        return
    with tempfile.TemporaryFile(dir=directory, prefix="runs-") as spill:
        lengths = [_spilled(pairs, spill) for pairs in _runs(chunks, run)]
        if sum(lengths):
            spill.flush()
            yield from _merged(np.memmap(spill, np.uint64, "r"), lengths, run)


def halves_of(keys: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Keys as numbers that order as they do: uint64[n, 2]."""
    return np.ascontiguousarray(keys).view(">u8").reshape(-1, 2).astype(np.uint64)


def _runs(
    chunks: Iterable[tuple[NDArray[np.uint8], NDArray[np.uint32]]], run: int
) -> Iterator[Pairs]:
    """Sorted runs of about so many pairs."""
    waiting: list[Pairs] = []
    for keys, rows in chunks:
        for start in range(0, len(rows), run):
            waiting.append(Pairs.of(keys[start : start + run], rows[start : start + run]))
            if sum(map(len, waiting)) >= run:
                yield Pairs.joined(waiting).sorted()
                waiting = []
    if waiting:
        yield Pairs.joined(waiting).sorted()


def _spilled(pairs: Pairs, spill: BinaryIO) -> int:
    """Append a run to the file, column by column; its length."""
    spill.writelines(column.data for column in (pairs.upper, pairs.lower, pairs.rows))
    return len(pairs)


def _merged(records: NDArray[np.uint64], lengths: Sequence[int], run: int) -> Iterator[Pairs]:
    """Merge the runs that lie one after the other, slice by slice."""
    parts = np.split(records, np.cumsum([3 * length for length in lengths])[:-1])
    runs = [Pairs(*part.view(np.ndarray).reshape(3, -1)) for part in parts]
    step = max(1, min(_SAMPLED, run // (2 * len(runs))))
    sample = Pairs.joined([one[::step] for one in runs]).sorted()
    ends = [sample[at : at + 1] for at in range(run // step, len(sample), max(1, run // step))]
    starts = [0] * len(runs)
    for end in ends:
        stops = [one.before(end) for one in runs]
        yield _slice(runs, starts, stops)
        starts = stops
    yield _slice(runs, starts, [len(one) for one in runs])


def _slice(runs: Sequence[Pairs], starts: Sequence[int], stops: Sequence[int]) -> Pairs:
    """The same slice of all runs, sorted together."""
    spans = zip(runs, starts, stops, strict=True)
    return Pairs.joined([one[start:stop] for one, start, stop in spans]).sorted()
