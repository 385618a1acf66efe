"""A shard's metadata table, cut down to what joining and listing a row needs.

The text of a table is somebody else's data: invalid UTF-8 and malformed digests are counted,
never fatal, and a row without them is still a row.  The columns stay Arrow arrays; a row becomes
Python objects only when its image is met.
"""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from shards.columns import bytes_of
from shards.parquet import TableFacts, with_parquet
from shards.storage import Folder
from unlist.formats import Columns, find_columns

_SUCCESS: Final = b"success"
_FAILURES: Final = frozenset((b"failed_to_download", b"failed_to_resize"))
_DIGESTS: Final = ("sha256", "md5")
_HEX: Final = {
    "sha256": re.compile(rb"[0-9a-fA-F]{64}"),
    "md5": re.compile(rb"[0-9a-fA-F]{32}"),
    "phash": re.compile(rb"[0-9a-fA-F]{16}"),
    "pdq": re.compile(rb"[0-9a-fA-F]{64}"),
}


@dataclass(frozen=True)
class TableRow:
    """What the table says of one row, as far as it can be used."""

    index: int
    url: str | None
    caption: str | None
    sha256: str | None
    md5: str | None
    phash: int | None
    pdq: bytes | None


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

    def meet(self, key: str, met: set[int], refused: Counter[str]) -> int | None:
        """The row that an image stored under ``key`` belongs to, if it is that row's first.

        The row is noted in ``met``; an image of no row, or a row's second one, is counted.
        """
        index = self.index_of(key)
        if index is None:
            refused["member_without_row"] += 1
        elif index in met:
            refused["member_repeated"] += 1
            return None
        else:
            met.add(index)
        return index

    @property
    def has_keys(self) -> bool:
        """Whether the table has a key column to join on."""
        return "key" in self._columns

    def indices(self) -> frozenset[int]:
        """Every row that some key leads to."""
        return frozenset(self._index.values())

    def failure(self, index: int) -> str | None:
        """The reason code of a row that its maker marked as failed."""
        return failure(self._value("status", index)) if "status" in self._columns else None

    def row(self, index: int, refused: Counter[str]) -> TableRow:
        """One row; what cannot be used of it is null, and counted where that is a loss."""
        sha256, md5, phash, pdq = (self._hex(kind, index, refused) for kind in _HEX)
        return TableRow(
            index=index,
            url=self._url(index, refused),
            caption=_lenient(self._value("caption", index)),
            sha256=sha256,
            md5=md5,
            phash=None if phash is None else int(phash, 16),
            pdq=None if pdq is None else bytes.fromhex(pdq),
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

    def _hex(self, kind: str, index: int, refused: Counter[str]) -> str | None:
        value = self._value(kind, index)
        if not value:
            return None
        if not _HEX[kind].fullmatch(value):
            refused["digest_malformed" if kind in _DIGESTS else "hash_malformed"] += 1
            return None
        return value.decode().lower()

    def _value(self, role: str, index: int) -> bytes | None:
        column = self._columns.get(role)
        value = None if column is None else column[index].as_py()
        return value if isinstance(value, bytes) else None


def failed_rows(folder: Folder, name: str) -> TableFacts:
    """Look at a table's footer and at its status column, which tells the failed rows.

    Raises:
        TableUnreadable: see there.
    """

    def look(parquet: pq.ParquetFile) -> TableFacts:
        names = tuple(parquet.schema_arrow.names)
        status = find_columns(names).status
        failed = _failed(parquet.read([status]).column(status)) if status else Counter()
        return TableFacts(parquet.metadata.num_rows, names, failed)

    return with_parquet(folder, name, look)


def table_open(folder: Folder, name: str, refused: Counter[str]) -> ShardTable:
    """Read the identifying columns of a table.

    Raises:
        TableUnreadable: see there.
    """

    def load(parquet: pq.ParquetFile) -> ShardTable:
        columns = find_columns(parquet.schema_arrow.names)
        wanted = [column for column in vars(columns).values() if column is not None]
        return ShardTable(parquet.read(wanted), columns, refused)

    return with_parquet(folder, name, load)


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


def _failed(statuses: "pa.ChunkedArray[Any]") -> Counter[str]:
    reasons = (failure(status) for status in _binary(statuses).to_pylist())
    return Counter(reason for reason in reasons if reason is not None)


def failure(status: bytes | None) -> str | None:
    """The reason code of a row with that status; ``None`` for success."""
    if status == _SUCCESS:
        return None
    return status.decode() if status in _FAILURES else "failed_otherwise"


def _binary(column: "pa.ChunkedArray[Any]") -> "pa.ChunkedArray[Any]":
    return pa.chunked_array([bytes_of(chunk) for chunk in column.chunks], pa.large_binary())


def _strict(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _lenient(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")
