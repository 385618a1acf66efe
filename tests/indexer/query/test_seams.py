import numpy as np
import pytest
from PIL import Image

from indexer.query.seams import tile_boxes
from tests.indexer.pictures import picture


def photo(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Soft, and of a brightness and color of its own, as photographs are."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 90, (3, 4, 3)) + (np.array([150, 40, 20]), 0)[seed % 2] + 20
    colors = Image.fromarray(coarse.astype(np.uint8))
    return colors.resize(size, Image.Resampling.BICUBIC)


def sheet(columns: int, rows: int, gap: int) -> Image.Image:
    page = Image.new("RGB", (columns * (200 + gap) - gap, rows * (150 + gap) - gap), "white")
    for number in range(columns * rows):
        at = number % columns * (200 + gap), number // columns * (150 + gap)
        page.paste(photo(number + number // columns * (columns + 1) % 2, (200, 150)), at)
    return page


@pytest.mark.parametrize(("columns", "rows"), [(2, 1), (1, 2), (2, 2), (3, 3)])
@pytest.mark.parametrize("gap", [0, 8])
def test_a_collage_is_cut_into_its_pictures(columns: int, rows: int, gap: int) -> None:
    boxes = tile_boxes(sheet(columns, rows, gap))
    for number in range(columns * rows):
        left, top = number % columns * (200 + gap), number // columns * (150 + gap)
        wanted = np.array([left, top, left + 200, top + 150])
        assert min(np.abs(np.array(box) - wanted).max() for box in boxes) <= gap + 6


@pytest.mark.parametrize("seed", range(5))
def test_one_picture_is_not_cut(seed: int) -> None:
    assert tile_boxes(photo(seed)) == []


@pytest.mark.parametrize("color", ["black", "gray"])
def test_a_blank_picture_is_not_cut(color: str) -> None:
    assert tile_boxes(Image.new("RGB", (300, 200), color)) == []


@pytest.mark.parametrize("size", [(8, 8), (8, 400), (5000, 10)])
def test_any_size_is_looked_at(size: tuple[int, int]) -> None:
    assert len(tile_boxes(picture(1, size))) <= 9
