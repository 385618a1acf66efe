"""Dataset files to typed Arrow batches, format by format, with bounded memory.

``open_dataset`` gives a :class:`~shards.reader.ShardReader`; whatever a dataset's files hold, a
row is either in a batch or counted under a reason (``shards.reasons``), never lost in silence.
To read one more format, write one module with one reader and name it in ``shards.registry``.
"""

from shards.reader import (
    BATCH_SCHEMA,
    DatasetFacts,
    EmbeddingFacts,
    ShardFacts,
    ShardReader,
    Signal,
)
from shards.registry import NotADataset, UnknownFormat, open_dataset, readable_formats

__all__ = [
    "BATCH_SCHEMA",
    "DatasetFacts",
    "EmbeddingFacts",
    "NotADataset",
    "ShardFacts",
    "ShardReader",
    "Signal",
    "UnknownFormat",
    "open_dataset",
    "readable_formats",
]
