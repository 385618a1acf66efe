import numpy as np
import pytest

from indexer.geometry import keypoints
from indexer.geometry.keypoints import Features, pairs_between


def features(descriptors: np.ndarray) -> Features:
    count = len(descriptors)
    return Features(
        luma=np.zeros((8, 8), np.uint8),
        places=np.zeros((count, 2), np.float32),
        sizes=np.ones(count, np.float32),
        angles=np.zeros(count, np.float32),
        descriptors=np.asarray(descriptors, np.float32),
    )


def units(count: int, seed: int, size: int = 128) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, size))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def obvious_pairs(stored: np.ndarray, query: np.ndarray) -> set[tuple[int, int]]:
    """Nearest both ways, and clearly nearer than the second: said as slowly as can be."""
    likeness = stored @ query.T
    pairs = set()
    for of, row in enumerate(likeness):
        to = int(row.argmax())
        best, second = (np.sqrt(max(2 - 2 * row[at], 0)) for at in np.argsort(-row)[:2])
        if likeness[:, to].argmax() == of and best < keypoints._RATIO * second:
            pairs.add((of, to))
    return pairs


@pytest.mark.parametrize("seed", range(4))
def test_pairs_are_each_others_nearest_and_clearly_so(seed: int) -> None:
    query = units(150, seed)
    stored = units(90, seed + 100)
    stored[:40] = query[60:100] + 0.02 * units(40, seed + 200)
    stored[:40] /= np.linalg.norm(stored[:40], axis=1, keepdims=True)
    pairs = pairs_between(features(stored), features(query))
    assert {(int(of), int(to)) for of, to in pairs} == obvious_pairs(stored, query)
    assert {(at, at + 60) for at in range(40)} <= {(int(of), int(to)) for of, to in pairs}
    likeness = (stored @ query.T)[pairs[:, 0], pairs[:, 1]]
    assert (np.diff(likeness) <= 1e-6).all()  # likest first


def test_of_equal_keypoints_the_first_is_paired_once() -> None:
    query = np.eye(4, 128, dtype=np.float32)
    stored = query[[2, 2, 0, 2]]
    assert pairs_between(features(stored), features(query)).tolist() == [[0, 2], [2, 0]]


def test_too_few_keypoints_make_no_pair() -> None:
    one, many = features(units(1, 1)), features(units(9, 2))
    assert len(pairs_between(one, many)) == len(pairs_between(many, one)) == 0
