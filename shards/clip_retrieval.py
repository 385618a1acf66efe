"""clip-retrieval's output: ``img_emb_N.npy`` beside ``metadata_N.parquet``, joined by position.

The arrays carry no ids.  Which encoder made them is written nowhere: the operator names it.
``text_emb`` are embeddings of the captions and are not read.
"""

from functools import cached_property
from typing import ClassVar

from shards.arrays import ArrayUnreadable, array_facts
from shards.embedded import EmbeddedReader
from shards.reader import EmbeddingFacts
from unlist.formats import DatasetFormat


class ClipRetrievalReader(EmbeddedReader):
    """A folder that clip-retrieval's ``inference`` wrote, or LAION's published embeddings."""

    format: ClassVar[DatasetFormat] = "clip-retrieval"

    def _embeddings(self) -> tuple[EmbeddingFacts, ...]:
        return self._first_array

    @cached_property
    def _first_array(self) -> tuple[EmbeddingFacts, ...]:
        for files in self._files.values():
            if files.embeddings is None:
                continue
            try:
                facts = array_facts(self._folder, files.embeddings)
            except ArrayUnreadable:
                continue
            return (EmbeddingFacts("img_emb", facts.dim, facts.dtype, "", used=True),)
        return ()
