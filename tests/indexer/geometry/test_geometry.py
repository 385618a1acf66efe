import io
import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from indexer.geometry.keypoints import Features
from indexer.geometry.verify import Geometry, Probe, ProbeInvalid, probe_make, verify
from tests.indexer.pictures import encoded, picture
from tests.indexer.scenes import chart, framed, gradient, page, portrait, tiled


def laid(query: Image.Image, stored: Image.Image) -> Geometry:
    found = verify(Probe.read(probe_make(query)), encoded(stored, quality=90))
    assert found is not None
    return found


def collage(image: Image.Image) -> Image.Image:
    """The picture as one tile of nine."""
    sheet = Image.new("RGB", (720, 720))
    for number in range(9):
        tile = image if number == 5 else picture(50 + number)
        sheet.paste(ImageOps.fit(tile, (240, 240)), (number % 3 * 240, number // 3 * 240))
    return sheet


EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "itself": lambda image: image,
    "small": lambda image: image.resize((96, 72)),
    "crop": lambda image: image.crop((90, 60, 290, 200)),
    "turned": lambda image: image.rotate(20, expand=True, fillcolor="white"),
    "stretched": lambda image: image.resize((320, 340)),
    "soft": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
    "dark": lambda image: ImageEnhance.Brightness(image).enhance(0.5),
    "upside down": lambda image: image.transpose(Image.Transpose.ROTATE_180),
    "collage": collage,
    "sheared": lambda image: image.transform(
        (380, 240), Image.Transform.AFFINE, (1, 0.2, -50, 0, 1, 0), Image.Resampling.BICUBIC
    ),
    "photo of a screen": lambda image: image.transform(
        (320, 240),
        Image.Transform.QUAD,
        (-20, -15, 10, 260, 340, 250, 310, -30),
        Image.Resampling.BICUBIC,
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_copy_agrees_nearly_everywhere(name: str) -> None:
    found = laid(EDITS[name](picture(1)), picture(1))
    assert found.inliers >= 10
    assert found.agreement >= 0.6
    assert found.consistency >= 0.9
    assert (found.mirrored, found.negative) == (False, False)


def test_mirrored_and_negative_copies_are_told_as_such() -> None:
    mirrored = laid(ImageOps.mirror(picture(1)), picture(1))
    assert (mirrored.mirrored, mirrored.negative) == (True, False)
    negative = laid(ImageOps.invert(picture(1)), picture(1))
    assert (negative.mirrored, negative.negative) == (False, True)
    assert min(mirrored.agreement, negative.agreement) > 0.95


def test_overlap_and_cover_say_how_much_of_either_is_shared() -> None:
    half = laid(picture(1).crop((0, 0, 160, 240)), picture(1))
    assert half.overlap == pytest.approx(0.5, abs=0.05)
    assert half.covered == pytest.approx(1.0, abs=0.05)
    sheet = Image.new("RGB", (640, 480), "gray")
    sheet.paste(picture(1), (100, 100))
    inset = laid(sheet, picture(1))
    assert inset.overlap == pytest.approx(1.0, abs=0.05)
    assert inset.covered == pytest.approx(0.25, abs=0.05)


def test_the_box_is_where_the_stored_picture_lies_in_the_query() -> None:
    width, height = picture(1).size
    sheet = Image.new("RGB", (2 * width, 2 * height), "gray")
    sheet.paste(picture(1), (width // 2, height // 2))
    inset = laid(sheet, picture(1))
    assert inset.box == pytest.approx((0.25, 0.25, 0.75, 0.75), abs=0.02)
    whole = laid(picture(1).crop((0, 0, width // 2, height)), picture(1))
    assert whole.box == pytest.approx((0, 0, 1, 1), abs=0.02)
    mirrored = laid(ImageOps.mirror(sheet), picture(1))
    assert mirrored.box == pytest.approx((0.25, 0.25, 0.75, 0.75), abs=0.02)


@pytest.mark.parametrize("scene", [page, chart, gradient, framed, tiled])
def test_what_merely_looks_alike_does_not_agree(scene: Callable[[int], Image.Image]) -> None:
    found = laid(scene(1), scene(2))
    assert found.agreement < 0.75
    assert found.patch < 0.45


@pytest.mark.parametrize("other", [2, 3, 4])
def test_strangers_before_one_flag_share_inliers_but_do_not_agree(other: int) -> None:
    stranger = laid(portrait(1, 7), portrait(other, 7))
    assert stranger.agreement < 0.75
    assert stranger.consistency < 0.85
    same = laid(portrait(1, 7).resize((200, 250)), portrait(1, 7))
    assert same.agreement > 0.95


@pytest.mark.parametrize("color", ["black", "white"])
def test_blank_pictures_have_no_geometry(color: str) -> None:
    blank = Image.new("RGB", (300, 200), color)
    assert laid(blank, blank) == Geometry()
    assert laid(picture(1), blank) == Geometry()


def test_a_stored_picture_that_is_broken_is_unavailable_not_different() -> None:
    probe = Probe.read(probe_make(picture(1)))
    assert verify(probe, encoded(picture(1))[:200]) is None


@pytest.mark.parametrize("junk", [b"", b"no picture", encoded(picture(1), "PNG")])
def test_other_bytes_are_no_probe(junk: bytes) -> None:
    with pytest.raises(ProbeInvalid):
        Probe.read(junk)


def test_a_probe_larger_than_any_that_is_made_is_refused() -> None:
    with pytest.raises(ProbeInvalid):
        Probe.read(encoded(picture(1, (2000, 1500))))


def test_a_probe_is_small_and_without_color() -> None:
    probe = probe_make(picture(1, (3000, 2000)))
    image = Image.open(io.BytesIO(probe))
    assert (image.mode, max(image.size)) == ("L", 768)
    assert not image.getexif()


def test_the_same_pictures_give_the_same_facts() -> None:
    edit = EDITS["photo of a screen"](picture(3))
    assert laid(edit, picture(3)) == laid(edit, picture(3))


def test_a_geometry_survives_the_way_and_nothing_else_is_read_as_one() -> None:
    found = laid(picture(1), picture(1))
    assert Geometry.from_json(found.as_json()) == found
    older = {name: fact for name, fact in json.loads(found.as_json()).items() if name != "box"}
    assert Geometry.from_json(json.dumps(older)) == replace(found, box=None)
    for text in ("{}", "[]", '{"inliers": 3}', "nonsense"):
        with pytest.raises(ValueError, match=r"no geometry|Expecting"):
            Geometry.from_json(text)


@pytest.mark.parametrize("turn", ["mirrored", "negative"])
def test_turned_descriptors_are_those_of_the_turned_picture(turn: str) -> None:
    luma = np.asarray(picture(4, (300, 300)).convert("L"))
    told = getattr(Features.of(luma, most=300), turn)()
    seen = Features.of(told.luma, most=300)
    near = np.linalg.norm(told.places[:, None] - seen.places[None], axis=2) < 0.5
    turned = np.abs((told.angles[:, None] - seen.angles[None] + np.pi) % (2 * np.pi) - np.pi) < 0.05
    at, to = np.nonzero(near & turned & (np.abs(told.sizes[:, None] - seen.sizes[None]) < 0.2))
    assert len(at) > 100
    likeness = (told.descriptors[at] * seen.descriptors[to]).sum(axis=1)
    assert np.median(likeness) > 0.95
