"""Rows nearest to a text or an example, for maintainers' sweeps: by embeddings alone, no verdict.

For workers only: this module loads the index and encoder libraries. A vector goes with the
preprocessing of the encoder that made it, so that it is never compared with another version's.
"""

from collections.abc import Collection, Mapping

import numpy as np

from catalog.masking import rows_masked
from catalog.models import Group
from catalog.search import group_reading
from indexer.decode import decode
from indexer.encoder.known import encoder_facts
from indexer.encoder.load import load_encoder
from indexer.encoder.text import embed_text
from indexer.evidence.hits import Row
from indexer.storage.manifest import EncoderFacts, EncoderMismatch

Vector = tuple[str, bytes]
"""The encoder's preprocessing, and a vector's numbers: float32, of length 1."""


def text_vectors(text: str, encoders: Collection[str]) -> dict[str, Vector]:
    """Embed a text by the named encoders.

    Raises:
        NoTextTower: one reads no words.
        EncoderUnavailable: one cannot be loaded here.
    """
    return {
        name: (encoder_facts(name).preprocessing, embed_text(name, [text])[0].tobytes())
        for name in encoders
    }


def picture_vectors(data: bytes, encoders: Collection[str]) -> dict[str, Vector]:
    """Embed a picture by the named encoders, which stay loaded.

    Raises:
        ImageRefused: the bytes are no picture that is read.
        EncoderUnavailable: an encoder cannot be loaded here.
    """
    image = decode(data)
    loaded = [load_encoder(name) for name in encoders]
    return {one.name: (one.preprocessing, one.embed([image])[0].tobytes()) for one in loaded}


def group_nearest(
    group: Group, vectors: Mapping[str, Vector], *, most: int
) -> list[tuple[Row, float]]:
    """The rows of a group nearest to what is looked for, with their cosines, falling.

    Rows that are masked are left out.

    Raises:
        GroupUnreadable: the index cannot be read; the group is marked as failed.
        EncoderMismatch: no vector is of the group's encoder, or it is of another version of it.
    """
    with group_reading(group) as opened:
        facts = opened.manifest.encoder
        preprocessing, numbers = vectors.get(facts.name, ("", b""))
        vector = np.frombuffer(numbers, np.float32)
        if EncoderFacts(facts.name, preprocessing, len(vector)) != facts:
            raise EncoderMismatch(
                f"The index {opened.path.name!r} was made by {facts.name!r} "
                f"({facts.preprocessing}), by which no vector was made: start the sweep anew."
            )
        return opened.nearest(vector, most=most, removed=rows_masked(group, opened))
