"""Embeddings to search among, and queries that no row was mixed from, for the vector bench.

Rows are the gallery's (`benchmarks.gallery`): mixtures of real crops' embeddings. Of every
photograph the last crops and edits are kept out of the mixtures: they are the queries. For another
dimension than the encoder's, the real embeddings are first turned onto their principal axes and
cut there, which keeps most of their products.
"""

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.gallery import chunks
from benchmarks.gallery_base import VARIANTS, Base, load_base
from benchmarks.vectors_index import Case
from indexer.storage import layout

KEPT_OUT: Final = 3
QUERIES: Final = 1024


def write_case(case: Case, base_file: Path | None) -> None:
    """Write a case's embeddings and queries, if they are not there."""
    if case.queries.exists():
        return
    base = _of_dim(load_base(base_file) if case.real else _random_base(), case.dim)
    crops = base.vectors.reshape(len(base.photos), base.variants, case.dim)
    mixed, asked = crops[:, :-KEPT_OUT], crops[:, -KEPT_OUT:].reshape(-1, case.dim)
    kept = np.arange(len(base.vectors)).reshape(len(base.photos), -1)[:, :-KEPT_OUT].ravel()
    rest = replace(
        base,
        vectors=np.ascontiguousarray(mixed.reshape(-1, case.dim)),
        pdq=base.pdq[kept],
        quality=base.quality[kept],
        phash=base.phash[kept],
    )
    case.embeddings.parent.mkdir(parents=True, exist_ok=True)
    with layout.ArrayWriter(case.embeddings, np.float16, (case.dim,)) as out:
        for part in chunks(rest, case.rows):
            out.append(part.vectors)
    order = np.random.default_rng(1).permutation(len(asked))[:QUERIES]
    np.save(case.queries, asked[order].astype(np.float32))


def _of_dim(base: Base, dim: int) -> Base:
    """The same pictures' embeddings in fewer numbers: cut on their principal axes."""
    if base.vectors.shape[1] == dim:
        return base
    wide = base.vectors.astype(np.float32)
    axes = np.linalg.eigh((wide.T @ wide).astype(np.float64))[1][:, ::-1][:, :dim]
    cut = wide @ axes.astype(np.float32)
    cut /= np.linalg.norm(cut, axis=1, keepdims=True)
    return replace(base, vectors=cut.astype(np.float16))


def _random_base() -> Base:
    """For a quick run, where no picture has been embedded: clusters with a few strong axes."""
    rng, photos, dim = np.random.default_rng(0), 60, 768
    strength = 1 / np.sqrt(np.arange(1, dim + 1))
    centers = np.repeat(rng.standard_normal((photos, dim)) * strength, VARIANTS, axis=0)
    crops = centers + 0.5 * rng.standard_normal(centers.shape) * strength
    crops /= np.linalg.norm(crops, axis=1, keepdims=True)
    count = len(crops)
    return Base(
        tuple(map(str, range(photos))),
        crops.astype(np.float16),
        np.zeros((count, 32), np.uint8),
        np.zeros(count, np.uint8),
        np.zeros(count, np.uint64),
    )
