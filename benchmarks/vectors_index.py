"""A table of embeddings for the vector bench, and its indexing as the product does it.

Run as a program it indexes in a process of its own, whose memory can be watched; so this module
imports nothing that the product's indexing of embeddings does without.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks import bench_dir
from indexer.group.build import build_group
from indexer.prepare.batches import Prepared
from indexer.storage import layout
from indexer.storage.manifest import EncoderFacts
from unlist.keys import keys_from_arrow, row_keys

_BLOCK: Final = 8192
_ABSENT: Final = ("sha256", "md5", "offset")


@dataclass(frozen=True, slots=True)
class Case:
    """So many rows of such a dimension.

    Attributes:
        rows, dim: of the embeddings.
        real: whether they come from real pictures.
    """

    rows: int
    dim: int
    real: bool

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        kind = "real" if self.real else "random"
        return bench_dir("vectors", f"{kind}-{self.dim}-{self.rows}")

    @property
    def embeddings(self) -> Path:
        """float16[rows, dim], alone in its folder, as autofaiss wants it."""
        return self.folder / "embeddings" / "embeddings.npy"

    @property
    def queries(self) -> Path:
        """float32[q, dim]."""
        return self.folder / "queries.npy"

    @property
    def index(self) -> Path:
        """Our index directory."""
        return self.folder / "index"


def prepared(case: Case) -> Iterator[Prepared]:
    """The embeddings as rows of a dataset that has nothing else but addresses."""
    none = np.empty(0, np.uint32)
    for first, vectors in _blocks(case):
        numbers = np.arange(first, first + len(vectors))
        urls = pa.array([f"https://example.org/{number}.jpg" for number in numbers])
        own = np.arange(len(vectors), dtype=np.uint32)
        yield Prepared(
            rows=_rows(numbers, urls),
            keys=keys_from_arrow(row_keys("url", urls)).view(np.uint8).reshape(-1, 16),
            owners=own,
            vectors=vectors,
            vector_rows=own,
            pdq=np.empty((0, 32), np.uint8),
            pdq_rows=none,
            phash=np.empty(0, np.uint64),
            phash_rows=none,
            refused=Counter(),
        )


def _blocks(case: Case) -> Iterator[tuple[int, NDArray[np.float16]]]:
    """The embeddings by plain reads: mapped pages would count as memory."""
    with case.embeddings.open("rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        for first in range(0, case.rows, _BLOCK):
            count = min(_BLOCK, case.rows - first)
            data = file.read(count * case.dim * 2)
            yield first, np.frombuffer(data, np.float16).reshape(count, case.dim)


def _rows(numbers: NDArray[np.int64], urls: "pa.Array[pa.StringScalar]") -> pa.RecordBatch:
    count = len(numbers)
    columns: dict[str, pa.Array[Any]] = {
        "key": pa.array([f"{number:010d}" for number in numbers]),
        "shard": pa.repeat("embeddings", count),
        "index": pa.array(numbers),
        "url": urls,
    }
    rest = {name: pa.nulls(count, layout.ROW_SCHEMA.field(name).type) for name in _ABSENT}
    return pa.RecordBatch.from_pydict({**columns, **rest}, layout.ROW_SCHEMA)


def main() -> None:
    """Index a case: rows, dimension, real or random, and from which size on lists are made."""
    rows, dim, kind, lists_from = sys.argv[1:]
    case = Case(int(rows), int(dim), kind == "real")
    build_group(
        case.index,
        prepared(case),
        encoder=EncoderFacts("bench/vectors", "none", case.dim),
        dataset="bench",
        group=0,
        shards=(),
        refused=Counter(),
        progress=lambda _: None,
        lists_from=int(lists_from),
    )


if __name__ == "__main__":
    main()
