"""Which hash COYO's ``image_phash`` is, and that a dataset's own are held against it."""

import io
from pathlib import Path

import imagehash
import numpy as np
import pyarrow as pa
from PIL import Image

from indexer.hashes.picture import hash_picture
from shards import open_dataset
from tests.shards.factories import picture
from tests.shards.makers import urls, write_parquet
from tests.shards.reader_contract import read_dataset

PUBLISHED = (
    *("e9e90c24f1d9c674", "bac58374982e0fc7", "8374726575bc0f8a", "949d1fe559e2cc90"),
    *("e5ea35075ab912c6", "d0693e966993ce61", "c9b6a7d8469c1959", "9f91e133b1924e4e"),
)
"""From the README of COYO-700M and the cards of COYO-700M and COYO-Labeled-300M."""


def test_the_published_examples_are_as_imagehash_writes_them() -> None:
    for text in PUBLISHED:
        bits = imagehash.hex_to_hash(text).hash
        assert bits.shape == (8, 8)
        assert bits[0, 0]  # the constant coefficient, which phash.org leaves out
        assert bits.sum() == 32  # half lie above the median


def test_the_first_bit_tells_imagehash_from_hashes_without_the_constant() -> None:
    pictures = [Image.open(io.BytesIO(picture(seed))) for seed in range(64)]
    ours = [imagehash.phash(image).hash for image in pictures]
    assert np.mean([bits[0, 0] for bits in ours]) == 1
    others = [_without_constant(image) for image in pictures]
    assert 0.2 < np.mean([bits[0] for bits in others]) < 0.8


def test_a_recorded_hash_is_the_one_that_a_query_gets(tmp_path: Path) -> None:
    images = [Image.open(io.BytesIO(picture(seed))).convert("RGB") for seed in range(8)]
    recorded = [str(imagehash.phash(image)) for image in images]
    write_parquet(
        tmp_path / "0.parquet", {"id": list(range(8)), "url": urls(8), "image_phash": recorded}
    )
    rows, _ = read_dataset(tmp_path, "coyo")
    for row, image in zip(rows, images, strict=True):
        own = int(hash_picture(image, turned=False).phash[0])
        assert (row["phash"] ^ own).bit_count() <= 2
    signal = open_dataset(str(tmp_path), "coyo").describe().signals[1]
    assert signal.reason == (
        "image_phash is imagehash's phash: the first bit is set in 100.0% of 8 read"
    )


def test_hashes_that_look_otherwise_are_doubted_aloud(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 2**63, 500, dtype=np.uint64) * 2
    columns = {"url": urls(500), "image_phash": [f"{value:016x}" for value in noise]}
    write_parquet(tmp_path / "0.parquet", columns)
    signal = open_dataset(str(tmp_path), "coyo").describe().signals[1]
    assert "if these are another hash, no photo is found by them" in signal.reason


def test_tables_without_hashes_say_so(tmp_path: Path) -> None:
    write_parquet(tmp_path / "0.parquet", {"url": urls(2)})
    assert not open_dataset(str(tmp_path), "coyo").describe().signals[1].available
    write_parquet(tmp_path / "0.parquet", {"url": urls(2), "image_phash": pa.nulls(2, pa.string())})
    signal = open_dataset(str(tmp_path), "coyo").describe().signals[1]
    assert (signal.available, "no hash of 16 hex digits" in signal.reason) == (False, True)


def _without_constant(image: Image.Image) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """The kind of hash that phash.org computes: the 8 x 8 coefficients after the constant ones."""
    grey = np.asarray(image.convert("L").resize((32, 32)), np.float64)
    steps = np.arange(32)
    basis = np.cos(np.pi / 32 * (steps[None, :] + 0.5) * steps[:, None])
    low = (basis @ grey @ basis.T)[1:9, 1:9].ravel()
    bits: np.ndarray[tuple[int], np.dtype[np.bool_]] = low > np.median(low)
    return bits
