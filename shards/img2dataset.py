"""img2dataset's outputs, told apart by looking: tar shards, folders of images, images in tables."""

from shards.files_output import FilesReader
from shards.parquet_output import ParquetReader
from shards.reader import ShardReader
from shards.storage import Folder
from shards.webdataset import WebdatasetReader
from unlist.formats import Layout


def img2dataset_reader(folder: Folder, layout: Layout, encoder: str) -> ShardReader:
    """The reader for the output that ``layout`` names."""
    if layout.output == "files":
        return FilesReader(folder, layout, encoder)
    if layout.output == "parquet":
        return ParquetReader(folder, layout, encoder)
    return WebdatasetReader(folder, layout, encoder)
