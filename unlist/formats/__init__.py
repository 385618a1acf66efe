"""What dataset tools write: pure knowledge of forms, shared by the client and the service.

``layout`` makes the shards of a form out of file names, ``rewritable`` says which forms can be
rewritten whole and tells a folder's form by looking, ``columns`` finds the columns that identify
a row whatever their spelling, ``tars`` knows how a tar shard's members belong to rows, ``tables``
and ``stats`` know how a table and its statistics are rewritten with rows left out.  Nothing here
decodes an image or talks to a network.
"""

from unlist.formats.columns import (
    COLUMN_ALIASES,
    Columns,
    columns_for,
    find_columns,
    image_column,
    native_key,
)
from unlist.formats.layout import FORMATS, detect
from unlist.formats.listing import (
    IMAGE_SUFFIXES,
    DatasetFormat,
    Layout,
    NotADataset,
    Output,
    ShardFiles,
    UnknownFormat,
)
from unlist.formats.refused import DatasetRefused
from unlist.formats.rewritable import REWRITABLE, rewritable
from unlist.formats.tars import member_key

__all__ = [
    "COLUMN_ALIASES",
    "FORMATS",
    "IMAGE_SUFFIXES",
    "REWRITABLE",
    "Columns",
    "DatasetFormat",
    "DatasetRefused",
    "Layout",
    "NotADataset",
    "Output",
    "ShardFiles",
    "UnknownFormat",
    "columns_for",
    "detect",
    "find_columns",
    "image_column",
    "member_key",
    "native_key",
    "rewritable",
]
