import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.geometry.alignment import align, is_bounded, project
from indexer.geometry.keypoints import Features, pairs_between
from tests.indexer.pictures import picture

SHAPE = (240, 320)


def moved(*changes: tuple[int, int, float]) -> NDArray[np.float64]:
    transform = np.eye(3)
    for row, column, value in changes:
        transform[row, column] = value
    return transform


@pytest.mark.parametrize(
    ("transform", "bounded"),
    [
        (np.eye(3), True),
        (moved((0, 0, 0.3), (1, 1, 0.3)), True),
        (moved((0, 0, 0.7)), True),
        (moved((0, 1, 0.3)), True),
        (moved((2, 0, 0.001)), True),
        (moved((0, 0, -1.0)), False),  # mirrored: looked for with mirrored features, never here
        (moved((0, 0, 0.01), (1, 1, 0.01)), False),
        (moved((0, 0, 20.0), (1, 1, 20.0)), False),
        (moved((0, 0, 0.3)), False),
        (moved((0, 1, 2.0)), False),
        (moved((2, 0, 0.01)), False),
        (moved((2, 0, -0.01)), False),  # folds over
        (np.zeros((3, 3)), False),
    ],
)
def test_only_what_an_honest_edit_makes_is_a_transform(
    transform: NDArray[np.float64], bounded: bool
) -> None:
    assert is_bounded(transform, SHAPE) is bounded


def test_the_transform_is_the_one_that_was_applied() -> None:
    luma = np.asarray(picture(1).convert("L"))
    query = np.asarray(picture(1).crop((40, 30, 290, 220)).resize((500, 380)).convert("L"))
    stored, other = Features.of(luma, most=500), Features.of(query, most=500)
    found = align(stored, other, pairs_between(stored, other))
    assert found is not None
    corners = np.array([[40.0, 30.0], [290.0, 220.0]])
    assert project(found.transform, corners) == pytest.approx(
        np.array([[0.0, 0.0], [500.0, 380.0]]), abs=3
    )


def test_inliers_are_one_to_one() -> None:
    luma = np.asarray(picture(2).convert("L"))
    features = Features.of(luma, most=500)
    found = align(features, features, pairs_between(features, features))
    assert found is not None
    for places in (found.stored, found.query):
        assert len(np.unique(np.round(places / 3), axis=0)) == len(places) > 50


def test_pictures_that_share_nothing_do_not_align_well() -> None:
    stored, other = (
        Features.of(np.asarray(picture(seed).convert("L")), most=500) for seed in (1, 2)
    )
    found = align(stored, other, pairs_between(stored, other))
    assert found is None or len(found.stored) < 10
