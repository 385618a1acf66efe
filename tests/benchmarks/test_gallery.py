"""Galleries: unit length, the same for the same seed, near the crops they are mixed from."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from benchmarks.gallery import CHUNK, NoSpace, chunk, chunks, main, write_dataset
from benchmarks.gallery_base import VARIANTS, Base, variants
from benchmarks.photos import split_of
from indexer.hashes.picture import QUALITY_FLOOR

PHOTOS, CROPS, DIM = 6, 5, 32


@pytest.fixture
def base() -> Base:
    rng = np.random.default_rng(0)
    middle = np.repeat(rng.normal(size=(PHOTOS, DIM)), CROPS, axis=0)
    vectors = middle + 0.3 * rng.normal(size=(PHOTOS * CROPS, DIM))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Base(
        tuple(f"photo-{number}" for number in range(PHOTOS)),
        vectors.astype(np.float16),
        rng.integers(0, 256, (PHOTOS * CROPS, 32), np.uint8),
        rng.integers(0, 101, PHOTOS * CROPS).astype(np.uint8),
        rng.integers(0, 2**63, PHOTOS * CROPS).astype(np.uint64),
    )


def test_rows_have_length_one_and_lie_among_their_photos_crops(base: Base) -> None:
    made = chunk(base, 0, 500, seed=1)
    vectors = made.vectors.astype(np.float64)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=2e-3)
    cosines = vectors @ base.vectors.astype(np.float64).T
    nearest = cosines.argmax(axis=1) // CROPS
    assert (nearest == made.photo).mean() > 0.99


def test_bits_are_flipped_at_the_rates_that_are_told(base: Base) -> None:
    made = chunk(base, 0, 2000, seed=1)
    apart = np.bitwise_count(made.pdq[:, None] ^ base.pdq[None]).sum(axis=2)
    own = apart.reshape(2000, PHOTOS, CROPS)[np.arange(2000), made.photo].min(axis=1)
    assert own.max() < 0.5 * 256
    assert 0.15 < own.mean() / 256 < 0.25


def test_the_same_seed_gives_the_same_rows_and_another_one_others(base: Base) -> None:
    first, again, other = (chunk(base, 0, 100, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.vectors, again.vectors)
    np.testing.assert_array_equal(first.pdq, again.pdq)
    assert (first.pdq != other.pdq).any()


def test_chunks_come_in_order_and_end_with_the_rows(base: Base) -> None:
    rows = 2 * CHUNK + 17
    got = list(chunks(base, rows, seed=3))
    assert [part.first for part in got] == [0, CHUNK, 2 * CHUNK]
    assert sum(len(part.vectors) for part in got) == rows
    np.testing.assert_array_equal(got[1].phash, chunk(base, CHUNK, CHUNK, 3).phash)


def test_a_written_gallery_reads_back(base: Base, tmp_path: Path) -> None:
    out = tmp_path / "gallery"
    write_dataset(base, out, 1000, seed=4, part_rows=600)
    arrays = [np.load(path) for path in sorted((out / "img_emb").iterdir())]
    assert [array.shape for array in arrays] == [(600, DIM), (400, DIM)]
    tables = [pq.read_table(path) for path in sorted((out / "metadata").iterdir())]
    rows = [row for table in tables for row in table.to_pylist()]
    assert [row["key"] for row in rows] == [f"{number:010d}" for number in range(1000)]
    assert rows[999]["url"] == "https://gallery.example/0000000999.jpg"
    hashed = [row for row in rows if row["pdq"] is not None]
    plain = (base.quality < QUALITY_FLOOR).mean()
    assert len(hashed) / 1000 == pytest.approx(1 - plain, abs=0.1)
    assert {(len(row["pdq"]), len(row["phash"])) for row in hashed} == {(64, 16)}


def test_recorded_hashes_are_the_rows_own(base: Base, tmp_path: Path) -> None:
    out = tmp_path / "gallery"
    write_dataset(base, out, 50, seed=4)
    rows = pq.read_table(next((out / "metadata").iterdir())).to_pylist()
    codes = [bytes.fromhex(row["pdq"]) for row in rows if row["pdq"]]
    bits = np.unpackbits(np.frombuffer(b"".join(codes), np.uint8).reshape(-1, 32), axis=1)
    known = np.unpackbits(base.pdq, axis=1)
    assert (bits[:, None] != known[None]).sum(axis=2).min(axis=1).max() < 128


def test_a_gallery_that_would_fill_the_disk_is_refused(base: Base, tmp_path: Path) -> None:
    with pytest.raises(NoSpace, match="GB free"):
        write_dataset(base, tmp_path / "gallery", 10**13)


def test_a_base_survives_its_file_and_is_cut_by_split(base: Base, tmp_path: Path) -> None:
    base.save(tmp_path / "base.npz")
    opened = Base.open(tmp_path / "base.npz")
    np.testing.assert_array_equal(opened.vectors, base.vectors)
    kept = opened.of(["fit", "calibration"])
    assert [split_of(name) != "test" for name in kept.photos] == [True] * len(kept.photos)
    assert len(kept.vectors) == len(kept.photos) * CROPS
    place = base.photos.index(kept.photos[0]) * CROPS
    np.testing.assert_array_equal(kept.pdq[:CROPS], base.pdq[place : place + CROPS])


def test_variants_are_the_photo_and_repeatable_crops_of_it() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    photo = Image.fromarray(noise).resize((800, 600))
    first, again = (list(variants(photo, "name")) for _ in range(2))
    assert len(first) == VARIANTS
    assert first[0].size == (384, 288)
    assert all(max(one.size) <= 384 for one in first)
    for one, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(same))


@pytest.mark.parametrize("option", ["--rows", "--part-rows"])
@pytest.mark.parametrize("count", ["0", "-1"])
def test_a_gallery_of_no_rows_is_refused_in_a_sentence(
    option: str, count: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "gallery"
    with pytest.raises(SystemExit) as refused:
        main(["--rows", "10", "--out", str(out), option, count])
    assert refused.value.code == 2
    assert f"{count} is too few: ask for 1 at least." in capsys.readouterr().err
    assert not out.exists()
