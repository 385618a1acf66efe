"""img2dataset's ``files`` output: a folder of images for each shard, and a table beside it.

A row's image is the file named by its key: found among the names that the folder lists, never by
making a path out of what the table says.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from shards.batches import Row
from shards.joined import JoinedReader, image_signals, row_stored
from shards.parquet import TableFacts
from shards.reader import MAX_IMAGE_BYTES, Signal
from shards.storage import Folder
from shards.table import ShardTable
from unlist.formats import ShardFiles, member_key


class FilesReader(JoinedReader):
    """A folder that img2dataset wrote with ``--output_format files``."""

    def read_image(
        self,
        shard: str,
        key: str,
        index: int,  # noqa: ARG002  # the key names the file
        offset: int | None,  # noqa: ARG002  # files have none
    ) -> bytes | None:
        """See ``ShardReader.read_image``."""
        files = self._files.get(shard)
        names = files.images if files else ()
        name = next((name for name in names if _key(name) == key), None)
        data = image_file(self._folder, name) if name else None
        return data if isinstance(data, bytes) else None

    def _rows(self, files: ShardFiles, table: ShardTable, refused: Counter[str]) -> Iterator[Row]:
        """Rows whose image lies in the folder, in the order of the names; others are counted."""
        met: set[int] = set()
        for name in files.images:
            key = _key(name)
            index = None if key is None else table.meet(key, met, refused)
            if key is None or index is None:
                continue
            data = image_file(self._folder, name)
            row = row_stored(table, index, data, shard=files.name, key=key, refused=refused)
            if row is not None:
                yield row
        for index in table.indices() - met:
            refused[table.failure(index) or "image_missing"] += 1

    def _image_signals(self, tables: Sequence[TableFacts]) -> tuple[Signal, Signal, Signal]:
        joined = any(facts.columns.key for facts in tables)
        if joined and any(files.images and files.table for files in self._files.values()):
            return image_signals("the folders beside the tables hold the images", stored=True)
        why = "no folder of images can be joined with a table, so that no image can be read"
        return image_signals(why, stored=False)


def image_file(folder: Folder, name: str) -> bytes | str:
    """A file's bytes, or the code of the reason why there are none."""
    if folder.sizes[name] > MAX_IMAGE_BYTES:
        return "image_too_large"
    try:
        with folder.read(name) as file:
            data = file.read(MAX_IMAGE_BYTES + 1)
    except OSError:
        return "image_unreadable"
    if len(data) > MAX_IMAGE_BYTES:
        return "image_too_large"
    return data or "image_empty"


def _key(name: str) -> str | None:
    found = member_key(PurePosixPath(name).name)
    return found[0] if found else None
