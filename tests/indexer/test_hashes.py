import json
from collections.abc import Iterator
from pathlib import Path

import imagehash
import numpy as np
import pdqhash
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from indexer import PDQ_RADIUS
from indexer.decode import decode, decode_sized
from indexer.hashes.luma import luma_of
from indexer.hashes.phash import phash_reduced
from indexer.hashes.picture import MAX_PIXELS, QUALITY_FLOOR, bounded, hash_picture, phash_codes
from indexer.prepare.pictures import DECODED_SIDE
from tests.indexer.pictures import encoded, picture


def from_hex(text: str) -> np.ndarray:
    return np.frombuffer(bytes.fromhex(text), np.uint8)


def apart(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.bitwise_count(one ^ other).sum())


def test_a_small_picture_has_the_libraries_own_hashes() -> None:
    image = picture(1)
    found = hash_picture(image, turned=False)
    bits, quality = pdqhash.compute(np.array(image))
    assert found.pdq.tobytes() == np.packbits(bits).tobytes()
    assert found.quality == quality
    assert f"{int(found.phash[0]):016x}" == str(imagehash.phash(image))


@pytest.mark.parametrize("turn", list(Image.Transpose))
def test_every_orientation_of_a_picture_is_among_its_eight(turn: Image.Transpose) -> None:
    eight = hash_picture(picture(2), turned=True)
    one = hash_picture(picture(2).transpose(turn), turned=False)
    assert eight.pdq.shape == (8, 32)
    assert min(apart(one.pdq[0], code) for code in eight.pdq) <= PDQ_RADIUS
    assert min(apart(one.phash[0], code) for code in eight.phash) <= 2


def test_an_oversized_picture_is_reduced_and_keeps_its_hash() -> None:
    large = picture(3, (4000, 3000))
    assert bounded(large).width * bounded(large).height <= MAX_PIXELS
    bits, _ = pdqhash.compute(np.array(large))
    for small, original in ((large, None), (bounded(large), large.size)):
        found = hash_picture(small, turned=False, original=original)
        assert apart(found.pdq[0], np.packbits(bits)) <= 2


@pytest.mark.parametrize("color", ["black", "white", "rgb(200,60,120)"])
def test_one_color_has_no_quality(color: str) -> None:
    assert hash_picture(Image.new("RGB", (200, 200), color), turned=True).quality < QUALITY_FLOOR


def test_codes_hold_the_same_bits() -> None:
    numbers = np.array([0, 1, 2**64 - 1], np.uint64)
    assert np.bitwise_count(phash_codes(numbers)).sum(axis=1).tolist() == [0, 1, 64]


def photos() -> Iterator[Image.Image]:
    """Photographs that the test libraries ship, in several shapes."""
    data = pytest.importorskip("skimage.data")
    for name in ("astronaut", "coffee", "chelsea", "rocket", "cat", "retina", "camera"):
        with_all = np.asarray(getattr(data, name)())
        photo = Image.fromarray(with_all).convert("RGB")
        yield photo
        for size in ((512, 512), (683, 512), (512, 683), (200, 333), (97, 64), (1200, 300)):
            yield photo.resize(size, Image.Resampling.LANCZOS)


def test_photographs_have_the_libraries_own_hashes() -> None:
    for photo in photos():
        eight, whole = hash_picture(photo, turned=True), hash_picture(photo, turned=False)
        bits, quality = pdqhash.compute_dihedral(np.array(photo))
        assert eight.pdq.tobytes() == np.packbits(np.array(bits, np.uint8), axis=1).tobytes()
        assert eight.quality == whole.quality == quality
        assert whole.pdq.tobytes() == eight.pdq[:1].tobytes()
        assert f"{int(whole.phash[0]):016x}" == str(imagehash.phash(photo))


@settings(max_examples=150, deadline=None)
@given(st.integers(8, 700), st.integers(8, 700), st.integers(0, 99), st.sampled_from([0, 1, 40]))
def test_pictures_of_any_shape_have_the_libraries_own_hashes(
    width: int, height: int, seed: int, contrast: int
) -> None:
    image = picture(seed, (width, height))
    if contrast:  # few levels: sums that lie at the edge of rounding
        image = image.point([level // contrast % 2 * 255 for level in range(256)] * 3)
    found = hash_picture(image, turned=False)
    bits, quality = pdqhash.compute(np.array(image))
    assert apart(found.pdq[0], np.packbits(bits)) <= 2  # the library sums in single precision
    assert found.quality == quality
    assert f"{int(found.phash[0]):016x}" == str(imagehash.phash(image))


@settings(max_examples=150, deadline=None)
@given(st.integers(8, 900), st.integers(8, 900), st.integers(0, 2**32))
def test_luma_and_reduction_are_pillows_to_the_last_bit(width: int, height: int, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    exact, rounded = luma_of(image)
    assert np.array_equal(exact, np.asarray(image.convert("F")))
    assert np.array_equal(rounded, np.asarray(image.convert("L")))
    wanted = image.convert("L").resize((32, 32), Image.Resampling.LANCZOS)
    assert phash_reduced(rounded).tobytes() == wanted.tobytes()


def test_a_picture_that_lies_in_several_blocks_of_memory_has_its_luma() -> None:
    large = picture(1, (2500, 2000))
    exact, rounded = luma_of(large)
    assert np.array_equal(exact, np.asarray(large.convert("F")))
    assert np.array_equal(rounded, np.asarray(large.convert("L")))


def test_pictures_smaller_than_the_transform_have_the_librarys_hash() -> None:
    for size in ((8, 8), (16, 16), (15, 200), (200, 16), (8, 64)):
        bits, quality = pdqhash.compute_dihedral(np.array(picture(1, size)))
        found = hash_picture(picture(1, size), turned=True)
        assert found.pdq.tobytes() == np.packbits(np.array(bits, np.uint8), axis=1).tobytes()
        assert found.quality == quality


@pytest.mark.parametrize("scale", [2, 3, 4, 6, 8])
def test_a_jpeg_decoded_at_a_fraction_keeps_its_hashes(scale: int) -> None:
    """Those of the reference at full size, and the side of the quality gate.

    With the filter of the reduced picture, and not of the original, up to 16 bits were off.
    """
    for seed, photo in enumerate(photos()):
        side = max(DECODED_SIDE * scale // 2, min(photo.size))
        factor = side / min(photo.size)
        size = (round(photo.width * factor), round(photo.height * factor))
        if size[0] * size[1] > 12_000_000 or seed % 3:
            continue
        data = encoded(photo.resize(size, Image.Resampling.BICUBIC), quality=85)
        whole = hash_picture(decode(data), turned=False)
        reduced, original = decode_sized(data, side=DECODED_SIDE)
        assert original == size
        part = hash_picture(reduced, turned=False, original=original)
        assert apart(whole.pdq[0], part.pdq[0]) <= 6, (seed, size)
        assert apart(whole.phash[0], part.phash[0]) <= 4, (seed, size)
        assert (whole.quality < QUALITY_FLOOR) == (part.quality < QUALITY_FLOOR)


def test_foreign_hashes_come_out_as_their_files_say(vectors: Path) -> None:
    """Meta's own examples, and others' values of them, by the rule that comes with each."""
    folder = vectors / "pdq"
    if not folder.is_dir():
        pytest.skip("the foreign vectors are not there")
    cases = json.loads((folder / "expected.json").read_text())["cases"]
    assert cases
    for case in cases:
        most = case.get("max_bits", 0)
        found = hash_picture(decode((folder / case["file"]).read_bytes()), turned=False)
        if case["rule"] == "one_of":
            assert found.pdq.tobytes().hex() in {one["pdq"] for one in case["one_of"]}
        elif case["low_quality"]:
            assert found.quality < QUALITY_FLOOR, case["file"]
        else:
            assert apart(found.pdq[0], from_hex(case["expected"])) <= most, case["file"]
