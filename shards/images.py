"""A folder of image files: each file is a row, its path below the folder is the key.

A folder records no digests, so those of the files themselves are taken: they name a file to a
blocklist as surely as a URL names a row.  One shard is one folder, without those below it.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa

from shards.batches import Row, in_batches
from shards.files_output import image_file
from shards.reader import PICTURE_ROWS, DatasetFacts, ShardFacts, Signal
from shards.storage import Folder
from unlist.formats import Layout, ShardFiles


class ImagesReader:
    """A folder with image files in it and in the folders below."""

    format: Final = "images"

    def __init__(self, folder: Folder, layout: Layout, encoder: str = "") -> None:  # noqa: ARG002
        """Read ``layout`` in ``folder``; embeddings are computed, by whatever encoder."""
        self._folder = folder
        self._files = {files.name: files for files in layout.shards}

    def describe(self) -> DatasetFacts:
        """See ``ShardReader.describe``."""
        why = "the folder holds the images"
        return DatasetFacts(
            format=self.format,
            shards=len(self._files),
            rows=sum(len(files.images) for files in self._files.values()),
            columns=(),
            signals=(
                Signal("digest", True, "the sha256 and md5 of each file are taken"),
                Signal("hash", True, why),
                Signal("embedding", True, why),
                Signal("geometry", True, why),
            ),
            refused={},
        )

    def shards(self) -> Sequence[ShardFacts]:
        """See ``ShardReader.shards``."""
        return [self._shard(files) for files in self._files.values()]

    def batches(
        self, shard: ShardFacts, *, rows: int | None = None, refused: Counter[str]
    ) -> Iterator[pa.RecordBatch]:
        """See ``ShardReader.batches``."""
        yield from in_batches(self._rows(self._files[shard.name], refused), rows or PICTURE_ROWS)

    def read_image(
        self,
        shard: str,
        key: str,
        index: int,
        offset: int | None,  # noqa: ARG002  # files have none
    ) -> bytes | None:
        """See ``ShardReader.read_image``."""
        files = self._files.get(shard)
        if files is None or not 0 <= index < len(files.images) or files.images[index] != key:
            return None
        data = image_file(self._folder, key)
        return data if isinstance(data, bytes) else None

    def _shard(self, files: ShardFiles) -> ShardFacts:
        return ShardFacts(
            name=files.name,
            rows=len(files.images),
            bytes=sum(self._folder.sizes[name] for name in files.images),
            identity={"": self._folder.listing_identity(files.images)},
        )

    def _rows(self, files: ShardFiles, refused: Counter[str]) -> Iterator[Row]:
        for index, name in enumerate(files.images):
            data = image_file(self._folder, name)
            if isinstance(data, str):
                refused[data] += 1
                continue
            yield Row(
                key=name,
                shard=files.name,
                index=index,
                url=None,
                caption=None,
                sha256=hashlib.sha256(data).hexdigest(),
                md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
                offset=None,
                image=data,
            )
