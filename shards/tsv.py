"""Tab-separated text as CC12M publishes it: an address and a caption per line, and no header.

Which column holds what is told by looking at the first lines: one of addresses, one of hex of a
digest's length, else the caption; a first line that names its columns is believed instead.  A row
goes by its line, ``#0`` for the first.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any, ClassVar, Final

import numpy as np
import pyarrow as pa

from shards.arrow import pc
from shards.columns import lenient_text_of
from shards.lines import Block, count_lines, line_blocks, split
from shards.metadata import Told, batch_of, rows_told
from shards.parquet import TableFacts
from shards.reader import TABLE_ROWS
from shards.tables import TableReader
from shards.unpack import Forward, unpacked
from unlist.formats import DatasetFormat, ShardFiles, find_columns

_LOOKED_AT: Final = 200
_MOST_COLUMNS: Final = 64
_LIKE: Final = {
    "url": r"^[hH][tT][tT][pP][sS]?://",
    "sha256": r"^[0-9a-fA-F]{64}$",
    "md5": r"^[0-9a-fA-F]{32}$",
}


class TsvReader(TableReader):
    """Text files with one row a line, plain or compressed by gzip or zstd."""

    format: ClassVar[DatasetFormat] = "tsv"

    def _batches(
        self,
        files: ShardFiles,
        facts: TableFacts,
        told: Told,
        rows: int | None,
        refused: Counter[str],
    ) -> Iterator[pa.RecordBatch]:
        """See ``TableReader._batches``."""
        reading = _Reading(facts.names, told, files.name, refused)
        try:
            with self._opened(files) as text:
                for block in line_blocks(text):
                    yield from _sliced(reading.rows_of(block), rows or TABLE_ROWS)
                if isinstance(text, Forward) and text.broken:
                    refused["table_cut_short"] += 1
        except OSError:
            refused["row_unreadable"] += facts.rows - (reading.line - reading.header)

    def _look(self, files: ShardFiles) -> TableFacts | None:
        try:
            with self._opened(files) as text:
                names, header = _columns(next(line_blocks(text), None))
            with self._opened(files) as text:
                return TableFacts(count_lines(text) - header, names, Counter())
        except OSError:
            return None

    @contextmanager
    def _opened(self, files: ShardFiles) -> Iterator[IO[bytes]]:
        if files.table is None:
            raise FileNotFoundError(files.name)
        with self._folder.read(files.table) as file, unpacked(file, files.table) as text:
            yield text


class _Reading:
    """One file being read: ``line`` is the number of the next one, ``header`` of those that name.

    A header line is no row: the first row is the line after it.
    """

    def __init__(
        self, names: tuple[str, ...], told: Told, shard: str, refused: Counter[str]
    ) -> None:
        self.line = 0
        self.header = 0
        self._names = names
        self._told = told
        self._shard = shard
        self._refused = refused

    def rows_of(self, block: Block) -> pa.RecordBatch:
        """The rows of a block; a line that is too long is counted."""
        fields = split(block, len(self._names))
        usable = ~block.too_long
        self._refused.update({"line_too_long": int((~usable).sum())} if not usable.all() else {})
        if self.line == 0 and _is_header(fields):
            self.header = 1
            usable[0] = False
        places = np.flatnonzero(usable) + self.line - self.header
        self.line += len(block)
        kept = [field.filter(pa.array(usable)) for field in fields]
        batch = pa.RecordBatch.from_arrays(kept, names=list(self._names))
        return batch_of(
            rows_told(batch, self._told, shard=self._shard, places=places, refused=self._refused)
        )


def _sliced(batch: pa.RecordBatch, most: int) -> Iterator[pa.RecordBatch]:
    for start in range(0, batch.num_rows, most):
        yield batch.slice(start, most)


def _columns(block: Block | None) -> tuple[tuple[str, ...], int]:
    """The names of a file's columns, and how many lines name them, by its first lines."""
    if block is None:
        return ("url", "caption"), 0
    start = Block(block.data, block.starts[:_LOOKED_AT], block.ends[:_LOOKED_AT])
    fields = split(start, _width(start))
    if _is_header(fields):
        return tuple(lenient_text_of(field[:1])[0].as_py() or "" for field in fields), 1
    return _names_told(fields), 0


def _width(block: Block) -> int:
    """How many columns most lines have; empty lines do not count."""
    lines = [
        block.data[start:end]
        for start, end in zip(block.starts.tolist(), block.ends.tolist(), strict=True)
    ]
    widths = Counter(line.count(b"\t") + 1 for line in lines if line)
    most = widths.most_common(1)[0][0] if widths else 1
    return int(min(_MOST_COLUMNS, most))


def _is_header(fields: "Sequence[pa.Array[Any]]") -> bool:
    """Whether the first line names its columns, one of them as addresses."""
    firsts = lenient_text_of(pa.concat_arrays([field[:1] for field in fields])).to_pylist()
    return find_columns(first or "" for first in firsts).url is not None


def _names_told(fields: "Sequence[pa.Array[Any]]") -> tuple[str, ...]:
    """Names for columns by what most of their entries look like; one that is left is a caption."""
    roles: dict[int, str] = {}
    for role, pattern in _LIKE.items():
        fitting = [
            n for n, field in enumerate(fields) if n not in roles and _mostly(field, pattern)
        ]
        if fitting:
            roles[fitting[0]] = role
    if "url" not in roles.values():
        roles[min(set(range(len(fields))) - roles.keys(), default=0)] = "url"
    for number in range(len(fields)):
        free = "caption" not in roles.values()
        roles.setdefault(number, "caption" if free else f"column {number}")
    return tuple(roles[number] for number in range(len(fields)))


def _mostly(field: "pa.Array[Any]", pattern: str) -> bool:
    given = lenient_text_of(field.drop_null())
    fits = pc.sum(pc.match_substring_regex(given, pattern), min_count=0).as_py()
    return bool(len(given)) and fits * 2 > len(given)
