import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.hamming import index as hamming
from indexer.hamming import kernels as hamming_kernels
from indexer.hamming import lookup as hamming_lookup
from indexer.hamming import native as hamming_native
from indexer.hamming.codes import least_distances
from indexer.hamming.index import SCAN_ROWS, HammingIndex, warm_up
from indexer.hamming.plan import Bands, cheapest, masks, within
from indexer.storage.mapped import IndexDamaged

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "pdq"
Pairs = list[tuple[int, int, int]]


def brute_force(codes: np.ndarray, queries: np.ndarray, radius: int) -> Pairs:
    """The slow and obvious way."""
    wide = np.unpackbits(codes, axis=1), np.unpackbits(queries, axis=1)
    found = []
    for query in range(len(queries)):
        distances = (wide[0] != wide[1][query]).sum(axis=1)
        near = np.flatnonzero(distances <= radius)
        found += [(query, int(row), int(distances[row])) for row in near]
    return found


def found_by(
    index: HammingIndex, queries: np.ndarray, radius: int, threads: int | None = None
) -> Pairs:
    found = index.search(queries, radius, threads=threads)
    columns = found.queries.tolist(), found.rows.tolist(), found.distances.tolist()
    return list(zip(*columns, strict=True))


def near_codes(rng: np.random.Generator, size: int, rows: int, flips: int) -> np.ndarray:
    """Codes in clusters, so that distances around the radius do occur."""
    centers = rng.integers(0, 256, (max(1, rows // 8), size), dtype=np.uint8)
    codes = np.unpackbits(centers[rng.integers(0, len(centers), rows)], axis=1)
    for code in codes:
        code[rng.choice(size * 8, rng.integers(0, flips + 1), replace=False)] ^= 1
    return np.packbits(codes, axis=1)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([8, 32]),
    rows=st.integers(0, 300),
    radius=st.integers(0, 256),
    declared=st.integers(0, 40),
    scan=st.booleans(),
)
def test_exactly_the_rows_within_the_radius_are_found(
    *, seed: int, size: int, rows: int, radius: int, declared: int, scan: bool
) -> None:
    radius = radius % (size * 8 + 1) if radius % 3 else radius % 40
    rng = np.random.default_rng(seed)
    codes = near_codes(rng, size, rows, min(radius, 40) + 4)
    queries = near_codes(rng, size, 5, min(radius, 40) + 4)
    if rows:
        queries[:3] = codes[rng.integers(0, rows, 3)]
    index = HammingIndex.build(codes, radius=declared, scan_rows=10_000 if scan else 1)
    assert bool(len(index.starts)) == (rows > 0 and not scan)
    assert found_by(index, queries, radius) == brute_force(codes, queries, radius)


@pytest.fixture(scope="module", params=[8, 32])
def banded(request: pytest.FixtureRequest) -> HammingIndex:
    """A table large enough that small radii are looked up."""
    codes = near_codes(np.random.default_rng(request.param), request.param, 30_000, 40)
    return HammingIndex.build(codes, radius=8 if request.param == 8 else 31)


def some_queries(index: HammingIndex, count: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    codes: np.ndarray = index.codes[rng.integers(0, len(index.codes), count)]
    codes ^= near_codes(rng, codes.shape[1], 1, 3)
    return codes


@pytest.mark.parametrize("radius", [*range(33), 48])
def test_every_radius_is_answered_as_brute_force_does(banded: HammingIndex, radius: int) -> None:
    queries = some_queries(banded, 6)
    assert found_by(banded, queries, radius) == brute_force(banded.codes, queries, radius)


@pytest.mark.parametrize("radius", [0, 1, 2, 5, 8, 9, 31, 32])
def test_bands_made_for_another_radius_answer_alike(banded: HammingIndex, radius: int) -> None:
    queries = some_queries(banded, 3)
    other = HammingIndex.build(banded.codes, radius=radius)
    assert found_by(other, queries, 8) == found_by(banded, queries, 8)


@pytest.mark.parametrize("count", [0, 1, 2, 7, 64, 700])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_batch_is_answered_as_its_queries_one_by_one(
    banded: HammingIndex, count: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hamming_lookup, "_PER_THREAD", 1.0)
    queries = some_queries(banded, count)
    alone = [
        (place, row, distance)
        for place in range(count)
        for _, row, distance in found_by(banded, queries[place : place + 1], 8)
    ]
    assert found_by(banded, queries, 8, threads) == alone


def test_many_threads_search_one_index_at_once(banded: HammingIndex) -> None:
    queries = some_queries(banded, 200)
    expected = found_by(banded, queries, 8)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: found_by(banded, queries, 8), range(24)))
    assert all(answer == expected for answer in answers)


def skewed(kind: str, size: int, rows: int = 20_000) -> np.ndarray:
    """Tables in which a few buckets hold nearly everything."""
    rng = np.random.default_rng(3)
    codes = np.full((rows, size), 0xA5 if kind == "all equal" else 0, np.uint8)
    if kind == "one bit apart":
        bits = np.arange(rows) % (size * 8)
        codes[np.arange(rows), bits // 8] = 1 << (bits % 8)
    if kind == "half of them zero":
        codes[rows // 2 :] = rng.integers(0, 256, (rows - rows // 2, size), dtype=np.uint8)
    if kind == "one band alike":
        codes[:, size // 2 :] = rng.integers(0, 256, (rows, size - size // 2), dtype=np.uint8)
    return codes


SKEWED = ["all equal", "all zero", "one bit apart", "half of them zero", "one band alike"]


@pytest.mark.parametrize(("size", "radius"), [(8, 8), (8, 0), (8, 1), (32, 31), (32, 1)])
@pytest.mark.parametrize("kind", SKEWED)
def test_overfull_buckets_lose_nothing(kind: str, size: int, radius: int) -> None:
    codes = skewed(kind, size)
    index = HammingIndex.build(codes, radius=radius)
    assert len(index.starts)
    queries = codes[[0, 17, 19_999]]
    queries[1, 0] ^= 3
    assert found_by(index, queries, radius) == brute_force(codes, queries, radius)


@pytest.mark.parametrize("kind", SKEWED)
def test_answers_too_large_for_memory_come_in_pieces(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million placeholder pictures near every query: pieces stay small, nothing is lost."""
    monkeypatch.setattr(hamming_lookup, "_PIECE", 1000)
    codes = skewed(kind, 32, 9_000)
    index = HammingIndex.build(codes, radius=31, scan_rows=1)
    queries = codes[[0, 17, 8_999, 5, 6]]
    queries[1] ^= 0xFF
    pieces = list(index.pieces(queries, 31))
    assert max(len(piece.rows) for piece in pieces) <= 2 * 1000
    assert found_by(index, queries, 31) == brute_force(codes, queries, 31)


@pytest.mark.parametrize("share", [1, 2, 9_000])
def test_a_query_that_meets_much_is_scanned_for(
    share: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hamming_lookup, "_MOST", share)
    codes = near_codes(np.random.default_rng(1), 32, 9_000, 40)
    index = HammingIndex.build(codes, radius=31, scan_rows=1)
    assert found_by(index, codes[:9], 31) == brute_force(codes, codes[:9], 31)


@pytest.mark.parametrize("rows", [SCAN_ROWS - 1, SCAN_ROWS, SCAN_ROWS + 1])
def test_nothing_changes_where_tables_start_to_have_bands(rows: int) -> None:
    codes = near_codes(np.random.default_rng(rows), 32, rows, 34)
    index = HammingIndex.build(codes, radius=31)
    assert bool(len(index.starts)) == (rows >= SCAN_ROWS)
    assert found_by(index, codes[:5], 31) == brute_force(codes, codes[:5], 31)


@pytest.mark.parametrize("sorted_at_once", [1, 100, 4_000])
def test_a_table_sorted_in_parts_is_the_same(
    sorted_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = near_codes(np.random.default_rng(1), 32, 9_000, 40)
    whole = HammingIndex.build(codes, radius=31, scan_rows=1)
    monkeypatch.setattr(hamming, "_SORTED", sorted_at_once)
    parts = HammingIndex.build(codes, radius=31, scan_rows=1)
    assert (parts.starts == whole.starts).all()
    assert (parts.entries == whole.entries).all()


@pytest.mark.parametrize("rows", [0, 5, 3_000])
@pytest.mark.parametrize("size", [8, 32])
def test_an_index_comes_back_from_its_files(tmp_path: Path, rows: int, size: int) -> None:
    codes = near_codes(np.random.default_rng(1), size, rows, 9)
    queries = near_codes(np.random.default_rng(2), size, 4, 9)
    queries[: min(rows, 2)] = codes[:2]
    built = HammingIndex.build(codes, radius=8, scan_rows=1)
    built.save(tmp_path, "saved")
    HammingIndex.build_in(tmp_path, "direct", codes, radius=8, scan_rows=1)
    for prefix in ("saved", "direct"):
        index = HammingIndex.open(tmp_path, prefix)
        assert (index.entries == built.entries).all()
        assert found_by(index, queries, 8) == brute_force(codes, queries, 8)


def test_codes_that_are_in_their_file_already_stay_there(tmp_path: Path) -> None:
    np.save(tmp_path / "pdq-codes.npy", near_codes(np.random.default_rng(1), 32, 500, 9))
    before = (tmp_path / "pdq-codes.npy").stat().st_mtime_ns
    codes = np.load(tmp_path / "pdq-codes.npy", mmap_mode="r")
    index = HammingIndex.build_in(tmp_path, "pdq", codes, radius=31, scan_rows=1)
    assert index.search(codes[7:8], 0).rows.tolist() == [7]
    assert (tmp_path / "pdq-codes.npy").stat().st_mtime_ns == before


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    codes = near_codes(np.random.default_rng(1), 32, 3_000, 9)
    HammingIndex.build_in(tmp_path, "pdq", codes, radius=31, scan_rows=1)
    return tmp_path


@pytest.mark.parametrize("name", ["codes", "starts", "entries"])
def test_files_of_another_form_are_refused(stored: Path, name: str) -> None:
    path = stored / f"pdq-{name}.npy"
    data, array = path.read_bytes(), np.load(path)
    for damage in (data[: len(data) // 2], data[:100], b"", b"text" * 100):
        path.write_bytes(damage)
        with pytest.raises(IndexDamaged, match="index_dataset again"):
            HammingIndex.open(stored, "pdq")
    for other in (array[:-1], array[:, :-1], array.astype(np.int16), array[0], array.T):
        np.save(path, other)
        with pytest.raises(IndexDamaged):
            HammingIndex.open(stored, "pdq")
    path.unlink()
    with pytest.raises(IndexDamaged):
        HammingIndex.open(stored, "pdq")


def entries_beyond(array: np.ndarray) -> np.ndarray:
    return array | np.uint32(0xFFF)  # row 4095 of 3000, tags as they were


def starts_beyond(array: np.ndarray) -> np.ndarray:
    array[:, :-1] += np.uint32(0xFFFF)
    return array


def starts_falling(array: np.ndarray) -> np.ndarray:
    array[:, :-1] = array[:, -2::-1]
    return array


@pytest.mark.parametrize(
    ("name", "damage"),
    [("entries", entries_beyond), ("starts", starts_beyond), ("starts", starts_falling)],
)
def test_content_that_points_outside_is_refused_not_followed(
    stored: Path, name: str, damage: Callable[[np.ndarray], np.ndarray]
) -> None:
    path = stored / f"pdq-{name}.npy"
    np.save(path, damage(np.load(path)))
    index = HammingIndex.open(stored, "pdq")
    with pytest.raises(IndexDamaged, match="index_dataset again"):
        index.search(index.codes[:1], 31)


def test_queries_of_another_length_are_refused(banded: HammingIndex) -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        banded.search(np.zeros((1, 16), np.uint8), 3)


def test_codes_of_odd_length_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 8"):
        HammingIndex.build(np.zeros((5, 9), np.uint8), radius=3)


@pytest.mark.parametrize("bits", [64, 256])
@pytest.mark.parametrize("rows", [1, 20_000, 10**6, 10**8, 2**32 - 1])
def test_bands_suit_the_table(bits: int, rows: int) -> None:
    radius = 8 if bits == 64 else 31
    bands = cheapest(bits, rows, radius)
    assert 1 <= cheapest(bits, min(rows * 10, 2**32 - 1), radius).count <= bands.count
    assert all(bands.prefix_bits <= seen <= 32 for seen in bands.seen_bits)
    if rows >= 10**6:
        tables = bands.count * (4 * rows + 4 * 2**bands.prefix_bits)
        assert bits != 256 or tables + 32 * rows <= 3 * 32 * rows


def test_flips_are_as_few_as_the_pigeonhole_principle_allows() -> None:
    for count in range(1, 33):
        for radius in range(65):
            flips = Bands.cut(256, 10**6, count).flips(radius)
            assert sum(most + 1 for most in flips) == radius + 1


def test_masks_are_all_numbers_with_few_bits_set() -> None:
    values, weights = masks(10, 3)
    assert sorted(values) == [value for value in range(1024) if value.bit_count() <= 3]
    assert (np.diff(weights) >= 0).all()
    assert len(values) == within(10, 3)


def test_kernels_do_without_a_place_to_keep_machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*, nogil: bool, cache: bool = False) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return numba.njit(nogil=nogil)

    monkeypatch.setattr(hamming_native, "njit", nowhere)
    assert hamming_native.compiled(lambda number: number + 1)(2) == 3


def test_warming_up_searches_both_ways() -> None:
    warm_up()
    for kernel in (hamming_kernels.look_up, hamming_kernels.scan):
        assert kernel.signatures  # type: ignore[attr-defined]


@pytest.mark.parametrize("count", [0, 1, 15, 16])
def test_picking_entries_keeps_those_whose_tag_is_near(count: int) -> None:
    rng = np.random.default_rng(count)
    entries = rng.integers(0, 2**32, 64, dtype=np.uint32)
    wanted = np.uint32(0xAB000000), np.uint32(0xFF000000)

    @numba.njit
    def picked(place: int, left: int, most: int) -> Any:
        gathered = np.zeros(32, np.uint32)
        size = hamming_native.pick(entries, place, left, wanted, most, gathered, 3)
        return gathered[3 : 3 + size]

    for most in range(9):
        expected = [
            entry
            for entry in entries[count : count + min(count, 16)].tolist()
            if ((entry ^ 0xAB000000) >> 24).bit_count() <= most
        ]
        assert picked(count, count, most).tolist() == expected


def test_least_distances_are_those_to_the_nearest_query() -> None:
    codes = np.array([[0] * 8, [255] * 8, [1] + [0] * 7], np.uint8)
    queries = np.array([[0] * 8, [255] * 7 + [0]], np.uint8)
    assert least_distances(queries, codes).tolist() == [0, 8, 1]


@pytest.mark.skipif(not VECTORS.is_dir(), reason="the shared vectors are not here")
@pytest.mark.parametrize("scan_rows", [1, 10_000])
def test_published_pdq_hashes_come_out_to_the_pair(scan_rows: int) -> None:
    def read(name: str) -> np.ndarray:
        lines = [line.split(",")[0] for line in (VECTORS / name).read_text().split()]
        return np.array([list(bytes.fromhex(line)) for line in lines], np.uint8)

    needles, haystack = read("needles.txt"), read("haystack.txt")
    index = HammingIndex.build(haystack, radius=31, scan_rows=scan_rows)
    expected = json.loads((VECTORS / "expected.json").read_text())["needles"]["pairs_within"]
    for radius in range(65):
        pairs = found_by(index, needles, radius)
        assert pairs == brute_force(haystack, needles, radius)
        assert len(pairs) == expected[str(radius)]
    lines = (VECTORS / "pairs31.csv").read_text().split()[1:]
    pairs31 = {tuple(int(field) for field in line.split(",")) for line in lines}
    found = {(needle + 1, row + 1, far) for needle, row, far in found_by(index, needles, 31)}
    assert found == pairs31
    assert len(found) == 250


@pytest.mark.skipif(not VECTORS.is_dir(), reason="the shared vectors are not here")
def test_the_radius_itself_is_within_it() -> None:
    pairs = json.loads((VECTORS / "expected.json").read_text())["boundary_pairs"]["pairs"]
    for pair in pairs:
        query, row = (np.array([list(bytes.fromhex(pair[side]))], np.uint8) for side in "ab")
        index = HammingIndex.build(row, radius=31, scan_rows=1)
        assert bool(found_by(index, query, 31)) == pair["match_at_31"]
        assert bool(found_by(index, query, 64)) == pair["match_at_64"]
