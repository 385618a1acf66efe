"""The own photo with the parts that were found: shaded outside, nothing of others in it."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from indexer.decode import ImageRefused
from removal.custody.content import FoundRow
from removal.site.marking import SIDE, photo_marked


def white(size: tuple[int, int] = (960, 640), **save: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "white").save(out, "JPEG", **save)
    return out.getvalue()


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("L"))


def test_what_lies_outside_the_part_is_shaded_and_the_part_is_outlined() -> None:
    shown = pixels(photo_marked(white(), [(0.25, 0.25, 0.75, 0.75)]))
    assert shown.shape == (320, SIDE)
    assert shown[160, 240] > 250
    assert shown[20, 20] < 120
    assert shown[160, 121] < 90  # the line's dark edge


def test_several_parts_stay_light() -> None:
    shown = pixels(photo_marked(white(), [(0, 0, 0.3, 1), (0.7, 0, 1, 1)]))
    assert min(shown[160, 70], shown[160, 410]) > 250
    assert shown[160, 240] < 120


def test_without_a_known_part_the_photo_is_shown_as_it_is() -> None:
    assert pixels(photo_marked(white(), [])).min() > 250


@pytest.mark.parametrize("region", [(1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.001, 0.001)])
def test_a_part_too_small_to_see_is_no_fault(region: tuple[float, float, float, float]) -> None:
    assert photo_marked(white((9, 9)), [region])


def test_it_is_small_and_carries_no_metadata() -> None:
    exif = Image.Exif()
    exif[0x010E] = "marked-description"
    shown = photo_marked(white((4000, 3000), exif=exif), [])
    assert b"marked-description" not in shown
    assert Image.open(io.BytesIO(shown)).size == (SIDE, 360)


def test_other_bytes_are_refused() -> None:
    with pytest.raises(ImageRefused):
        photo_marked(b"no picture", [])


def test_a_row_sealed_before_there_were_regions_is_of_its_photos() -> None:
    row = FoundRow(
        dataset="d",
        group=0,
        shard="0",
        key="k",
        index=1,
        offset=None,
        url=None,
        sha256=None,
        md5=None,
        score=0.9,
        evidence={},
        photos=(1, 2),
        regions={2: (0.0, 0.1, 1.0, 0.9), 1: None},
    )
    assert FoundRow.from_bytes(row.to_bytes()) == row
    older = {name: fact for name, fact in json.loads(row.to_bytes()).items() if name != "regions"}
    read = FoundRow.from_bytes(json.dumps(older).encode())
    assert read == replace(row, regions={1: None, 2: None})
