"""The stored pictures of rows, for comparing and for a reviewer's eyes: read where they lie."""

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache

from catalog.models import Dataset
from shards import NotADataset, ShardReader, UnknownFormat, open_dataset

Place = tuple[str, str, str, int, int | None]  # dataset, shard, key, index, offset


def row_picture(dataset: str, shard: str, key: str, index: int, offset: int | None) -> bytes | None:
    """The bytes that the dataset stores for a row.

    Returns:
        ``None`` where they cannot be had: dataset or shard gone, or changed since it was indexed
        so that the row's key is no longer there.
    """
    return next(row_pictures([(dataset, shard, key, index, offset)]))


def row_pictures(places: Iterable[Place]) -> Iterator[bytes | None]:
    """As ``row_picture`` for many rows, each dataset looked up once for all of them."""
    look_up = cache(_recorded)
    for dataset, shard, key, index, offset in places:
        recorded = look_up(dataset)
        try:
            reader = _reader(*recorded) if recorded else None
            yield reader.read_image(shard, key, index, offset) if reader else None
        except (NotADataset, UnknownFormat):
            yield None


def _recorded(dataset: str) -> tuple[str, str] | None:
    """Path and format of a dataset, ``None`` where there is none of that name."""
    return Dataset.objects.filter(name=dataset).values_list("path", "format").first()


@lru_cache(maxsize=16)
def _reader(path: str, form: str) -> ShardReader:
    """An opened dataset; opening lists its folder, so it is kept."""
    return open_dataset(path, form)
