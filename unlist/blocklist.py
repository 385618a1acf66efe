"""``Blocklist``: a pulled list as data loaders use it.

Made only from a list that is signed, fresh and whole; asked about data that has nothing to know a
row by, it refuses to answer instead of answering "not listed".
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from unlist.cache import CachedRelease, ListCache, default_cache
from unlist.client import pull
from unlist.formats.columns import columns_for
from unlist.keys import (
    DIGEST_BYTES,
    KEY_BYTES,
    KINDS,
    Keys,
    Kind,
    NotIdentifying,
    keys_from_arrow,
    keys_to_arrow,
    row_key,
    row_keys,
)
from unlist.keyset import KeySet, sorted_unique
from unlist.manifest import Manifest
from unlist.refusals import NothingPulled

DUCKDB_VIEW = "unlist_keys"


class NothingToKnowBy(LookupError):
    """Data has no column that a list can know its rows by; the message names those it needs."""


class Blocklist:
    """The keys of one release, in memory, 16 bytes an entry.

    Args:
        cached: what ``ListCache.open`` found sound.
    """

    def __init__(self, cached: CachedRelease) -> None:
        self._cached = cached
        self._sets: dict[Kind, KeySet] = {}
        for kind in KINDS:
            parts = [cached.keys[file.path] for file in cached.manifest.files if file.kind == kind]
            self._sets[kind] = KeySet(sorted_unique(_joined(parts)))

    @classmethod
    def pull(
        cls,
        url: str,
        root: Path | str,
        *,
        list_name: str = "public",
        cache: Path | str | None = None,
    ) -> Self:
        """Pull the current release from a site (or folder) and open it.

        Args:
            url: the site that publishes the list.
            root: the TUF root file to trust.
            list_name: which list.
            cache: where to keep it; ``~/.cache/unlist`` unless given.

        Raises:
            ListUnavailable: the list is refused, with the reason.
        """
        folder = Path(cache) if cache is not None else default_cache()
        pull(url, Path(root), list_name=list_name, cache=folder)
        return cls.open(folder, list_name=list_name)

    @classmethod
    def open(
        cls,
        cache: Path | str | None = None,
        *,
        list_name: str = "public",
        release: int | None = None,
    ) -> Self:
        """Open the list that was pulled last, offline, after checking all of it again.

        Args:
            cache: where it is kept; ``~/.cache/unlist`` unless given.
            list_name: which list.
            release: insist on this release.

        Raises:
            ListUnavailable: there is none, it has expired, or it is damaged.
        """
        folder = Path(cache) if cache is not None else default_cache()
        cached = ListCache(folder, list_name).open()
        if release is not None and cached.manifest.release != release:
            raise NothingPulled(
                f"The cache holds release {cached.manifest.release} of {list_name!r}, not release "
                f"{release}; pull again, or leave out --release."
            )
        return cls(cached)

    @property
    def manifest(self) -> Manifest:
        """The release's manifest."""
        return self._cached.manifest

    @property
    def manifest_data(self) -> bytes:
        """The manifest's bytes as they were signed."""
        return self._cached.manifest_data

    @property
    def release(self) -> int:
        """The release's number."""
        return self._cached.manifest.release

    @property
    def created_on(self) -> date:
        """The day the release was made (UTC)."""
        return self._cached.manifest.created_on

    @property
    def age_days(self) -> int:
        """Days since the release was made."""
        return self._cached.age_days(datetime.now(UTC).date())

    @property
    def fresh_until(self) -> datetime:
        """When the list must have been pulled again (UTC)."""
        return self._cached.fresh_until

    def __len__(self) -> int:
        return sum(len(keys) for keys in self._sets.values())

    def keys_listed(self, kind: Kind) -> int:
        """How many keys of a kind the list holds."""
        return len(self._sets[kind])

    def lists(self, kind: Kind, value: str) -> bool:
        """Whether one value (an address as stored, or a digest in hex) is listed."""
        key = np.frombuffer(row_key(kind, value), dtype="V16")
        return bool(self._sets[kind].contains(key)[0])

    def mask_column(
        self, kind: Kind, values: "pa.Array[Any] | pa.ChunkedArray[Any]"
    ) -> npt.NDArray[np.bool_]:
        """Which values of a column are listed, shape ``(rows,)``; null is not.

        Raises:
            NotIdentifying: the column's type cannot hold such values.
        """
        if not len(self._sets[kind]):
            return np.zeros(len(values), dtype=bool)
        keys = row_keys(kind, values)
        present = keys.is_valid().to_numpy(zero_copy_only=False)
        return cast(
            "npt.NDArray[np.bool_]", self._sets[kind].contains(keys_from_arrow(keys)) & present
        )

    def mask(self, batch: "pa.RecordBatch | pa.Table") -> pa.BooleanArray:
        """Which rows are listed (true = listed: do not use), never null.

        Columns named ``url``, ``sha256`` or ``md5`` (any case, and their usual aliases) are looked
        at; a row is listed if any of them is.

        Raises:
            NothingToKnowBy: there is no such column.
            NotIdentifying: such a column does not hold text.
        """
        found = identifying_columns(batch.schema.names)
        listed = np.zeros(batch.num_rows, dtype=bool)
        for kind, name in found:
            listed |= self.mask_column(kind, batch.column(name))
        return pa.array(listed, pa.bool_())

    def filter(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch without its listed rows.

        Raises:
            NothingToKnowBy: there is no column to know rows by.
        """
        return batch.filter(pa.array(~self.mask(batch).to_numpy(zero_copy_only=False)))

    def keep_sample(self, sample: Mapping[str, Any]) -> bool:
        """Whether a webdataset sample may be used: for ``dataset.select(blocklist.keep_sample)``.

        The sample's ``json`` member (decoded or not) is looked at, and the sample itself.

        Raises:
            NothingToKnowBy: neither has a field to know the sample by.
            NotIdentifying: such a field holds something else than text.
        """
        member = _json_member(sample)
        identifying_columns([*sample, *member])
        return not (self._lists_any(sample) or self._lists_any(member))

    def _lists_any(self, fields: Mapping[str, Any]) -> bool:
        return any(
            self.lists(kind, value)
            for kind in KINDS
            for name in columns_for(fields, kind)
            if (value := _text(kind, fields[name])) is not None
        )

    def keep_rows(self, batch: Mapping[str, Iterable[Any]]) -> list[bool]:
        """Which rows may be used: for Hugging Face's ``dataset.filter(..., batched=True)``.

        Raises:
            NothingToKnowBy: there is no column to know rows by.
        """
        names = [name for _, name in identifying_columns(batch)]
        table = pa.table({name: pa.array(list(batch[name])) for name in names})
        return [not listed for listed in self.mask(table).to_pylist()]

    def duckdb_view(self, con: Any) -> str:
        """Make the keys a view ``unlist_keys(kind, key)`` of a DuckDB connection; gives its name.

        Anti-join it: ``... WHERE NOT EXISTS (FROM unlist_keys WHERE kind = 'url' AND key = ...)``.
        """
        parts = []
        for file in self.manifest.files:
            keys = self._cached.keys[file.path]
            kinds = pa.repeat(file.kind, len(keys))
            parts.append(pa.table({"kind": kinds, "key": keys_to_arrow(keys)}))
        columns: dict[str, pa.DataType] = {"kind": pa.string(), "key": pa.binary(KEY_BYTES)}
        empty = pa.schema(columns).empty_table()
        con.register(DUCKDB_VIEW, pa.concat_tables([empty, *parts]))
        return DUCKDB_VIEW


def identifying_columns(names: Iterable[str]) -> list[tuple[Kind, str]]:
    """Every column that rows can be known by, with the kind of key it gives.

    Raises:
        NothingToKnowBy: there is none.
    """
    spelled = list(names)
    found = [(kind, name) for kind in KINDS for name in columns_for(spelled, kind)]
    if not found:
        raise NothingToKnowBy(
            "There is no column to know rows by: one named url, sha256 or md5 (in any case) is "
            f"needed, and there are only: {', '.join(spelled[:20]) or 'none'}."
        )
    return found


def _joined(parts: list[Keys]) -> Keys:
    return np.concatenate(parts) if parts else np.empty(0, dtype="V16")


def _json_member(sample: Mapping[str, Any]) -> Mapping[str, Any]:
    member = sample.get("json")
    if isinstance(member, (bytes, str)):
        member = json.loads(member)
    return member if isinstance(member, Mapping) else {}


def _text(kind: Kind, value: Any) -> str | None:
    """A field as it is hashed; bytes count as ``row_keys`` counts them."""
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, bytes):
        raise NotIdentifying(
            f"A field that holds a {type(value).__name__} cannot hold a {kind}; text is needed."
        )
    if len(value) == DIGEST_BYTES.get(kind):
        return value.hex()
    return value.decode("utf-8", "surrogateescape")
