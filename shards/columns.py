"""Columns of somebody else's table as text, hex and bits that can be relied on, a batch at a time.

Whatever a column holds, the outcome has one entry per row and every text in it is valid UTF-8;
what cannot be used is null and counted.  Nothing here goes row by row while all is well.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shards.arrow import pc

_BYTES: Final = pa.large_binary()
_BYTES_TYPES: Final = (pa.binary(), pa.large_binary(), pa.binary_view())
_TEXT_TYPES: Final = (pa.string(), pa.large_string(), pa.string_view())
_EXACT: Final = 2**53
"""From here on a float64 no longer tells whole numbers apart."""


def bytes_of(
    values: "pa.Array[Any]",
    kind: pa.DataType = _BYTES,
    *,
    spelled: bool = True,
) -> "pa.Array[Any]":
    """A column as bytes, null where it holds none.

    Args:
        values: a column of any type: of a list or a struct all is null.
        kind: ``binary`` or ``large_binary``; what does not fit into it is all null, too.
        spelled: whether numbers are taken, as the text that spells them.
    """
    if isinstance(values, pa.DictionaryArray):
        values = values.dictionary_decode()
    try:
        if spelled and not _holds_bytes(values.type):
            values = values.cast(pa.string())
        return values.cast(kind)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return pa.nulls(len(values)).cast(kind)


def text_of(values: "pa.Array[Any]") -> "tuple[pa.Array[Any], int]":
    """A column as text (``string``) and how many entries are no valid UTF-8: those are null.

    A column whose type holds no text (a list, a struct) is all null.
    """
    return _text(values, None)


def lenient_text_of(values: "pa.Array[Any]") -> "pa.Array[Any]":
    """A column as text in which bytes that are no valid UTF-8 are replaced by U+FFFD."""
    return _text(values, "replace")[0]


def keys_of(
    values: "pa.Array[Any] | None", places: npt.NDArray[np.int64], refused: Counter[str]
) -> "pa.Array[Any]":
    """The keys of a batch's rows, as text without nulls.

    A row without a usable key goes by its place, ``#12`` for row 12: floats that are not whole or
    too large to be exact (LAION-400M's SAMPLE_ID is a float64) are no usable keys.

    Args:
        values: the column that names the rows, if the table has one.
        places: which rows of the table they are, counted from 0.
        refused: counted up under ``key_by_place`` where a column is there but names no row.
    """
    if values is None:
        return _by_place(places)
    named: pa.Array[Any] = text_of(_whole(values) if pa.types.is_floating(values.type) else values)[
        0
    ]
    named = pc.if_else(pc.equal(named, ""), None, named)
    if not named.null_count:
        return named
    refused["key_by_place"] += named.null_count
    keys: pa.Array[Any] = pc.coalesce(named, _by_place(places))
    return keys


def digests_of(values: "pa.Array[Any]", digits: int, refused: Counter[str]) -> "pa.Array[Any]":
    """Digests as ``digits`` lower-case hex digits; others are null, ``digest_malformed``."""
    found = _hex(values, digits)
    _count(refused, "digest_malformed", found.malformed)
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum(found.usable * digits, out=offsets[1:])
    return _filled(pa.string(), len(values), found.usable, offsets, found.digits)


def phashes_of(values: "pa.Array[Any]", refused: Counter[str]) -> "pa.Array[Any]":
    """64-bit hashes of 16 hex digits as ``uint64``, the first digit the highest."""
    found = _hex(values, 16)
    _count(refused, "hash_malformed", found.malformed)
    bits = np.zeros(len(values), np.uint64)
    bits[found.usable] = np.frombuffer(found.raw, ">u8")
    return pa.array(bits, mask=~found.usable)


def pdqs_of(values: "pa.Array[Any]", refused: Counter[str]) -> "pa.Array[Any]":
    """PDQ hashes of 64 hex digits as 32 bytes."""
    found = _hex(values, 64)
    _count(refused, "hash_malformed", found.malformed)
    codes = np.zeros((len(values), 32), np.uint8)
    codes[found.usable] = np.frombuffer(found.raw, np.uint8).reshape(-1, 32)
    return pa.Array.from_buffers(
        pa.binary(32), len(values), [_validity(found.usable), pa.py_buffer(codes.tobytes())]
    )


@dataclass(frozen=True)
class _Hex:
    """The usable entries of a column of hex, one after another, in lower case."""

    usable: npt.NDArray[np.bool_]
    digits: bytes
    malformed: int

    @property
    def raw(self) -> bytes:
        return bytes.fromhex(self.digits.decode())


def _hex(values: "pa.Array[Any]", digits: int) -> _Hex:
    text = lenient_text_of(_spelled_out(values, digits // 2))
    fits = pc.fill_null(pc.match_substring_regex(text, f"^[0-9a-fA-F]{{{digits}}}$"), False)
    given = pc.fill_null(pc.not_equal(text, ""), False)
    usable = fits.to_numpy(zero_copy_only=False)
    joined = _joined(text.filter(fits)).lower()
    return _Hex(usable, joined, pc.sum(given, min_count=0).as_py() - int(usable.sum()))


def _joined(text: "pa.Array[Any]") -> bytes:
    """All entries of a ``string`` column without nulls, one after another."""
    _, offsets, data = text.buffers()
    if not len(text) or offsets is None or data is None:
        return b""
    ends = np.frombuffer(memoryview(offsets), np.int32)[text.offset : text.offset + len(text) + 1]
    return bytes(memoryview(data)[ends[0] : ends[-1]])


def _spelled_out(values: "pa.Array[Any]", raw: int) -> "pa.Array[Any]":
    """A column of bytes with the entries that are ``raw`` bytes long spelled out in hex."""
    if pa.types.is_fixed_size_binary(values.type):
        values = values.cast(pa.binary())
    if values.type not in _BYTES_TYPES or not pc.any(
        pc.equal(pc.binary_length(values.cast(pa.large_binary())), raw)
    ):
        return values
    return pa.array(
        [
            entry.hex().encode() if entry is not None and len(entry) == raw else entry
            for entry in values.to_pylist()
        ],
        pa.binary(),
    )


def _text(values: "pa.Array[Any]", errors: str | None) -> "tuple[pa.Array[Any], int]":
    stored = bytes_of(values)
    try:
        return stored.cast(pa.string()), 0
    except pa.ArrowInvalid:
        decoded = [_decoded(entry, errors) for entry in stored.to_pylist()]
    text = pa.array(decoded, pa.string())
    return text, text.null_count - stored.null_count


def _holds_bytes(kind: pa.DataType) -> bool:
    fixed = pa.types.is_fixed_size_binary(kind)
    return fixed or kind in _BYTES_TYPES or kind in _TEXT_TYPES


def _decoded(entry: bytes | None, errors: str | None) -> str | None:
    if entry is None:
        return None
    try:
        return entry.decode(errors=errors or "strict")
    except UnicodeDecodeError:
        return None


def _whole(values: "pa.Array[Any]") -> "pa.Array[Any]":
    """Floats as whole numbers; null where they are none or may have lost digits."""
    floats = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    exact = np.isfinite(floats) & (np.abs(floats) < _EXACT) & (np.trunc(floats) == floats)
    return pa.array(np.where(exact, floats, 0).astype(np.int64), mask=~exact)


def _by_place(places: npt.NDArray[np.int64]) -> "pa.Array[Any]":
    keys: pa.Array[Any] = pc.binary_join_element_wise("#", pa.array(places).cast(pa.string()), "")
    return keys


def _count(refused: Counter[str], code: str, found: int) -> None:
    if found:
        refused[code] += found


def _validity(usable: npt.NDArray[np.bool_]) -> pa.Buffer | None:
    if usable.all():
        return None
    return pa.py_buffer(np.packbits(usable, bitorder="little").tobytes())


def _filled(
    kind: pa.DataType,
    rows: int,
    usable: npt.NDArray[np.bool_],
    offsets: npt.NDArray[np.int32],
    data: bytes,
) -> "pa.Array[Any]":
    buffers = [_validity(usable), pa.py_buffer(offsets.tobytes()), pa.py_buffer(data)]
    return pa.Array.from_buffers(kind, rows, buffers)
