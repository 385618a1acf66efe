"""What dataset tools write: pure knowledge of forms, shared by the client and the service.

``layout`` tells a folder's form from its file names, ``columns`` finds the columns that identify
a row whatever their spelling, ``tars`` knows how a tar shard's members belong to rows, ``tables``
and ``stats`` know how a table and its statistics are rewritten with rows left out.  Nothing here
decodes an image or talks to a network.
"""

from unlist.formats.columns import COLUMN_ALIASES, Columns, columns_for, find_columns
from unlist.formats.layout import (
    FORMATS,
    IMAGE_SUFFIXES,
    DatasetFormat,
    Layout,
    NotADataset,
    ShardFiles,
    UnknownFormat,
    detect,
)
from unlist.formats.refused import DatasetRefused
from unlist.formats.tars import member_key

__all__ = [
    "COLUMN_ALIASES",
    "FORMATS",
    "IMAGE_SUFFIXES",
    "Columns",
    "DatasetFormat",
    "DatasetRefused",
    "Layout",
    "NotADataset",
    "ShardFiles",
    "UnknownFormat",
    "columns_for",
    "detect",
    "find_columns",
    "member_key",
]
