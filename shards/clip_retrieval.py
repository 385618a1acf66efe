"""clip-retrieval's output: ``img_emb_N.npy`` beside ``metadata_N.parquet``, joined by position.

The arrays carry no ids.  Which encoder made them is written nowhere: the operator names it.
``text_emb`` are embeddings of the captions and are not read.
"""

from typing import ClassVar

from shards.arrays import array_facts
from shards.embedded import EmbeddedReader
from shards.reader import EmbeddingFacts
from unlist.formats import DatasetFormat


class ClipRetrievalReader(EmbeddedReader):
    """A folder that clip-retrieval's ``inference`` wrote, or LAION's published embeddings."""

    format: ClassVar[DatasetFormat] = "clip-retrieval"

    def _published(self, name: str) -> tuple[EmbeddingFacts, ...]:
        facts = array_facts(self._folder, name)
        return (EmbeddingFacts("img_emb", facts.dim, facts.dtype, "", used=True),)
