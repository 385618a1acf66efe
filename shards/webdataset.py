"""img2dataset's ``webdataset`` output: tar shards with a parquet table beside each.

Rows and tar members are in different orders and are joined on ``key``.  Rows that failed are in
the table only.  The recorded digest is of the download, not of the stored JPEG.  EXIF
orientation was ignored by the tool, so a phone photo may lie there unturned.  A tar may be
compressed by gzip or zstd: offsets are then those in what it unpacks to, and a single picture is
reached by unpacking all that comes before it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import IO

from shards.batches import Row
from shards.joined import JoinedReader, image_signals, row_stored
from shards.parquet import TableFacts
from shards.reader import MAX_IMAGE_BYTES, Signal
from shards.table import ShardTable
from shards.tarwalk import Member, tar_member_at, tar_members
from shards.unpack import is_packed, unpacked
from unlist.formats import IMAGE_SUFFIXES, ShardFiles, member_key


class WebdatasetReader(JoinedReader):
    """A folder that img2dataset wrote with ``--output_format webdataset``."""

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
            with self._folder.pick(files.archive) as packed, unpacked(packed, files.archive) as tar:
                member = tar_member_at(tar, offset)
                if member is None or _image_key(member.name) != key:
                    return None
                data = _stored_bytes(tar, member)
        except OSError:
            return None
        return data if isinstance(data, bytes) else None

    def _rows(self, files: ShardFiles, table: ShardTable, refused: Counter[str]) -> Iterator[Row]:
        """Rows whose image lies in the tar, in the tar's order; every other one is counted."""
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
            with self._folder.read(archive) as packed, unpacked(packed, archive) as tar:
                for member in tar_members(tar, damage=refused):
                    key = _image_key(member.name)
                    index = None if key is None else table.meet(key, met, refused)
                    if key is None or index is None:
                        continue
                    data = _stored_bytes(tar, member)
                    row = row_stored(table, index, data, shard=shard, key=key, refused=refused)
                    if row is not None:
                        yield replace(row, offset=member.offset)
        except OSError:
            refused["tar_unreadable"] += 1

    def _known_refusals(self) -> Counter[str]:
        known = super()._known_refusals()
        missing = sum(files.archive is None for files in self._files.values())
        known.update({"tar_missing": missing} if missing else {})
        return known

    def _image_signals(self, tables: Sequence[TableFacts]) -> tuple[Signal, Signal, Signal]:
        archives = [files.archive for files in self._files.values() if files.archive]
        if not archives or not any(facts.columns.key for facts in tables):
            why = "no tar shard can be joined with a table, so that no image can be read"
            return image_signals(why, stored=False)
        hashes, embedding, geometry = image_signals("the tar shards hold the images", stored=True)
        if any(is_packed(archive) for archive in archives):
            geometry = Signal(
                "geometry",
                True,
                "the tar shards hold the images, but they are compressed: to read one picture, "
                "all before it is unpacked, which is slow",
            )
        return hashes, embedding, geometry


def _image_key(name: str) -> str | None:
    """The row key of an image member; ``None`` for every other member."""
    found = member_key(name)
    return found[0] if found and f".{found[1].lower()}" in IMAGE_SUFFIXES else None


def _stored_bytes(file: IO[bytes], member: Member) -> bytes | str:
    """An image member's data, or the code of the reason why there is none."""
    if member.size > MAX_IMAGE_BYTES:
        return "image_too_large"
    if member.size == 0:
        return "image_empty"
    file.seek(member.data_offset)
    data = file.read(member.size)
    return data if len(data) == member.size else "image_cut_short"
