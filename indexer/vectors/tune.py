"""How far a group's lists must be searched for the true nearest: measured, not hoped for.

Rows of the group are altered as a query differs from its copy, and searched both ways. The
cheapest setting that finds `RECALL` of the true ten nearest is recorded. Where none does, the
group gets no lists and every vector is compared.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from indexer.storage.manifest import ListFacts
from indexer.vectors.lists import Lists
from indexer.vectors.stored import StoredVectors

# Asked for on the sample, so that 0.99 holds beyond it.
RECALL: Final = 0.995
_SEED: Final = 2
_QUERIES: Final = 256
_NEAREST: Final = 10
# An edited photo's embedding has about such cosines with the original's.
_LIKENESS: Final = (0.75, 0.97)
_DEPTHS: Final = (128, 192, 256, 384, 512, 768, 1024)
_PROBES: Final = (4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
# Costs in nanoseconds: of comparing with one code, per bit; with one vector, per number.
_CODE_COST: Final = 0.045
_VECTOR_COST: Final = 0.65


def lists_tune(lists: Lists, vectors: StoredVectors) -> ListFacts | None:
    """Choose how to search these lists; None where comparing every vector is the better way."""
    places, queries = _altered(vectors)
    truth = _true_nearest(vectors, places, queries)
    best, cheapest = None, _VECTOR_COST * vectors.dim * len(vectors)
    for probes in _PROBES:
        if _cost(lists.facts, vectors, probes, 0) > cheapest:
            break
        found = lists.nearest_codes(queries, min(_DEPTHS[-1], len(vectors)), probes)
        ranks = _ranks(truth, found)
        for depth in _DEPTHS:
            recall = float((ranks < depth).mean())
            cost = _cost(lists.facts, vectors, probes, depth)
            if recall >= RECALL and cost < cheapest:
                best, cheapest = lists.tuned(probes=probes, depth=depth, recall=recall), cost
    return best


def _altered(vectors: StoredVectors) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Rows moved toward other rows' differences: their places, and float32[q, dim] of length 1."""
    rng = np.random.default_rng(_SEED)
    drawn = rng.choice(len(vectors), 3 * min(_QUERIES, len(vectors) // 3), replace=False)
    places, one, other = np.split(drawn, 3)
    rows = vectors.take(places)
    apart = vectors.take(one) - vectors.take(other)
    apart -= np.einsum("qd,qd->q", apart, rows)[:, None] * rows
    apart /= np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-6)
    likeness = rng.uniform(*_LIKENESS, (len(rows), 1)).astype(np.float32)
    queries = likeness * rows + np.sqrt(1 - likeness**2) * apart
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    return places, np.ascontiguousarray(queries, np.float32)


def _true_nearest(
    vectors: StoredVectors, own: NDArray[np.int64], queries: NDArray[np.float32]
) -> NDArray[np.int64]:
    """The places of the ten nearest to each query, its own row not counted: int64[q, 10]."""
    cosines = np.full((len(queries), 0), -np.inf, np.float32)
    places = np.zeros(cosines.shape, np.int64)
    for start, block in vectors.blocks():
        near = queries @ block.T
        mine = np.flatnonzero((own >= start) & (own < start + len(block)))
        near[mine, own[mine] - start] = -np.inf
        at = np.broadcast_to(np.arange(start, start + len(block)), near.shape)
        cosines, places = np.hstack([cosines, near]), np.hstack([places, at])
        best = np.argpartition(-cosines, min(_NEAREST, cosines.shape[1] - 1), axis=1)[:, :_NEAREST]
        cosines = np.take_along_axis(cosines, best, axis=1)
        places = np.take_along_axis(places, best, axis=1)
    return places


def _ranks(truth: NDArray[np.int64], found: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each of the true nearest stands among the found; behind all depths if it does not."""
    same = truth[:, :, None] == found[:, None, :]
    ranks: NDArray[np.int64] = np.where(same.any(axis=2), same.argmax(axis=2), _DEPTHS[-1])
    return ranks


def _cost(facts: ListFacts, vectors: StoredVectors, probes: int, depth: int) -> float:
    """What a query costs, in nanoseconds, about."""
    coded = probes * len(vectors) / facts.lists * facts.axes * facts.bits * _CODE_COST
    return coded + depth * vectors.dim * _VECTOR_COST
