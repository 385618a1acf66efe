"""img2dataset's ``webdataset`` output: tar shards with a parquet table beside each.

Rows and tar members are in different orders and are joined on ``key``.  Rows that failed are in
the table only.  The recorded digest is of the download, not of the stored JPEG.  EXIF
orientation was ignored by the tool, so a phone photo may lie there unturned.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import IO, Final

import pyarrow as pa

from shards.batches import Row, in_batches
from shards.reader import MAX_IMAGE_BYTES, DatasetFacts, ShardFacts, Signal
from shards.storage import Folder
from shards.table import ShardTable, TableFacts, TableUnreadable, table_facts, table_open
from shards.tarwalk import Member, tar_members
from unlist.formats import IMAGE_SUFFIXES, Layout, ShardFiles, member_key


class Img2datasetReader:
    """A folder that img2dataset wrote with ``--output_format webdataset``."""

    format: Final = "img2dataset"

    def __init__(self, folder: Folder, layout: Layout) -> None:
        self._folder = folder
        self._files = {files.name: files for files in layout.shards}

    def describe(self) -> DatasetFacts:
        """See ``ShardReader.describe``."""
        tables = [facts for facts in self._tables.values() if facts is not None]
        names = tuple(dict.fromkeys(name for facts in tables for name in facts.names))
        return DatasetFacts(
            format=self.format,
            shards=len(self._files),
            rows=sum(facts.rows for facts in tables),
            columns=names,
            signals=self._signals(tables),
            refused=dict(self._known_refusals()),
        )

    def shards(self) -> Sequence[ShardFacts]:
        """See ``ShardReader.shards``."""
        return [self._shard(files) for files in self._files.values()]

    def batches(
        self, shard: ShardFacts, *, rows: int = 256, refused: Counter[str]
    ) -> Iterator[pa.RecordBatch]:
        """See ``ShardReader.batches``."""
        files = self._files[shard.name]
        if files.table is None:
            refused["table_missing"] += 1
            return
        try:
            table = table_open(self._folder, files.table, refused)
        except TableUnreadable:
            refused["table_unreadable"] += 1
            return
        yield from in_batches(self._rows(files, table, refused), rows)

    def read_image(
        self,
        shard: str,
        key: str,
        index: int,  # noqa: ARG002  # the key is verified instead
        offset: int | None,
    ) -> bytes | None:
        """See ``ShardReader.read_image``."""
        files = self._files.get(shard)
        if files is None or files.archive is None or offset is None:
            return None
        try:
            with self._folder.read(files.archive) as file:
                member = next(tar_members(file, start=offset, damage=Counter()), None)
                if member is None or member.offset != offset or _image_key(member.name) != key:
                    return None
                data = _stored_bytes(file, member)
        except OSError:
            return None
        return data if isinstance(data, bytes) else None

    @cached_property
    def _tables(self) -> dict[str, TableFacts | None]:
        """Facts of each shard's table; ``None`` where there is none or it cannot be read."""
        return {name: self._facts(files) for name, files in self._files.items()}

    def _facts(self, files: ShardFiles) -> TableFacts | None:
        try:
            return table_facts(self._folder, files.table) if files.table else None
        except TableUnreadable:
            return None

    def _shard(self, files: ShardFiles) -> ShardFacts:
        facts = self._tables[files.name]
        return ShardFacts(
            name=files.name,
            rows=facts.rows if facts else 0,
            bytes=sum(self._folder.sizes[name] for name in files.files),
            identity={name: self._folder.identity(name) for name in files.files},
        )

    def _rows(self, files: ShardFiles, table: ShardTable, refused: Counter[str]) -> Iterator[Row]:
        """Rows whose image lies in the tar, in the tar's order; every other one is counted."""
        if not table.has_keys:
            return
        met: set[int] = set()
        if files.archive is None:
            refused["tar_missing"] += 1
        else:
            yield from self._stored_rows(files.name, files.archive, table, met, refused)
        for index in table.indices() - met:
            refused[table.failure(index) or "image_missing"] += 1

    def _stored_rows(
        self, shard: str, archive: str, table: ShardTable, met: set[int], refused: Counter[str]
    ) -> Iterator[Row]:
        """Join the tar's images with the table; each row that was met is noted in ``met``."""
        try:
            with self._folder.read(archive) as file:
                for member in tar_members(file, damage=refused):
                    joined = _joined(member, table, met, refused)
                    if joined is None:
                        continue
                    key, index = joined
                    data = _stored_bytes(file, member)
                    if isinstance(data, str):
                        refused[data] += 1
                        continue
                    if table.failure(index):
                        refused["status_contradicted"] += 1
                    told = table.row(index, refused)
                    yield Row(key=key, shard=shard, offset=member.offset, image=data, **vars(told))
        except OSError:
            refused["tar_unreadable"] += 1

    def _known_refusals(self) -> Counter[str]:
        known: Counter[str] = Counter()
        for name, files in self._files.items():
            facts = self._tables[name]
            if facts is None:
                known["table_unreadable" if files.table else "table_missing"] += 1
            elif facts.columns.key is None:
                known["key_column_missing"] += facts.rows
            else:
                known.update(facts.failed)
            if files.archive is None:
                known["tar_missing"] += 1
        return known

    def _signals(self, tables: Sequence[TableFacts]) -> tuple[Signal, ...]:
        kinds = [
            kind
            for kind in ("sha256", "md5")
            if any(getattr(facts.columns, kind) for facts in tables)
        ]
        joined = any(facts.columns.key for facts in tables)
        stored = joined and any(files.archive for files in self._files.values())
        return (_digest_signal(kinds), *_image_signals(stored=stored))


def _image_key(name: str) -> str | None:
    """The row key of an image member; ``None`` for every other member."""
    found = member_key(name)
    return found[0] if found and f".{found[1].lower()}" in IMAGE_SUFFIXES else None


def _joined(
    member: Member, table: ShardTable, met: set[int], refused: Counter[str]
) -> tuple[str, int] | None:
    """Key and row of an image member; what is no row's first image is passed over or counted."""
    key = _image_key(member.name)
    if key is None:
        return None
    index = table.index_of(key)
    if index is None:
        refused["member_without_row"] += 1
        return None
    if index in met:
        refused["member_repeated"] += 1
        return None
    met.add(index)
    return key, index


def _stored_bytes(file: IO[bytes], member: Member) -> bytes | str:
    """An image member's data, or the code of the reason why there is none."""
    if member.size > MAX_IMAGE_BYTES:
        return "image_too_large"
    if member.size == 0:
        return "image_empty"
    file.seek(member.data_offset)
    data = file.read(member.size)
    return data if len(data) == member.size else "image_cut_short"


def _digest_signal(kinds: Sequence[str]) -> Signal:
    if kinds:
        recorded = " and ".join(kinds)
        return Signal("digest", True, f"the tables record the {recorded} of each download")
    return Signal(
        "digest",
        False,
        "the tables have no sha256 or md5 column (img2dataset ran with --compute_hash none)",
    )


def _image_signals(*, stored: bool) -> tuple[Signal, ...]:
    why = (
        "the tar shards hold the images"
        if stored
        else "no tar shard can be joined with a table, so that no image can be read"
    )
    return (
        Signal("hash", stored, why),
        Signal("embedding", stored, why),
        Signal("geometry", stored, why),
    )
