"""Edits and negative pairs: the same chances give the same pixels, and they are what they say."""

import random

import numpy as np
import pytest
from PIL import Image

from benchmarks.edits import Scene, decoded, finish
from benchmarks.edits.combos import EDITS
from benchmarks.edits.geometry import warped
from benchmarks.edits.negatives import NEGATIVES, Cast
from indexer.hashes.picture import hash_picture


def picture(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Something with structure at every scale."""
    noise = np.random.default_rng(seed)
    page = Image.new("RGB", size)
    for cells in (3, 9, 40):
        coarse = noise.integers(0, 255, (cells, cells, 3), np.uint8)
        page = Image.blend(page, Image.fromarray(coarse).resize(size), 0.5)
    return page


def scene(name: str) -> Scene:
    numbers = iter(range(100, 10_000))
    return Scene(random.Random(name), lambda: picture(next(numbers)))


def made(name: str) -> Image.Image:
    return decoded(EDITS[name].make(picture(1), scene(name)))


def cast(seed: int, first: int) -> Cast:
    numbers, shared = iter(range(first, 10_000)), iter(range(50))
    return Cast(
        random.Random(seed),
        lambda: picture(next(numbers)),
        lambda: picture(next(numbers), (240, 300)),
        lambda: picture(next(shared)),
    )


def distance(one: Image.Image, other: Image.Image) -> int:
    codes = [hash_picture(image, turned=False).pdq for image in (one, other)]
    return int(np.bitwise_count(codes[0] ^ codes[1]).sum())


def test_there_are_enough_of_every_group() -> None:
    groups = [edit.group for edit in EDITS.values()]
    assert len(EDITS) >= 60
    assert {name: groups.count(name) >= 4 for name in groups} == dict.fromkeys(groups, True)


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_repeatable_and_gives_a_picture(name: str) -> None:
    first, second = made(name), made(name)
    assert first.mode == "RGB"
    assert min(first.size) >= 24
    np.testing.assert_array_equal(np.asarray(first), np.asarray(second))


def test_an_edit_leaves_its_picture_alone() -> None:
    original = picture(1)
    before = np.asarray(original).copy()
    for name, edit in EDITS.items():
        edit.make(original, scene(name))
    np.testing.assert_array_equal(np.asarray(original), before)


@pytest.mark.parametrize(("name", "share"), [("crop_90", 0.9), ("crop_50", 0.5), ("crop_25", 0.25)])
def test_a_crop_keeps_its_share_of_the_area(name: str, share: float) -> None:
    width, height = made(name).size
    assert width * height == pytest.approx(share * 320 * 240, rel=0.03)


@pytest.mark.parametrize("name", ["same_file", "smaller", "gamma", "sharpen"])
def test_an_everyday_edit_keeps_the_hash(name: str) -> None:
    assert distance(made(name), picture(1)) <= 31


def test_a_quarter_turn_swaps_or_keeps_the_sides() -> None:
    assert sorted(made("quarter_turn").size) == [240, 320]


def test_a_warp_puts_the_corners_where_they_belong() -> None:
    white = Image.new("RGB", (100, 80), "white")
    page = np.asarray(warped(white, [(20, 10), (90, 10), (90, 70), (20, 70)], (100, 80)))
    assert page[40, 50, 0] == 255
    assert page[5, 50, 0] == page[40, 10, 0] == 0


def test_the_file_that_comes_out_opens_again() -> None:
    rng = random.Random(3)
    for _ in range(12):
        data, extension = finish(picture(2), rng)
        assert decoded((data, extension)).size == (320, 240)


@pytest.mark.parametrize("kind", NEGATIVES)
def test_a_negative_pair_is_repeatable_and_shows_two_things(kind: str) -> None:
    pair, again = NEGATIVES[kind](cast(5, 100)), NEGATIVES[kind](cast(5, 100))
    for one, same in zip(pair, again, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(same))
    small = [np.asarray(image.convert("RGB").resize((64, 64)), float) for image in pair]
    assert np.abs(small[0] - small[1]).max() > 3


def test_halves_made_apart_share_their_backdrop() -> None:
    row, _ = NEGATIVES["same_flag"](cast(7, 100))
    _, query = NEGATIVES["same_flag"](cast(7, 2000))
    corners = [np.asarray(image, float)[:40, :40].mean(axis=(0, 1)) for image in (row, query)]
    assert np.abs(corners[0] - corners[1]).max() < 40
