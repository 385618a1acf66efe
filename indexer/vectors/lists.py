"""Inverted lists of compressed vectors, for groups too large to compare every vector.

A vector's main part (its coordinates along the group's principal axes, turned at random) is coded
by RaBitQ (Gao, Long: "RaBitQ", SIGMOD 2024, and its extension to several bits, 2025), as what it
differs from the center of its list. A search looks into the lists whose centers are nearest to
the query, takes the rows nearest by code, and compares those exactly with the 16-bit vectors. How
many lists and rows that must be was measured when the group was built (`indexer.vectors.tune`).

The lists are a file of their own, mapped into memory; the codes are read where they lie.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.storage import layout
from indexer.storage.manifest import ListFacts

# To how many bits a query's coordinates are rounded when they are compared with the codes.
_QUERY_BITS: Final = 8


class Lists:
    """Inverted lists over stored vectors, read-only.

    Attributes:
        facts: how they are searched.
    """

    def __init__(self, coded: Any, flat: Any, facts: ListFacts) -> None:
        """Take an index of codes and the 16-bit vectors that they stand for, both FAISS's."""
        self.facts = facts
        self._coded = coded
        self._exact = faiss.IndexRefine(coded, flat)

    @classmethod
    def open(cls, directory: Path, flat: Any, facts: ListFacts) -> Self:
        """Map the lists of a group.

        Raises:
            RuntimeError, ValueError: the files are damaged.
        """
        coded = faiss.read_index(str(directory / layout.LISTS_FILE), faiss.IO_FLAG_SKIP_IVF_DATA)
        inverted = faiss.extract_index_ivf(coded)
        if (coded.d, coded.ntotal, inverted.nlist) != (flat.d, flat.ntotal, facts.lists):
            raise ValueError("the lists are of other vectors")
        _map(inverted, directory / layout.LISTS_DATA_FILE)
        return cls(coded, flat, facts)

    def search(
        self, queries: NDArray[np.float32], depth: int, selector: Any = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Find the rows nearest to each query, of those that `selector` lets pass.

        Returns:
            Places int64[q, depth] and exact cosines float32[q, depth], falling by cosine; -1 and
            -inf where there are fewer.
        """
        params = parameters(
            faiss.IndexRefineSearchParameters,
            k_factor=max(1.0, self.facts.depth / depth),
            base_index_params=self._params(self.facts.probes, selector),
        )
        cosines, places = self._exact.search(queries, depth, params=params)
        cosines[places < 0] = -np.inf
        return places, cosines

    def nearest_codes(
        self, queries: NDArray[np.float32], depth: int, probes: int
    ) -> NDArray[np.int64]:
        """The rows nearest by code alone, in so many lists: places int64[q, depth]."""
        found: NDArray[np.int64] = self._coded.search(
            queries, depth, params=self._params(probes, None)
        )[1]
        return found

    def tuned(self, *, probes: int, depth: int, recall: float) -> ListFacts:
        """The facts with what tuning found."""
        return replace(self.facts, probes=probes, depth=depth, recall=recall)

    def _params(self, probes: int, selector: Any) -> Any:
        inner = parameters(
            faiss.IVFRaBitQSearchParameters, nprobe=probes, sel=selector, qb=_QUERY_BITS
        )
        return parameters(faiss.SearchParametersPreTransform, index_params=inner)


def parameters(kind: Any, **values: Any) -> Any:
    """FAISS's search parameters of some kind; its type stubs do not know that they take values."""
    return kind(**values)


def _map(inverted: Any, path: Path) -> None:
    """Let an index find its lists' data in this file."""
    data = faiss.downcast_InvertedLists(inverted.invlists)
    if not isinstance(data, faiss.OnDiskInvertedLists) or data.totsize != path.stat().st_size:
        raise ValueError("the lists' data are others")
    data.filename = str(path)
    data.read_only = True
    # Threads that read ahead cost more than they save: the lists of a search are short.
    data.prefetch_nthread = 0
    data.do_mmap()
