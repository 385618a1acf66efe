"""The stored picture of one row, for a reviewer's eyes: read where it lies, never copied."""

from functools import lru_cache

from catalog.models import Dataset
from shards import NotADataset, ShardReader, UnknownFormat, open_dataset


def row_picture(dataset: str, shard: str, key: str, index: int, offset: int | None) -> bytes | None:
    """The bytes that the dataset stores for a row.

    Returns:
        ``None`` where they cannot be had: dataset or shard gone, or changed since it was indexed
        so that the row's key is no longer there.
    """
    found = Dataset.objects.filter(name=dataset).values_list("path", "format").first()
    if found is None:
        return None
    try:
        return _reader(*found).read_image(shard, key, index, offset)
    except (NotADataset, UnknownFormat):
        return None


@lru_cache(maxsize=16)
def _reader(path: str, form: str) -> ShardReader:
    """An opened dataset; opening lists its folder, so it is kept."""
    return open_dataset(path, form)
