"""Sheets: one scale for both pictures, lines where they agree, and where they differ."""

import base64
import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from indexer.placement import Placement
from removal.desk import overlay
from removal.desk.overlay import Placed
from removal.life.reveals import Pair, Picture

HALF = Placement((0.5, 0.0, 0.5, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), ((0.0, 0.5, 0.5, 0.5),))
"""The row's picture is the right half of the photo."""
MIRRORED = Placement((-1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), ())


def scene(width: int = 400, height: int = 200) -> Image.Image:
    noise = np.random.default_rng(7).integers(0, 256, (10, 20, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def pair(photo: Image.Image | None, row: Image.Image | None, placed: Placement | None) -> Pair:
    pictures = [Picture(one, one.size) if one else None for one in (photo, row)]
    return Pair(photo=pictures[0], row=pictures[1], placement=placed, same=False)


def image_of(placed: Placed) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(placed.source.partition(",")[2])))


@pytest.mark.parametrize("size", [(200, 200), (50, 50), (800, 800)])
def test_what_both_show_is_equally_large_however_large_the_files_are(size: tuple[int, int]) -> None:
    right = scene().crop((200, 0, 400, 200)).resize(size)
    sheet = overlay.beside(pair(scene(), right, HALF))
    photo, row = sheet.pictures
    assert sheet.scaled
    assert (photo.width, photo.height) == (400, 200)
    assert (row.width, row.height) == pytest.approx((200, 200), abs=1)
    assert row.x > photo.x + photo.width
    assert sheet.width == pytest.approx(row.x + row.width)
    [line] = sheet.lines
    assert (line.x1, line.y1) == (200, 100)
    assert (line.x2, line.y2) == pytest.approx((row.x, 100), abs=1)
    assert sheet.frame == "200.0,0.0 400.0,0.0 400.0,200.0 200.0,200.0"


def test_without_a_placement_the_sheet_says_that_the_scale_is_not_known() -> None:
    sheet = overlay.beside(pair(scene(), scene(100, 50), None))
    photo, row = sheet.pictures
    assert not sheet.scaled
    assert (row.width, row.height) == (photo.width, photo.height)
    assert sheet.lines == ()
    assert overlay.difference(pair(scene(), scene(), None)) is None
    assert overlay.difference(pair(scene(), None, HALF)) is None
    alone = overlay.beside(pair(None, scene(), HALF))
    assert [one.what for one in alone.pictures] == ["the picture of the row"]
    assert alone.lines == ()


def test_a_speck_is_shown_as_large_as_the_photo() -> None:
    tiny = Placement((0.01, 0.0, 0.5, 0.0, 0.01, 0.5, 0.0, 0.0, 1.0), ())
    sheet = overlay.beside(pair(scene(), scene(), tiny))
    assert not sheet.scaled
    assert sheet.pictures[0].width == sheet.pictures[1].width


def test_the_difference_is_white_where_they_are_the_same_and_dark_where_not() -> None:
    row = ImageEnhance.Brightness(scene()).enhance(0.8).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    ImageDraw.Draw(row).rectangle((300, 50, 380, 150), fill="white")  # at the left of the photo
    sheet = overlay.difference(pair(scene(), row, MIRRORED))
    assert sheet is not None
    laid, told = (np.asarray(image_of(one).convert("L"), float) for one in sheet.pictures)
    assert laid.shape == told.shape == (200, 400)
    assert told[60:140, 30:90].mean() < 150
    assert np.median(told[:, 130:]) > 215


def test_what_the_row_does_not_cover_is_gray() -> None:
    right = scene().crop((200, 0, 400, 200))
    sheet = overlay.difference(pair(scene(), right, HALF))
    assert sheet is not None
    told = np.asarray(image_of(sheet.pictures[1]).convert("L"), float)
    assert told[:, :190].mean() == pytest.approx(128, abs=3)
    assert told[:, 210:].mean() > 225


def test_what_is_sent_is_bounded_and_carries_no_metadata() -> None:
    large = scene(3000, 1500)
    large.info["comment"] = b"where it was taken"
    sent = image_of(Placed(overlay.data_uri(large, gray=True), 0, 0, 1, 1, ""))
    assert (sent.size, sent.mode, sent.format) == ((1200, 600), "L", "JPEG")
    assert "comment" not in sent.info
    veil = overlay.data_uri(scene(16, 8))
    assert veil.startswith("data:image/png;base64,")
