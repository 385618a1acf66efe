import imagehash
import numpy as np
import pdqhash
import pytest
from PIL import Image

from indexer import PDQ_RADIUS
from indexer.hashes import MAX_PIXELS, QUALITY_FLOOR, bounded, hash_picture, phash_codes
from tests.indexer.pictures import picture


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
    found = hash_picture(large, turned=False)
    assert apart(found.pdq[0], np.packbits(bits)) <= 10


@pytest.mark.parametrize("color", ["black", "white", "rgb(200,60,120)"])
def test_one_color_has_no_quality(color: str) -> None:
    assert hash_picture(Image.new("RGB", (200, 200), color), turned=True).quality < QUALITY_FLOOR


def test_codes_hold_the_same_bits() -> None:
    numbers = np.array([0, 1, 2**64 - 1], np.uint64)
    assert np.bitwise_count(phash_codes(numbers)).sum(axis=1).tolist() == [0, 1, 64]
