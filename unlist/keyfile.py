"""Files of row keys: ``keys-*.parquet``, the only place that knows how one is laid out.

One column ``key``, FIXED_LEN_BYTE_ARRAY(16), never null, ascending, each key once, PLAIN and zstd,
so that DuckDB, polars, Spark and pyarrow all read it.  Writing the same keys with the same pyarrow
gives the same bytes; reading refuses a file that breaks a rule instead of searching it wrongly.
"""

import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from unlist.keys import KEY_BYTES, Keys, keys_from_arrow, keys_to_arrow
from unlist.keyset import as_keys, is_ascending, sorted_unique
from unlist.merkle import leaf_hash

SCHEMA: Final = pa.schema([pa.field("key", pa.binary(KEY_BYTES), nullable=False)])
_GROUP_ROWS: Final = 1 << 20
_ZSTD_LEVEL: Final = 3


class KeyFileInvalid(ValueError):
    """A file is no key file, or breaks one of its rules; the message names file and rule."""


@dataclass(frozen=True)
class KeyFileFacts:
    """What a manifest says of a key file: rows, bytes, and the file's SHA-256 in hex."""

    rows: int
    bytes: int
    sha256: str


def keyfile_write(path: Path, keys: "npt.NDArray[np.generic] | Sequence[bytes]") -> KeyFileFacts:
    """Write keys, in any order and with repeats, as a key file.

    Args:
        path: the file to write; an existing one is overwritten.
        keys: an array of dtype ``V16`` or ``S16``, ``uint8[rows, 16]``, or a list of 16-byte
            strings.
    """
    ordered = sorted_unique(as_keys(keys))
    table = pa.Table.from_arrays([keys_to_arrow(ordered)], schema=SCHEMA)
    buffer = io.BytesIO()
    pq.write_table(
        table,
        buffer,
        row_group_size=_GROUP_ROWS,
        version="2.6",
        data_page_version="1.0",
        compression="zstd",
        compression_level=_ZSTD_LEVEL,
        use_dictionary=False,
        column_encoding={"key": "PLAIN"},
        write_statistics=True,
        store_schema=False,
    )
    data = buffer.getvalue()
    path.write_bytes(data)
    return KeyFileFacts(len(ordered), len(data), hashlib.sha256(data).hexdigest())


def keyfile_read(path: Path) -> Keys:
    """The keys of a file, ascending and unique, dtype ``V16`` of shape ``(rows,)``.

    Raises:
        KeyFileInvalid: the file cannot be read or breaks a rule.
    """
    try:
        table = pq.read_table(path, memory_map=False)
    except (pa.ArrowException, OSError) as error:
        raise KeyFileInvalid(f"{path.name} cannot be read as a key file ({error}).") from error
    if table.column_names != ["key"] or table.schema.field("key").type != pa.binary(KEY_BYTES):
        raise KeyFileInvalid(f"{path.name} must have one column 'key' of {KEY_BYTES} bytes.")
    if table["key"].null_count:
        raise KeyFileInvalid(f"{path.name} holds a null key.")
    keys = keys_from_arrow(table["key"])
    if not is_ascending(keys):
        raise KeyFileInvalid(f"{path.name} is not in ascending order, or holds a key twice.")
    return keys


def keyset_sha256(files: Iterable[tuple[str, Keys]]) -> str:
    """The digest over all published values: files by path, each ascending, nothing in between.

    Args:
        files: pairs of path and its keys, in any order.
    """
    digest = hashlib.sha256()
    for _, keys in sorted(files, key=lambda pair: pair[0]):
        digest.update(np.ascontiguousarray(keys).tobytes())
    return digest.hexdigest()


def tree_leaves(files: Iterable[tuple[str, str, Keys]]) -> list[bytes]:
    """The leaf hashes of a release's tree, in the same order as ``keyset_sha256`` goes.

    Args:
        files: triples of path, file kind and keys, in any order.
    """
    return [
        leaf
        for _, kind, keys in sorted(files, key=lambda triple: triple[0])
        for leaf in _file_leaves(kind, keys)
    ]


def leaf_data(kind: str, value: bytes) -> bytes:
    """What is hashed for one published value."""
    return kind.encode() + b"\n" + value


def _file_leaves(kind: str, keys: Keys) -> Iterator[bytes]:
    raw = np.ascontiguousarray(keys).tobytes()
    for start in range(0, len(raw), KEY_BYTES):
        yield leaf_hash(leaf_data(kind, raw[start : start + KEY_BYTES]))
