import pytest
from PIL import Image, ImageDraw, ImageOps

from indexer.query.views import inset_box, query_views
from tests.indexer.pictures import picture


def near(box: tuple[int, int, int, int] | None, wanted: tuple[int, int, int, int]) -> bool:
    return box is not None and all(abs(a - b) <= 3 for a, b in zip(box, wanted, strict=True))


@pytest.mark.parametrize("color", ["black", "white", "rgb(200,60,120)"])
def test_a_frame_is_seen_through(color: str) -> None:
    framed = ImageOps.expand(picture(1), (60, 40), color)
    assert near(inset_box(framed), (60, 40, 380, 280))


@pytest.mark.parametrize("scale", [1, 3])
def test_the_picture_in_a_screenshot_is_found(scale: int) -> None:
    page = Image.new("RGB", (540 * scale, 1100 * scale), "white")
    draw = ImageDraw.Draw(page)
    draw.text((20, 10), "12:34", fill="black", font_size=22 * scale)
    draw.ellipse((16, 70, 66, 120), fill="tomato")
    draw.rectangle((0, 1050 * scale, 540 * scale, 1100 * scale), fill="dimgray")
    page.paste(picture(2, (540 * scale, 400 * scale)), (0, 150 * scale))
    assert near(inset_box(page), (0, 150 * scale, 540 * scale, 550 * scale))


@pytest.mark.parametrize(
    "image",
    [picture(3), Image.new("RGB", (300, 200), "white"), Image.new("RGB", (8, 8))],
    ids=["a photo", "one color", "tiny"],
)
def test_a_picture_without_surroundings_has_no_inset(image: Image.Image) -> None:
    assert inset_box(image) is None


@pytest.mark.parametrize("size", [(320, 240), (8, 8), (9, 2000), (2000, 1501)])
def test_the_whole_comes_first_and_every_view_has_pixels(size: tuple[int, int]) -> None:
    views = query_views(picture(4, size))
    names = [view.name for view in views]
    assert names[0] == "whole"
    assert len(set(names)) == len(names)
    assert {"left", "right", "top", "bottom", "squeezed", "mirrored", "90", "180", "270"} <= {
        *names
    }
    assert all(min(view.image.size) >= 1 for view in views)
