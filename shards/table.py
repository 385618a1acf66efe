"""A shard's metadata table, cut down to what joining and listing a row needs.

The text of a table is somebody else's data: invalid UTF-8 and malformed digests are counted,
never fatal, and a row without them is still a row.  The columns stay Arrow arrays; a row becomes
Python objects only when its image is met.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from shards.storage import Folder
from unlist.formats import Columns, find_columns

_T = TypeVar("_T")
_SUCCESS: Final = b"success"
_FAILURES: Final = frozenset((b"failed_to_download", b"failed_to_resize"))
_HEX: Final = {
    "sha256": re.compile(rb"[0-9a-fA-F]{64}"),
    "md5": re.compile(rb"[0-9a-fA-F]{32}"),
}


class TableUnreadable(ValueError):
    """The file is no whole parquet file, or the disk cannot give it."""


@dataclass(frozen=True)
class TableRow:
    """What the table says of one row, as far as it can be used."""

    index: int
    url: str | None
    caption: str | None
    sha256: str | None
    md5: str | None


@dataclass(frozen=True)
class TableFacts:
    """A table told by its footer and its status column: rows, columns and failed rows by reason."""

    rows: int
    names: tuple[str, ...]
    failed: Mapping[str, int]

    @property
    def columns(self) -> Columns:
        """Which column plays which role."""
        return find_columns(self.names)


class ShardTable:
    """The identifying columns of one shard's table, and where each key's row is."""

    def __init__(self, table: pa.Table, columns: Columns, refused: Counter[str]) -> None:
        """Index ``table`` by key; rows that no key leads to are counted in ``refused``."""
        self._columns = {
            role: _binary(table.column(name)) for role, name in vars(columns).items() if name
        }
        self._index = _rows_by_key(self._columns.get("key"), table.num_rows, refused)

    def index_of(self, key: str) -> int | None:
        """The 0-based row that has ``key``."""
        return self._index.get(key)

    @property
    def has_keys(self) -> bool:
        """Whether the table has a key column to join on."""
        return "key" in self._columns

    def indices(self) -> frozenset[int]:
        """Every row that some key leads to."""
        return frozenset(self._index.values())

    def failure(self, index: int) -> str | None:
        """The reason code of a row that its maker marked as failed."""
        return _failure(self._value("status", index)) if "status" in self._columns else None

    def row(self, index: int, refused: Counter[str]) -> TableRow:
        """One row; what cannot be used of it is null, and counted where that is a loss."""
        return TableRow(
            index=index,
            url=self._url(index, refused),
            caption=_lenient(self._value("caption", index)),
            sha256=self._digest("sha256", index, refused),
            md5=self._digest("md5", index, refused),
        )

    def _url(self, index: int, refused: Counter[str]) -> str | None:
        value = self._value("url", index)
        if not value:
            refused["url_missing"] += 1
            return None
        url = _strict(value)
        if url is None:
            refused["url_malformed"] += 1
        return url

    def _digest(self, kind: str, index: int, refused: Counter[str]) -> str | None:
        value = self._value(kind, index)
        if not value:
            return None
        if not _HEX[kind].fullmatch(value):
            refused["digest_malformed"] += 1
            return None
        return value.decode().lower()

    def _value(self, role: str, index: int) -> bytes | None:
        column = self._columns.get(role)
        value = None if column is None else column[index].as_py()
        return value if isinstance(value, bytes) else None


def table_facts(folder: Folder, name: str) -> TableFacts:
    """Look at a table without reading its rows.

    Raises:
        TableUnreadable: see there.
    """

    def look(parquet: pq.ParquetFile) -> TableFacts:
        names = tuple(parquet.schema_arrow.names)
        status = find_columns(names).status
        failed = _failed(parquet.read([status]).column(status)) if status else {}
        return TableFacts(parquet.metadata.num_rows, names, failed)

    return _with_parquet(folder, name, look)


def table_open(folder: Folder, name: str, refused: Counter[str]) -> ShardTable:
    """Read the identifying columns of a table.

    Raises:
        TableUnreadable: see there.
    """

    def load(parquet: pq.ParquetFile) -> ShardTable:
        columns = find_columns(parquet.schema_arrow.names)
        wanted = [column for column in vars(columns).values() if column is not None]
        return ShardTable(parquet.read(wanted), columns, refused)

    return _with_parquet(folder, name, load)


def _with_parquet(folder: Folder, name: str, use: Callable[[pq.ParquetFile], _T]) -> _T:
    try:
        with folder.read(name) as file, pq.ParquetFile(file) as parquet:
            return use(parquet)
    except (OSError, pa.ArrowException) as error:
        raise TableUnreadable(name) from error


def _rows_by_key(
    keys: "pa.ChunkedArray[Any] | None", length: int, refused: Counter[str]
) -> dict[str, int]:
    if keys is None:
        refused["key_column_missing"] += length
        return {}
    rows: dict[str, int] = {}
    for index, value in enumerate(keys.to_pylist()):
        key = _strict(value) if isinstance(value, bytes) else None
        if not key:
            refused["key_missing"] += 1
        elif rows.setdefault(key, index) != index:
            refused["key_repeated"] += 1
    return rows


def _failed(statuses: "pa.ChunkedArray[Any]") -> dict[str, int]:
    counts = Counter(_failure(status) for status in _binary(statuses).to_pylist())
    return {reason: count for reason, count in counts.items() if reason is not None}


def _failure(status: bytes | None) -> str | None:
    if status == _SUCCESS:
        return None
    return status.decode() if status in _FAILURES else "failed_otherwise"


def _binary(column: "pa.ChunkedArray[Any]") -> "pa.ChunkedArray[Any]":
    """Any column as bytes; one that holds no text (a list, a struct) as nulls."""
    if isinstance(column.type, pa.DictionaryType):
        column = column.cast(column.type.value_type)
    try:
        if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
            column = column.cast(pa.large_string())
        return column.cast(pa.large_binary())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return pa.chunked_array([pa.nulls(len(column), pa.large_binary())])


def _strict(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _lenient(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")
