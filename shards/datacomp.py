"""DataComp's metadata: ``<uid>.parquet`` with ``<uid>.npz`` beside it, embeddings by two encoders.

The npz holds ``b32_img``, ``b32_txt``, ``l14_img`` and ``l14_txt``: OpenAI's CLIP ViT-B/32 and
ViT-L/14 of images and captions, row for row with the table.  The encoder that the operator names
picks the array.
"""

from collections.abc import Sequence
from typing import ClassVar, Final

from shards.arrays import archive_facts
from shards.embedded import EmbeddedReader
from shards.reader import EmbeddingFacts
from unlist.formats import DatasetFormat

_ENCODERS: Final = {"b32_img": "ViT-B-32/openai", "l14_img": "ViT-L-14/openai"}


class DatacompReader(EmbeddedReader):
    """The folder of metadata that DataComp's ``download_upstream.py`` wrote."""

    format: ClassVar[DatasetFormat] = "datacomp"

    def _array(self) -> str | None:
        named = self._encoder.replace("-quickgelu/", "/")
        return next((array for array, encoder in _ENCODERS.items() if encoder == named), None)

    def _published(self, name: str) -> tuple[EmbeddingFacts, ...]:
        found = archive_facts(self._folder, name)
        return tuple(
            EmbeddingFacts(
                array, found[array].dim, found[array].dtype, encoder, array == self._array()
            )
            for array, encoder in _ENCODERS.items()
            if array in found
        )

    def _why_no_embeddings(self, embeddings: Sequence[EmbeddingFacts]) -> str:
        if not embeddings:
            return "no npz with b32_img or l14_img beside the tables can be read"
        offered = " or ".join(f"{one.encoder} for {one.array}" for one in embeddings)
        return f"--encoder names none that made them: give {offered}"
