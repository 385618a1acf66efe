"""Which formats can be read, and by which reader: one line each."""

from collections.abc import Callable, Mapping
from typing import Final

from shards.clip_retrieval import ClipRetrievalReader
from shards.coyo import CoyoReader
from shards.datacomp import DatacompReader
from shards.images import ImagesReader
from shards.img2dataset import img2dataset_reader
from shards.laion import LaionReader
from shards.reader import ShardReader
from shards.storage import Folder
from shards.tsv import TsvReader
from unlist.formats import Layout, NotADataset, UnknownFormat, detect

READERS: Final[Mapping[str, Callable[[Folder, Layout, str], ShardReader]]] = {
    "img2dataset": img2dataset_reader,
    "laion": LaionReader,
    "clip-retrieval": ClipRetrievalReader,
    "datacomp": DatacompReader,
    "coyo": CoyoReader,
    "tsv": TsvReader,
    "images": ImagesReader,
}

__all__ = ["READERS", "NotADataset", "UnknownFormat", "open_dataset", "readable_formats"]


def readable_formats() -> tuple[str, ...]:
    """The names that ``open_dataset`` takes for ``format``."""
    return tuple(READERS)


def open_dataset(
    path: str,
    format: str,  # noqa: A002  # the word of the trade
    *,
    encoder: str = "",
) -> ShardReader:
    """Open a dataset where it lies.

    Args:
        path: a local folder or any fsspec URL of one.
        format: one of ``readable_formats()``.
        encoder: open_clip ``model/pretrained tag`` that the operator named; where a dataset
            publishes embeddings of several encoders, it picks among them.

    Raises:
        UnknownFormat: no reader has that name; the sentence lists those there are.
        NotADataset: the folder cannot be listed, or holds no dataset of that format.
    """
    if format not in READERS:
        raise UnknownFormat(
            f"This version cannot index the format {format!r}; it reads: {', '.join(READERS)}."
        )
    folder = Folder.open(path)
    return READERS[format](folder, detect(folder.sizes, format), encoder)
