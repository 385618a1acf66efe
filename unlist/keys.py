r"""Row keys: the 16 bytes by which a release names a row without spelling out its address.

``K(kind, value) = SHA-256("unlist/1/" || kind || "\n" || value)[:16]``.  The same row has the same
key in every dataset, and SQL computes it: in DuckDB
``unhex(substr(sha256('unlist/1/url' || chr(10) || url), 1, 32))``.  An address is hashed exactly as
the dataset stores it, byte for byte; nothing here canonicalises one.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, Literal, cast, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Kind = Literal["url", "sha256", "md5"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
KEY_BYTES: Final = 16

Keys = npt.NDArray[np.void]
"""Row keys, dtype ``V16``: opaque bytes, unlike ``S16``, which loses trailing zeros."""

DIGEST_BYTES: Final[Mapping[str, int]] = {"sha256": 32, "md5": 16}
"""The length of a raw digest, by kind."""


class NotIdentifying(TypeError):
    """A column cannot hold what identifies a row (numbers for addresses, say)."""


def row_key(kind: Kind, value: str) -> bytes:
    """The 16-byte key of one value.

    Args:
        kind: ``url``, ``sha256`` or ``md5``.
        value: the address exactly as the dataset stores it (bytes that are no UTF-8 as Python's
            surrogate escapes), or the digest in hex of either case.
    """
    exact = value if kind == "url" else value.lower()
    return hashlib.sha256(_prefix(kind) + exact.encode("utf-8", "surrogateescape")).digest()[
        :KEY_BYTES
    ]


def row_keys(kind: Kind, values: "pa.Array[Any] | pa.ChunkedArray[Any]") -> pa.FixedSizeBinaryArray:
    """The keys of a column, type ``fixed_size_binary(16)``; null stays null.

    Args:
        kind: ``url``, ``sha256`` or ``md5``.
        values: any Arrow string type, dictionary-encoded or not; raw bytes count as the stored
            UTF-8 for an address, and as the digest itself for ``sha256`` and ``md5``.

    Raises:
        NotIdentifying: the column's type cannot hold such a value.
    """
    chunks = values.chunks if isinstance(values, pa.ChunkedArray) else [values]
    stored = [_as_stored(kind, chunk) for chunk in chunks]
    hashed = [_hashed(_prefix(kind), chunk) for chunk in stored]
    present = [chunk.is_valid().to_numpy(zero_copy_only=False) for chunk in stored]
    if not chunks:
        return keys_to_arrow(np.empty(0, dtype="V16"))
    return keys_to_arrow(np.concatenate(hashed), np.concatenate(present))


def keys_to_arrow(
    keys: Keys, present: npt.NDArray[np.bool_] | None = None
) -> pa.FixedSizeBinaryArray:
    """An Arrow array over keys; where ``present`` is false the entry is null."""
    validity = None
    if present is not None and not present.all():
        validity = pa.py_buffer(np.packbits(present, bitorder="little").tobytes())
    data = pa.py_buffer(np.ascontiguousarray(keys).tobytes())
    array = pa.Array.from_buffers(pa.binary(KEY_BYTES), len(keys), [validity, data])
    return cast("pa.FixedSizeBinaryArray", array)


def keys_from_arrow(keys: "pa.Array[Any] | pa.ChunkedArray[Any]") -> Keys:
    """The raw keys of 16-byte Arrow values, shape ``(rows,)``; null entries hold anything."""
    flat = keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys
    data = flat.buffers()[1]
    if len(flat) == 0 or data is None:
        return np.empty(0, dtype="V16")
    return np.frombuffer(
        memoryview(data), np.dtype("V16"), count=len(flat), offset=flat.offset * KEY_BYTES
    )


def _prefix(kind: Kind) -> bytes:
    if kind not in KINDS:
        raise ValueError(f"There is no row key of kind {kind!r}; the kinds are {', '.join(KINDS)}.")
    return b"unlist/1/" + kind.encode() + b"\n"


def _as_stored(kind: Kind, values: "pa.Array[Any]") -> "pa.Array[Any]":
    """The bytes that are hashed, as ``large_binary``, whatever Arrow type the column came in."""
    if isinstance(values, pa.DictionaryArray):
        values = values.dictionary_decode()
    if pa.types.is_null(values.type):
        return pa.nulls(len(values), pa.large_binary())
    is_text = values.type in {pa.string(), pa.large_string(), pa.string_view()}
    is_bytes = values.type in {pa.binary(), pa.large_binary(), pa.binary_view()}
    if pa.types.is_fixed_size_binary(values.type):
        values, is_bytes = values.cast(pa.binary()), True
    if not is_text and not is_bytes:
        raise NotIdentifying(
            f"A column of type {values.type} cannot hold a {kind}; text is needed."
        )
    if kind == "url":
        return values.cast(pa.large_binary())
    return _raw_as_hex(kind, values) if is_bytes else _lower(values)


def _lower(values: "pa.Array[Any]") -> "pa.Array[Any]":
    """Text in lower case, as bytes.

    Lowered before any other cast: pyarrow 26.0.1 lowers a slice that was cast to ``large_string``
    into shifted values.
    """
    plain = values.cast(pa.string()) if values.type == pa.string_view() else values
    return pc.ascii_lower(plain).cast(pa.large_binary())


def _raw_as_hex(kind: Kind, values: "pa.Array[Any]") -> "pa.Array[Any]":
    """Digests in a column of bytes: raw ones (by their length) spelled out, text in lower case."""
    raw = DIGEST_BYTES[kind]
    spelled = [
        None if item is None else item.hex().encode() if len(item) == raw else item.lower()
        for item in values.to_pylist()
    ]
    return pa.array(spelled, pa.large_binary())


def _hashed(prefix: bytes, stored: "pa.Array[Any]") -> Keys:
    """The keys of every ``large_binary`` entry; what a null entry gives is of no account."""
    sha256 = hashlib.sha256
    values = cast("list[bytes]", stored.fill_null(b"").to_pylist())
    digests = b"".join([sha256(prefix + value).digest() for value in values])
    return np.frombuffer(digests, dtype="V16")[::2]
