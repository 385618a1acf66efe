import mmap
import resource
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.digests import index as digests
from indexer.digests.index import PAGE, PER_PAGE, DigestIndex
from indexer.digests.sort import sort_pairs
from indexer.storage.mapped import IndexDamaged


def keys(*values: bytes) -> np.ndarray:
    padded = [value.rjust(16, b"\0") if value[:1] != b"\xff" else value for value in values]
    return np.frombuffer(b"".join(padded), np.uint8).reshape(-1, 16)


def some_keys(rng: np.random.Generator, kind: str, count: int) -> np.ndarray:
    """Even keys, as digests are, and keys that someone made up."""
    if kind == "even":
        return rng.integers(0, 256, (count, 16), dtype=np.uint8)
    if kind == "few":
        return rng.integers(0, 256, (3, 16), dtype=np.uint8)[rng.integers(0, 3, count)]
    made_up = np.zeros((count, 16), np.uint8)
    places = slice(14, 16) if kind == "alike but the end" else slice(0, 2)
    made_up[:, places] = rng.integers(0, 256, (count, 2), dtype=np.uint8)
    return made_up


KINDS = ["even", "few", "alike but the end", "alike but the start"]


def rows_by_key(table: np.ndarray, rows: np.ndarray) -> dict[bytes, list[int]]:
    """The slow and obvious way."""
    found: dict[bytes, set[int]] = {}
    for key, row in zip(table, rows.tolist(), strict=True):
        found.setdefault(key.tobytes(), set()).add(row)
    return {key: sorted(values) for key, values in found.items()}


def test_all_rows_of_a_key_are_found_and_no_others() -> None:
    table = keys(b"b", b"a", b"b", b"c", b"b")
    index = DigestIndex.build(table, np.array([5, 1, 3, 2, 5], np.uint32))
    assert index.search([keys(b"b").tobytes()]) == [3, 5]
    assert index.search([keys(b"a").tobytes(), keys(b"c").tobytes()]) == [1, 2]
    assert index.search([keys(b"x").tobytes()]) == []
    assert index.search([]) == []
    assert len(index) == 4


def test_zeros_at_the_end_of_a_key_count() -> None:
    ending = [bytes(16), b"\xff" * 15 + b"\0", b"\xff" * 14 + b"\0\0", b"\xff" * 16]
    index = DigestIndex.build(keys(*ending), np.arange(4, dtype=np.uint32))
    assert [index.search([key]) for key in ending] == [[0], [1], [2], [3]]
    assert index.search([b"\xff" * 13 + b"\0\0\0"]) == []


@pytest.mark.parametrize("stored", [False, True])
def test_an_empty_table_finds_nothing(tmp_path: Path, *, stored: bool) -> None:
    nothing = np.empty((0, 16), np.uint8), np.empty(0, np.uint32)
    index = DigestIndex.build(*nothing)
    if stored:
        index = DigestIndex.build_in(tmp_path, "digest", [nothing])
    assert index.search([bytes(16)]) == []
    assert len(index) == 0


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(KINDS),
    count=st.integers(0, 3 * PER_PAGE),
)
def test_every_key_gives_all_its_rows(*, seed: int, kind: str, count: int) -> None:
    rng = np.random.default_rng(seed)
    table = some_keys(rng, kind, count)
    rows = rng.integers(0, max(count, 1), count).astype(np.uint32)
    index = DigestIndex.build(table, rows)
    expected = rows_by_key(table, rows)
    wanted = np.concatenate([table, some_keys(rng, kind, 20), some_keys(rng, "even", 20)])
    owners, found = index.rows_of(wanted)
    for place, key in enumerate(wanted):
        assert found[owners == place].tolist() == expected.get(key.tobytes(), [])
    assert (np.diff(owners) >= 0).all()
    assert len(index) == sum(map(len, expected.values()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("run", [50, 100, 700, 5_000])
def test_sorting_by_runs_is_sorting(tmp_path: Path, kind: str, run: int) -> None:
    rng = np.random.default_rng(run)
    table = some_keys(rng, kind, 1_500)
    rows = rng.integers(0, 40, 1_500).astype(np.uint32)
    chunks = [(table[at : at + 60], rows[at : at + 60]) for at in range(0, 1_500, 60)]
    parts = list(sort_pairs(chunks, tmp_path, run=run))
    found = [
        (key.tobytes(), row)
        for part in parts
        for key, row in zip(part.keys(), part.rows.tolist(), strict=True)
    ]
    made = {(key.tobytes(), row) for key, row in zip(table, rows.tolist(), strict=True)}
    assert found == sorted(made)
    assert max(map(len, parts)) <= 2 * run + len(parts)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_comes_back_from_its_files(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_WRITTEN", 3)
    monkeypatch.setattr(digests, "_READ", 2)
    rng = np.random.default_rng(1)
    table, rows = some_keys(rng, kind, 3_000), np.arange(3_000, dtype=np.uint32)
    built = DigestIndex.build(table, rows)
    built.save(tmp_path, "saved")
    DigestIndex.build_in(tmp_path, "direct", [(table, rows)])
    for prefix in ("saved", "direct"):
        index = DigestIndex.open(tmp_path, prefix)
        assert index.pages.tobytes() == built.pages.tobytes()
        assert (index.fences == built.fences).all()
        owners, found = index.rows_of(table[:50])
        expected = rows_by_key(table, rows)
        for place in range(50):
            assert found[owners == place].tolist() == expected[table[place].tobytes()]


def test_a_look_up_reads_one_page(tmp_path: Path) -> None:
    """By the design: one page of keys for a key, two where it is the first of a page."""
    assert PAGE.itemsize == mmap.PAGESIZE == 4096
    table = some_keys(np.random.default_rng(2), "even", 20_000)
    index = DigestIndex.build_in(tmp_path, "digest", [(table, np.arange(20_000, dtype=np.uint32))])
    fences = {fence.tobytes() for fence in index.fences}
    _, places = index._places(table)
    first = sum(key.tobytes() in fences for key in table)
    assert len(places) == len(table) + first - 1  # no page stands before the first
    owners, places = index._places(some_keys(np.random.default_rng(3), "even", 5_000))
    assert np.bincount(owners).max() == 1


def test_a_look_up_faults_in_one_page(tmp_path: Path) -> None:
    """What the system counts: pages that a fresh mapping had to fetch, a few beside for NumPy."""
    table = some_keys(np.random.default_rng(2), "even", 400_000)
    DigestIndex.build_in(tmp_path, "digest", [(table, np.arange(400_000, dtype=np.uint32))])
    index = DigestIndex.open(tmp_path, "digest")
    wanted = table[:: len(table) // 1000]
    index.rows_of(wanted[:1])
    index.fences.sum()

    def faults() -> int:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_minflt + usage.ru_majflt

    before = faults()
    for key in wanted:
        index.rows_of(key[None])
    assert faults() - before <= 2 * len(wanted)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    table = some_keys(np.random.default_rng(2), "even", 1_000)
    DigestIndex.build_in(tmp_path, "digest", [(table, np.arange(1_000, dtype=np.uint32))])
    return tmp_path


@pytest.mark.parametrize("name", ["digest-pages.bin", "digest-fences.npy"])
def test_files_of_another_form_are_refused(stored: Path, name: str) -> None:
    path = stored / name
    data = path.read_bytes()
    for damage in (data[:-1], data[: len(data) // 2], b"", data * 2 if "pages" in name else b"x"):
        path.write_bytes(damage)
        with pytest.raises(IndexDamaged, match="index_dataset again"):
            DigestIndex.open(stored, "digest")
    path.unlink()
    with pytest.raises(IndexDamaged):
        DigestIndex.open(stored, "digest")


@pytest.mark.parametrize("count", [0, 7, PER_PAGE + 1, 2**32 - 1])
def test_a_page_that_says_it_holds_more_or_less_is_refused(stored: Path, count: int) -> None:
    path = stored / "digest-pages.bin"
    pages = np.fromfile(path, PAGE)
    pages["count"][0] = count
    path.write_bytes(pages.tobytes())
    index = DigestIndex.open(stored, "digest")
    with pytest.raises(IndexDamaged):
        index.search([index.fences[0].tobytes()])
