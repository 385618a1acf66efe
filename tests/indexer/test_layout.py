"""Files that grow, and maps from rows to places."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.storage.layout import ArrayWriter, RowMap, map_path
from indexer.storage.mapped import map_array


@pytest.mark.parametrize("parts", [[], [0], [3], [1, 0, 99_999, 7]])
def test_an_array_written_in_parts_is_a_npy_file(tmp_path: Path, parts: list[int]) -> None:
    values = np.arange(2 * sum(parts), dtype=np.uint32).reshape(-1, 2)
    with ArrayWriter(tmp_path / "a.npy", np.uint32, (2,)) as writer:
        for part in np.split(values, np.cumsum(parts)[:-1] if parts else []):
            writer.append(part)
        assert len(writer) == len(values)
    assert np.array_equal(map_array(tmp_path / "a.npy", np.uint32, 2), values)


def test_what_does_not_continue_a_file_is_refused(tmp_path: Path) -> None:
    with ArrayWriter(tmp_path / "a.npy", np.uint8, (4,)) as writer:
        for wrong in (np.zeros((1, 4), np.int8), np.zeros((1, 3), np.uint8), np.zeros(4, np.uint8)):
            with pytest.raises(ValueError, match="does not continue the file"):
                writer.append(wrong)


@given(there=st.sets(st.integers(0, 40)), asked=st.sets(st.integers(0, 45)))
def test_a_row_map_goes_both_ways(there: set[int], asked: set[int]) -> None:
    at = np.array(sorted(there), np.uint32)
    rows = np.array(sorted(asked), np.uint32)
    has, places = RowMap(at).places(rows)
    assert rows[has].tolist() == sorted(there & asked)
    assert RowMap(at).rows(places).tolist() == sorted(there & asked)


def test_without_a_file_every_row_stands_at_its_number(tmp_path: Path) -> None:
    same = RowMap.open(tmp_path, "pdq")
    rows = np.array([0, 4], np.uint32)
    has, places = same.places(rows)
    assert has.all()
    assert places.tolist() == same.rows(places).tolist() == [0, 4]
    assert same.fits(5, 5)
    assert not same.fits(4, 5)
    np.save(map_path(tmp_path, "pdq"), np.array([1, 7], np.uint32))
    some = RowMap.open(tmp_path, "pdq")
    assert some.fits(2, 8)
    assert not some.fits(2, 7)
    assert not some.fits(1, 8)
