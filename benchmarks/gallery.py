"""Large galleries: millions of rows that no query is a copy of, as near to real ones as can be had.

Embedding a million pictures would take hours, so a gallery starts from the fingerprints of some
20,000 real crops and edits (`gallery_base`) and expands them. A row's embedding is a random
convex mixture of embeddings of ONE photograph's crops, brought back to length 1; its hashes are
those of the crop that weighs most, with 2 to 40 % of their bits flipped. Say so beside any figure
that was measured in one.

    python -m benchmarks.gallery --rows 1000000 --out DIR [--seed 0]

writes a dataset as clip-retrieval writes it, with the hashes recorded in the metadata:
`img_emb/img_emb_NNNN.npy` (float16) and `metadata/metadata_NNNN.parquet` (key, url, caption, pdq,
phash). It is added by `manage.py add_dataset NAME --format clip-retrieval --encoder
efficientnet-lite0/imagenet --path DIR`. Memory stays bounded by the chunk; the same base, seed and
row count give the same bytes.
"""

import argparse
import itertools
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.lib.format import header_data_from_array_1_0, write_array_header_1_0
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.gallery_base import Base, load_base
from benchmarks.report import at_least_one
from indexer.hashes.picture import QUALITY_FLOOR

CHUNK: Final = 32_768
PART_ROWS: Final = 1_000_000
_MIXED: Final = 3  # crops in a mixture
_FLIPPED: Final = (0.02, 0.40)
_DIGITS: Final = 10
_HEX: Final = np.frombuffer(b"0123456789abcdef", np.uint8)


class NoSpace(OSError):
    """The gallery would fill the disk."""


@dataclass(frozen=True, eq=False, slots=True)
class Chunk:
    """Some rows of a gallery.

    Attributes:
        first: number of its first row.
        photo: uint32[n], each row's photograph's place in the base.
        vectors: float16[n, dim], each of length 1.
        pdq: uint8[n, 32].
        phash: uint64[n].
        plain: bool[n]; the crop is too plain to be hashed (PDQ quality below the floor): its
            hashes are there, a dataset records none.
    """

    first: int
    photo: NDArray[np.uint32]
    vectors: NDArray[np.float16]
    pdq: NDArray[np.uint8]
    phash: NDArray[np.uint64]
    plain: NDArray[np.bool_]


def chunks(base: Base, rows: int, *, seed: int = 0, first: int = 0) -> Iterator[Chunk]:
    """The rows from `first` on, `CHUNK` at a time, made by two threads, in order.

    Args:
        base: what they are mixed from.
        rows: of the whole gallery.
        seed: another one gives other rows.
        first: a multiple of `CHUNK`.
    """
    starts = iter(range(first, rows, CHUNK))
    with ThreadPoolExecutor(2, thread_name_prefix="gallery") as pool:
        waiting = [
            pool.submit(chunk, base, start, min(CHUNK, rows - start), seed)
            for start in (next(starts, None), next(starts, None), next(starts, None))
            if start is not None
        ]
        while waiting:
            yield waiting.pop(0).result()
            if (start := next(starts, None)) is not None:
                waiting.append(pool.submit(chunk, base, start, min(CHUNK, rows - start), seed))


def chunk(base: Base, first: int, count: int, seed: int) -> Chunk:
    """Rows `first` to `first + count` of a gallery."""
    rng = np.random.default_rng([seed, first])
    photo = rng.integers(len(base.photos), size=count, dtype=np.uint32)
    crops = rng.integers(base.variants, size=(count, _MIXED))
    weights = np.sort(rng.dirichlet(np.ones(_MIXED), count).astype(np.float32), axis=1)
    main = photo * base.variants + crops[:, -1]
    return Chunk(
        first=first,
        photo=photo,
        vectors=_mixtures(base, photo, crops, weights),
        pdq=base.pdq[main] ^ _flips(rng, count, 32),
        phash=base.phash[main] ^ _flips(rng, count, 8).view(np.uint64).ravel(),
        plain=base.quality[main] < QUALITY_FLOOR,
    )


def write_dataset(
    base: Base, out: Path, rows: int, *, seed: int = 0, part_rows: int = PART_ROWS
) -> None:
    """Write a gallery as clip-retrieval does, `part_rows` rows a file.

    Raises:
        NoSpace: the disk has not enough room for it.
        FileExistsError: `out` is there already.
    """
    out.mkdir(parents=True)
    _check_space(out, rows * (base.vectors.shape[1] * 2 + 150))
    for name in ("img_emb", "metadata"):
        (out / name).mkdir()
    with tqdm(total=rows, unit="row", unit_scale=True) as bar:
        for number, start in enumerate(range(0, rows, part_rows)):
            part = range(start, min(start + part_rows, rows))
            for count in _write_part(base, out, number, part, seed):
                bar.update(count)


def _write_part(base: Base, out: Path, number: int, part: range, seed: int) -> Iterator[int]:
    """Write one array and its metadata; yields how many rows were added."""
    dim = base.vectors.shape[1]
    array = out / "img_emb" / f"img_emb_{number:04d}.npy"
    table = out / "metadata" / f"metadata_{number:04d}.parquet"
    header = header_data_from_array_1_0(np.empty((0, dim), np.float16))
    with array.open("wb") as file, pq.ParquetWriter(table, _SCHEMA, use_dictionary=False) as rows:
        write_array_header_1_0(file, header | {"shape": (len(part), dim)})
        for made in chunks(base, len(part), seed=part_seed(seed, number)):
            made.vectors.tofile(file)
            rows.write_batch(_metadata(made, part.start + made.first))
            yield len(made.vectors)


def part_seed(seed: int, number: int) -> int:
    """The seed of one file of a gallery."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _mixtures(
    base: Base,
    photo: NDArray[np.uint32],
    crops: NDArray[np.int64],
    weights: NDArray[np.float32],
) -> NDArray[np.float16]:
    """The weighted sums of each row's crops' embeddings, of length 1."""
    rows = torch.from_numpy(photo.astype(np.int64)[:, None] * base.variants + crops)
    lengths = np.sqrt(_squared_lengths(_products(base), photo, crops, weights))
    shares = torch.from_numpy((weights / lengths[:, None]).astype(np.float16))
    mixed = torch.nn.functional.embedding_bag(
        rows, torch.from_numpy(base.vectors), per_sample_weights=shares, mode="sum"
    )
    vectors: NDArray[np.float16] = mixed.numpy()
    return vectors


@lru_cache(maxsize=2)
def _products(base: Base) -> NDArray[np.float32]:
    """Inner products of each photograph's crops: float32[photos, variants, variants]."""
    crops = base.vectors.reshape(len(base.photos), base.variants, -1).astype(np.float32)
    products: NDArray[np.float32] = crops @ crops.transpose(0, 2, 1)
    return products


def _squared_lengths(
    products: NDArray[np.float32],
    photo: NDArray[np.uint32],
    crops: NDArray[np.int64],
    weights: NDArray[np.float32],
) -> NDArray[np.float32]:
    """|w V|² = w (V Vᵀ) wᵀ: the lengths of the mixtures before they are made."""
    total = np.zeros(len(photo), np.float32)
    for one, other in itertools.product(range(_MIXED), repeat=2):
        inner = products[photo, crops[:, one], crops[:, other]]
        total += weights[:, one] * weights[:, other] * inner
    return total


def _flips(rng: np.random.Generator, count: int, size: int) -> NDArray[np.uint8]:
    """Bits to flip, each row's at a rate of its own: uint8[count, size]."""
    rate = rng.uniform(*_FLIPPED, (count, 1)) * 256
    chances = np.frombuffer(rng.bytes(count * size * 8), np.uint8).reshape(count, size * 8)
    return np.packbits((chances < rate.astype(np.uint8)).ravel()).reshape(count, size)


_SCHEMA: Final = pa.schema(
    [(name, pa.string()) for name in ("key", "url", "caption", "pdq", "phash")]
)


def _metadata(made: Chunk, first: int) -> pa.RecordBatch:
    numbers = np.arange(first, first + len(made.vectors))
    return pa.RecordBatch.from_arrays(
        [
            _texts(_digits(numbers)),
            _texts(b"https://gallery.example/", _digits(numbers), b".jpg"),
            _texts(b"Crop of photo ", _digits(made.photo)),
            _texts(_hex(made.pdq), null=made.plain),
            _texts(_hex(made.phash.astype(">u8").view(np.uint8).reshape(-1, 8)), null=made.plain),
        ],
        schema=_SCHEMA,
    )


def _digits(numbers: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Whole numbers as `_DIGITS` decimal digits: uint8[n, _DIGITS]."""
    powers = 10 ** np.arange(_DIGITS - 1, -1, -1, dtype=np.int64)
    return (numbers.astype(np.int64)[:, None] // powers % 10 + ord("0")).astype(np.uint8)


def _hex(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bytes as hex digits: uint8[n, k] -> uint8[n, 2 k]."""
    pairs = np.stack([_HEX[codes >> 4], _HEX[codes & 15]], axis=2)
    return pairs.reshape(len(codes), -1)


def _texts(
    *parts: bytes | NDArray[np.uint8], null: NDArray[np.bool_] | None = None
) -> "pa.Array[Any]":
    """Texts of one length, joined from columns of characters and constants."""
    count = next(len(part) for part in parts if isinstance(part, np.ndarray))
    columns = [
        part
        if isinstance(part, np.ndarray)
        else np.broadcast_to(np.frombuffer(part, np.uint8), (count, len(part)))
        for part in parts
    ]
    text = np.ascontiguousarray(np.concatenate(columns, axis=1))
    offsets = np.arange(count + 1, dtype=np.int32) * text.shape[1]
    valid = None if null is None else pa.py_buffer(np.packbits(~null, bitorder="little").tobytes())
    return pa.Array.from_buffers(
        pa.string(), count, [valid, pa.py_buffer(offsets.data), pa.py_buffer(text.data)]
    )


def _check_space(out: Path, needed: int) -> None:
    free = shutil.disk_usage(out).free
    if free < needed * 1.05:
        raise NoSpace(
            f"The gallery needs {needed / 1e9:.1f} GB and {out} has {free / 1e9:.1f} GB free: "
            "make room, choose another folder or fewer rows."
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a gallery."""
    parser = argparse.ArgumentParser(description="Write a large gallery as clip-retrieval does.")
    parser.add_argument("--rows", type=at_least_one, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--base", type=Path, help="default: var/bench/gallery/base.npz")
    parser.add_argument(
        "--splits",
        nargs="+",
        choices=("fit", "calibration", "test"),
        default=("fit", "calibration", "test"),
        help="whose photos' crops: never those of a trial that is searched together with it",
    )
    parser.add_argument("--part-rows", type=at_least_one, default=PART_ROWS)
    options = parser.parse_args(arguments)
    base = load_base(options.base).of(options.splits)
    began = time.perf_counter()
    write_dataset(base, options.out, options.rows, seed=options.seed, part_rows=options.part_rows)
    seconds = time.perf_counter() - began
    print(f"{options.rows:,} rows in {seconds:.1f} s: {options.rows / seconds:,.0f} rows/s")


if __name__ == "__main__":
    main()
