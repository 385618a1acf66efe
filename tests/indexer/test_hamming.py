import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.hamming import HammingIndex, band_count, least_distances


def brute_force(codes: np.ndarray, queries: np.ndarray, radius: int) -> list[tuple[int, int, int]]:
    """The slow and obvious way."""
    wide = np.unpackbits(codes, axis=1), np.unpackbits(queries, axis=1)
    found = []
    for query in range(len(queries)):
        distances = (wide[0] != wide[1][query]).sum(axis=1)
        found += [
            (query, row, int(distance))
            for row, distance in enumerate(distances)
            if distance <= radius
        ]
    return found


def found_by(index: HammingIndex, queries: np.ndarray, radius: int) -> list[tuple[int, int, int]]:
    found = index.search(queries, radius)
    columns = found.queries.tolist(), found.rows.tolist(), found.distances.tolist()
    return list(zip(*columns, strict=True))


def near_codes(rng: np.random.Generator, size: int, rows: int, flips: int) -> np.ndarray:
    """Codes in clusters, so that distances around the radius do occur."""
    centers = rng.integers(0, 256, (max(1, rows // 8), size), dtype=np.uint8)
    codes = np.unpackbits(centers[rng.integers(0, len(centers), rows)], axis=1)
    for code in codes:
        code[rng.choice(size * 8, rng.integers(0, flips + 1), replace=False)] ^= 1
    return np.packbits(codes, axis=1)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([8, 32]),
    rows=st.integers(0, 300),
    radius=st.integers(0, 40),
    declared=st.integers(0, 40),
    scan=st.booleans(),
)
def test_exactly_the_rows_within_the_radius_are_found(
    *, seed: int, size: int, rows: int, radius: int, declared: int, scan: bool
) -> None:
    radius = min(radius, size * 2)  # wider than that, the bands of a short code are all alike
    rng = np.random.default_rng(seed)
    codes = near_codes(rng, size, rows, radius + 4)
    queries = near_codes(rng, size, 5, radius + 4)
    if rows:
        queries[:3] = codes[rng.integers(0, rows, 3)]
    index = HammingIndex.build(codes, radius=declared, scan_rows=10_000 if scan else 1)
    assert bool(len(index.values)) == (rows > 0 and not scan)
    assert found_by(index, queries, radius) == brute_force(codes, queries, radius)


@pytest.mark.parametrize(("size", "radius"), [(8, 8), (32, 31)])
def test_a_large_table_answers_as_a_scan_does(size: int, radius: int) -> None:
    rng = np.random.default_rng(size)
    codes = near_codes(rng, size, 40_000, radius)
    queries = codes[:16] ^ near_codes(rng, size, 16, 2)[:1]
    banded = HammingIndex.build(codes, radius=radius)
    scanned = HammingIndex.build(codes, radius=radius, scan_rows=len(codes) + 1)
    assert len(banded.values) == band_count(size * 8, len(codes), radius)
    assert found_by(banded, queries, radius) == found_by(scanned, queries, radius)


def test_many_equal_codes_are_all_found() -> None:
    codes = np.zeros((20_000, 32), np.uint8)
    index = HammingIndex.build(codes, radius=31)
    query = np.zeros((1, 32), np.uint8)
    assert index.search(query, 31).rows.tolist() == list(range(20_000))


def test_an_index_comes_back_from_its_arrays() -> None:
    codes = np.random.default_rng(1).integers(0, 256, (50, 32), dtype=np.uint8)
    index = HammingIndex.from_arrays(HammingIndex.build(codes, radius=31, scan_rows=1).arrays())
    assert index.search(codes[7:8], 0).rows.tolist() == [7]


@pytest.mark.parametrize("bits", [64, 256])
@pytest.mark.parametrize("rows", [1, 20_000, 10**6, 10**8])
def test_bands_get_wider_as_the_table_grows(bits: int, rows: int) -> None:
    radius = 8 if bits == 64 else 31
    assert 1 <= band_count(bits, rows * 10, radius) <= band_count(bits, rows, radius)


def test_least_distances_are_those_to_the_nearest_query() -> None:
    codes = np.array([[0] * 8, [255] * 8, [1] + [0] * 7], np.uint8)
    queries = np.array([[0] * 8, [255] * 7 + [0]], np.uint8)
    assert least_distances(queries, codes).tolist() == [0, 8, 1]
