"""Which files an index directory has, and how they are written and mapped into memory.

index.json          see `indexer.manifest`
rows.arrow          Arrow IPC file: the row table, one entry a row of the dataset
pictured.npy        uint32[m]: the rows with a usable picture; the three below speak of these
vectors.faiss       FAISS flat index, inner product, float32[m, dim]
pdq-*.npy, phash-*.npy   Hamming indexes, see `indexer.hamming`
digest-*.npy        see `indexer.digests`
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

ROWS_FILE: Final = "rows.arrow"
VECTORS_FILE: Final = "vectors.faiss"
PICTURED_FILE: Final = "pictured.npy"
PDQ: Final = "pdq"
PHASH: Final = "phash"
DIGEST: Final = "digest"
HAMMING_ARRAYS: Final = ("codes", "values", "order")
DIGEST_ARRAYS: Final = ("keys", "rows")

_ROW_TYPES: Final[dict[str, pa.DataType]] = {
    "key": pa.string(),
    "shard": pa.string(),
    "index": pa.int64(),
    "url": pa.string(),
    "sha256": pa.string(),
    "md5": pa.string(),
    "offset": pa.int64(),
}
ROW_SCHEMA: Final = pa.schema(_ROW_TYPES)


def write_arrays(directory: Path, prefix: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Write each array as `<prefix>-<name>.npy`."""
    for name, array in arrays.items():
        np.save(directory / f"{prefix}-{name}.npy", array, allow_pickle=False)


def map_arrays(directory: Path, prefix: str, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Map arrays written by `write_arrays` into memory, read-only."""
    return {name: map_array(directory / f"{prefix}-{name}.npy") for name in names}


def map_array(path: Path) -> np.ndarray:
    """Map one `.npy` file into memory, read-only."""
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return array
