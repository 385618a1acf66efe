"""The rows nearest to one vector, for sweeps: as a comparison with every vector gives them."""

import numpy as np
import pytest

from indexer.group.index import IndexGroup
from indexer.group.nearby import NO_ROWS
from indexer.storage.manifest import EncoderMismatch
from tests.indexer.group.test_group import ENCODER, PHOTOS, build, stored_rows
from tests.indexer.pictures import picture


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> IndexGroup:
    out = tmp_path_factory.mktemp("indexes") / "7"
    build(out, stored_rows())
    return IndexGroup.open(out)


def wanted(number: int) -> np.ndarray:
    vector: np.ndarray = ENCODER.embed([picture(number)])[0]
    return vector


def test_they_come_falling_by_their_exact_cosines(group: IndexGroup) -> None:
    vector = wanted(3)
    found = group.nearest(vector, most=100)
    assert len(found) == PHOTOS + 1  # those of which the index has a vector
    assert found[0][0].key == "000000003"
    cosines = [cosine for _, cosine in found]
    assert cosines == sorted(cosines, reverse=True)
    stored = {
        row.key: float(vector @ group._vectors.vectors[place].astype(np.float32))
        for place, row in enumerate(
            group._table.take(group._at_vectors.rows(np.arange(PHOTOS + 1)))
        )
    }
    assert {row.key: cosine for row, cosine in found} == pytest.approx(stored, abs=6e-5)


def test_no_more_than_asked_for_and_none_that_is_removed(group: IndexGroup) -> None:
    best = [row.key for row, _ in group.nearest(wanted(0), most=3)]
    assert len(best) == 3
    assert {"000000000", f"{PHOTOS + 3:09}"} == set(best[:2])  # stored twice
    removed = np.array([0, PHOTOS + 3], np.uint32)
    left = [row.key for row, _ in group.nearest(wanted(0), most=3, removed=removed)]
    assert left[0] == best[2]
    assert not set(left) & set(best[:2])
    everything = np.arange(PHOTOS + 4, dtype=np.uint32)
    assert group.nearest(wanted(0), most=3, removed=everything) == []
    assert group.nearest(wanted(0), most=0, removed=NO_ROWS) == []


def test_a_vector_of_another_length_is_refused(group: IndexGroup) -> None:
    with pytest.raises(EncoderMismatch, match=ENCODER.name):
        group.nearest(np.ones(3, np.float32), most=1)
