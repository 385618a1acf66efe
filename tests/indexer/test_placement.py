"""What is kept of an alignment, to be drawn later."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image, ImageOps

from indexer.geometry.verify import Geometry, Probe, probe_make, verify
from indexer.placement import POINTS_MOST, Placement
from tests.indexer.pictures import encoded, picture


def placed(query: Image.Image, stored: Image.Image) -> Placement:
    found = verify(Probe.read(probe_make(query)), encoded(stored, quality=90))
    assert found is not None
    assert found.placement is not None
    return found.placement


def off(placement: Placement) -> float:
    """How far, at most, the points lie from where the matrix puts them, in shares."""
    points = np.array(placement.points)
    lifted = np.column_stack([points[:, :2], np.ones(len(points))]) @ placement.array().T
    return float(np.abs(lifted[:, :2] / lifted[:, 2:] - points[:, 2:]).max())


def test_it_says_where_the_stored_picture_lies() -> None:
    width, height = picture(1).size
    sheet = Image.new("RGB", (2 * width, 2 * height), "gray")
    sheet.paste(picture(1), (width // 2, height // 2))
    inset = placed(sheet, picture(1))
    corners = [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]
    assert inset.corners() == pytest.approx(np.array(corners), abs=0.02)
    crop = placed(picture(1).crop((0, 0, width // 2, height)), picture(1))
    wide = [[0, 0], [2, 0], [2, 1], [0, 1]]
    assert crop.corners() == pytest.approx(np.array(wide), abs=0.05)


def test_a_mirrored_picture_is_placed_as_it_is_stored() -> None:
    width, height = picture(1).size
    sheet = Image.new("RGB", (2 * width, height), "gray")
    sheet.paste(picture(1), (0, 0))
    mirrored = placed(ImageOps.mirror(sheet), picture(1))
    turned = [[1, 0], [0.5, 0], [0.5, 1], [1, 1]]  # its left edge lies at the right
    assert mirrored.corners() == pytest.approx(np.array(turned), abs=0.02)
    assert off(mirrored) < 0.03


def test_points_are_few_and_lie_where_the_matrix_puts_them() -> None:
    found = placed(picture(1).rotate(20, expand=True, fillcolor="white"), picture(1))
    assert 10 <= len(found.points) <= POINTS_MOST
    assert off(found) < 0.03


def test_it_is_kept_with_the_geometry_and_read_again() -> None:
    found = verify(Probe.read(probe_make(picture(1))), encoded(picture(1), quality=90))
    assert found is not None
    assert Geometry.from_json(found.as_json()) == found
    older = {key: value for key, value in asdict(found).items() if key != "placement"}
    assert Geometry.from_json(json.dumps(older)).placement is None
