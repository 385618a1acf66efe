"""A batch of a metadata table becomes a batch of rows, column by column.

Every row of the table is a row of the outcome, at its place: what a dataset's makers wrote of it
is taken as far as it can be used, and counted where it cannot.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shards.arrow import pc
from shards.columns import digests_of, keys_of, lenient_text_of, pdqs_of, phashes_of, text_of
from shards.reader import BATCH_SCHEMA
from shards.urls import urls_note
from unlist.formats import Columns, DatasetFormat, find_columns, native_key


@dataclass(frozen=True)
class Told:
    """Which columns of a table say what of its rows, for a dataset of one format."""

    columns: Columns
    key: str | None

    @classmethod
    def of(cls, names: Iterable[str], form: DatasetFormat) -> Self:
        """Find the columns among ``names``."""
        listed = tuple(names)
        return cls(find_columns(listed), native_key(listed, form))

    @property
    def wanted(self) -> list[str]:
        """The columns to read."""
        roles = self.columns
        named = (roles.url, roles.caption, roles.sha256, roles.md5, roles.phash, roles.pdq)
        return list(dict.fromkeys(name for name in (*named, self.key) if name is not None))

    @property
    def identifies(self) -> bool:
        """Whether anything in the table tells one row's picture from another's."""
        roles = self.columns
        return any((roles.url, roles.sha256, roles.md5, roles.phash, roles.pdq))


def rows_told(
    batch: pa.RecordBatch,
    told: Told,
    *,
    shard: str,
    places: npt.NDArray[np.int64],
    refused: Counter[str],
) -> "dict[str, pa.Array[Any]]":
    """The fields of ``BATCH_SCHEMA`` that a table gives.

    Args:
        batch: the columns ``told.wanted`` of some rows of the table.
        told: what they say.
        shard: the shard's name.
        places: which rows of the table they are, counted from 0.
        refused: counted up by reason.
    """
    rows, roles = batch.num_rows, told.columns
    fields: dict[str, pa.Array[Any]] = {
        "key": keys_of(_column(batch, told.key), places, refused),
        "shard": pa.repeat(pa.scalar(shard, pa.string()), rows),
        "index": pa.array(places),
        "url": _urls(_column(batch, roles.url), rows, refused),
    }
    if (caption := _column(batch, roles.caption)) is not None:
        fields["caption"] = lenient_text_of(caption)
    for kind, digits in (("sha256", 64), ("md5", 32)):
        if (digests := _column(batch, getattr(roles, kind))) is not None:
            fields[kind] = digests_of(digests, digits, refused)
    if (phashes := _column(batch, roles.phash)) is not None:
        fields["phash"] = phashes_of(phashes, refused)
    if (pdqs := _column(batch, roles.pdq)) is not None:
        fields["pdq"] = pdqs_of(pdqs, refused)
    return fields


def batch_of(fields: "Mapping[str, pa.Array[Any]]") -> pa.RecordBatch:
    """A batch of ``BATCH_SCHEMA``; fields that are not given are null."""
    rows = len(fields["key"])
    arrays = [
        fields[field.name] if field.name in fields else pa.nulls(rows, field.type)
        for field in BATCH_SCHEMA
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=BATCH_SCHEMA)


def _urls(values: "pa.Array[Any] | None", rows: int, refused: Counter[str]) -> "pa.Array[Any]":
    """The URLs as stored; an empty one says as much as none."""
    if values is None:
        refused["url_missing"] += rows
        return pa.nulls(rows, pa.string())
    urls, malformed = text_of(values)
    urls_note(urls, refused, malformed=malformed)
    stored: pa.Array[Any] = pc.if_else(pc.equal(urls, ""), None, urls)
    return stored


def _column(batch: pa.RecordBatch, name: str | None) -> "pa.Array[Any] | None":
    """A column by its name; the first of that name, should there be several."""
    return None if name is None else batch.column(batch.schema.get_all_field_indices(name)[0])


def run_of(first: int, rows: int) -> npt.NDArray[np.int64]:
    """The places of ``rows`` rows from ``first`` on."""
    return np.arange(first, first + rows, dtype=np.int64)
