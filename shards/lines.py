"""Lines of a text file of any size, cut into columns at tabs, block by block and never row by row.

A tab-separated file as CC12M's has no header, no quoting and no escapes: a quotation mark is a
quotation mark.  A line with fewer tabs than columns leaves the last ones empty; of one with more,
the last column holds the rest.  A line may end in CR LF, and the last one in nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shards.arrow import pc

MAX_LINE_BYTES: Final = 1024 * 1024
_BLOCK_BYTES: Final = 8 * 1024 * 1024
_TAB: Final = 9
_LF: Final = 10
_CR: Final = 13


@dataclass(frozen=True)
class Block:
    """Whole lines: their bytes, and where each begins and ends (line ends not included)."""

    data: bytes
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def too_long(self) -> npt.NDArray[np.bool_]:
        """Which lines exceed ``MAX_LINE_BYTES``."""
        return self.ends - self.starts > MAX_LINE_BYTES


def line_blocks(file: IO[bytes]) -> Iterator[Block]:
    """The lines of a file, a few MiB at a time; of one longer than that only a part is kept."""
    rest = b""
    while chunk := file.read(_BLOCK_BYTES):
        end = chunk.rfind(b"\n") + 1
        if not end:
            # No line ends here: of an endless line as much is kept as shows that it is too long.
            rest = (rest + chunk)[: MAX_LINE_BYTES + 2]
            continue
        yield _block(rest + chunk[:end])
        rest = chunk[end:]
    if rest:
        yield _block(rest)


def count_lines(file: IO[bytes]) -> int:
    """How many lines a file has, as ``line_blocks`` gives them."""
    lines, last = 0, b"\n"
    while chunk := file.read(_BLOCK_BYTES):
        lines += chunk.count(b"\n")
        last = chunk[-1:]
    return lines + (last != b"\n")


def split(block: Block, columns: int) -> "list[pa.Array[Any]]":
    """The columns of a block's lines, ``binary``; nothing between two tabs is null."""
    cuts = _cuts(block, columns)
    # Every line in pieces that follow on each other: column, tab, column, …, column, line end.
    bounds = np.concatenate(([0], cuts.ravel(), [len(block.data)])).astype(np.int32)
    pieces = pa.Array.from_buffers(
        pa.binary(),
        len(bounds) - 1,
        [None, pa.py_buffer(bounds.tobytes()), pa.py_buffer(block.data)],
    )
    each = cuts.shape[1]
    lines = np.arange(len(block), dtype=np.int64) * each + 1
    return [_column(pieces, lines + 2 * number) for number in range(columns)]


def _block(data: bytes) -> Block:
    codes = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(codes == _LF)
    if not data.endswith(b"\n"):
        ends = np.append(ends, len(data))
    starts = np.concatenate(([0], ends[:-1] + 1))
    carriage = (ends > starts) & (codes[np.maximum(ends - 1, 0)] == _CR)
    return Block(data, starts, ends - carriage)


def _cuts(block: Block, columns: int) -> npt.NDArray[np.int64]:
    """Where each line's columns begin and end: int64[lines, 2 * columns], rising."""
    tabs = np.append(np.flatnonzero(np.frombuffer(block.data, np.uint8) == _TAB), len(block.data))
    first = np.searchsorted(tabs, block.starts)
    cuts = np.empty((len(block), 2 * columns), np.int64)
    begin = block.starts
    for number in range(columns - 1):
        tab = np.minimum(tabs[np.minimum(first + number, len(tabs) - 1)], block.ends)
        cuts[:, 2 * number], cuts[:, 2 * number + 1] = begin, tab
        begin = np.minimum(tab + 1, block.ends)
    cuts[:, -2], cuts[:, -1] = begin, block.ends
    return cuts


def _column(pieces: "pa.Array[Any]", places: npt.NDArray[np.int64]) -> "pa.Array[Any]":
    taken = pieces.take(places)
    column: pa.Array[Any] = pc.if_else(pc.equal(pc.binary_length(taken), 0), None, taken)
    return column
