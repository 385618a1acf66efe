"""Embeddings compared with every vector, and through lists: exact cosines, and recall kept."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from indexer.storage import layout
from indexer.storage.manifest import ListFacts
from indexer.vectors.index import VectorIndex, vectors_finish
from indexer.vectors.stored import BLOCK, StoredVectors, VectorWriter
from tests.conftest import ROOT

Vectors = NDArray[np.float16]


def structured(count: int, dim: int, seed: int = 1) -> Vectors:
    """Vectors as a dataset has them: a few strong directions, near copies in clusters."""
    rng = np.random.default_rng(seed)
    strengths = 1 / np.sqrt(np.arange(1, dim + 1))
    centers = rng.standard_normal((max(1, count // 40), dim)) * strengths
    rows = centers[rng.integers(0, len(centers), count)]
    rows = rows + 0.4 * rng.standard_normal((count, dim)) * strengths
    unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)
    return unit


def altered(vectors: Vectors, seed: int = 2) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    dim = vectors.shape[1]
    moved = vectors.astype(np.float32) + 0.3 * rng.standard_normal(vectors.shape) / np.sqrt(dim)
    unit = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    return np.ascontiguousarray(unit, np.float32)


def stored(directory: Path, vectors: Vectors, at_once: int = 1000) -> Path:
    with VectorWriter(directory / layout.VECTORS_FILE, vectors.shape[1]) as writer:
        for start in range(0, len(vectors), at_once):
            writer.append(vectors[start : start + at_once])
    return directory


def brute(
    vectors: Vectors, queries: NDArray[np.float32], depth: int, removed: Any = ()
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    cosines = queries @ vectors.astype(np.float32).T
    cosines[:, list(removed)] = -np.inf
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :depth]
    return order, np.take_along_axis(cosines, order, axis=1)


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    return structured(6000, 96)


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory, vectors: Vectors) -> tuple[Path, ListFacts]:
    directory = stored(tmp_path_factory.mktemp("lists"), vectors)
    facts = vectors_finish(directory, 96, lists_from=1)
    assert facts is not None
    return directory, facts


@given(
    count=st.integers(0, 60),
    dim=st.sampled_from([1, 3, 8, 33]),
    queries=st.integers(0, 30),
    depth=st.integers(1, 70),
    removed=st.sets(st.integers(0, 59), max_size=60),
    seed=st.integers(0, 9),
)
@settings(max_examples=60, deadline=None)
def test_without_lists_the_answer_is_that_of_brute_force(
    tmp_path_factory: pytest.TempPathFactory,
    count: int,
    dim: int,
    queries: int,
    depth: int,
    removed: set[int],
    seed: int,
) -> None:
    rows = structured(count, dim, seed) if count else np.empty((0, dim), np.float16)
    asked = altered(structured(queries, dim, seed + 1)) if queries else np.empty((0, dim), "f4")
    gone = sorted(one for one in removed if one < count)
    index = VectorIndex.open(stored(tmp_path_factory.mktemp("exact"), rows), None)
    found = index.search(asked, depth=depth, removed=np.array(gone, np.int64))
    _, cosines = brute(rows, asked, depth, gone)
    assert found.cosines.shape == (queries, min(depth, count))
    assert np.allclose(found.cosines, cosines, atol=1e-6)
    missing = max(0, min(depth, count) - count + len(gone))
    assert (found.places < 0).sum(axis=1).tolist() == [missing] * queries
    assert not np.isin(found.places, gone).any()


@pytest.mark.parametrize("queries", [1, 30], ids=["one by one", "in one pass"])
def test_an_answer_over_many_blocks_is_exact(tmp_path: Path, queries: int) -> None:
    rows = structured(2 * BLOCK + 100, 16)
    index = VectorIndex.open(stored(tmp_path, rows), None)
    asked = altered(rows[:: len(rows) // queries][:queries])
    found = index.search(asked, depth=20)
    assert np.allclose(found.cosines, brute(rows, asked, 20)[1], atol=1e-6)


def test_what_a_query_gets_does_not_depend_on_the_others(
    vectors: Vectors, listed: tuple[Path, ListFacts]
) -> None:
    directory, facts = listed
    asked = altered(vectors[:40])
    for index in (VectorIndex.open(directory, None), VectorIndex.open(directory, facts)):
        together = index.search(asked, depth=64)
        for at in range(40):
            alone = index.search(asked[at : at + 1], depth=64)
            assert alone.cosines[0].tolist() == together.cosines[at].tolist()


def test_lists_find_what_tuning_promised_with_exact_cosines(
    vectors: Vectors, listed: tuple[Path, ListFacts]
) -> None:
    directory, facts = listed
    assert facts.recall >= 0.995
    assert facts.probes < facts.lists
    asked = altered(vectors[::20], seed=9)
    found = VectorIndex.open(directory, facts).search(asked, depth=10)
    truth, _ = brute(vectors, asked, 10)
    same = [len(set(one) & set(other)) for one, other in zip(found.places, truth, strict=True)]
    assert np.mean(same) / 10 >= 0.99
    exact = np.einsum("qkd,qd->qk", vectors[found.places].astype(np.float32), asked)
    assert np.allclose(found.cosines, exact, atol=1e-6)
    assert (np.diff(found.cosines, axis=1) <= 0).all()


def test_lists_never_find_what_was_removed(
    vectors: Vectors, listed: tuple[Path, ListFacts]
) -> None:
    index = VectorIndex.open(*listed)
    asked = altered(vectors[:50])
    before = index.search(asked, depth=10)
    gone = np.unique(before.places[:, :5])
    after = index.search(asked, depth=10, removed=gone)
    assert not np.isin(after.places, gone).any()
    kept = np.setdiff1d(np.arange(len(vectors)), gone)
    truth, _ = brute(vectors[kept], asked, 10)
    same = [len({*one} & {*kept[other]}) for one, other in zip(after.places, truth, strict=True)]
    assert np.mean(same) / 10 >= 0.97
    nothing = index.search(asked, depth=10, removed=np.arange(len(vectors)))
    assert (nothing.places == -1).all()
    assert np.isneginf(nothing.cosines).all()


def test_the_same_vectors_give_the_same_lists(
    tmp_path: Path, vectors: Vectors, listed: tuple[Path, ListFacts]
) -> None:
    directory, facts = listed
    stored(tmp_path, vectors, at_once=777)
    assert vectors_finish(tmp_path, 96, lists_from=1) == facts
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        path.name for path in directory.iterdir()
    )
    for name in (layout.LISTS_FILE, layout.LISTS_DATA_FILE):
        assert (tmp_path / name).read_bytes() == (directory / name).read_bytes()


def test_lists_know_no_path_and_may_move(
    tmp_path: Path, vectors: Vectors, listed: tuple[Path, ListFacts]
) -> None:
    directory, facts = listed
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in directory.iterdir():
        (moved / path.name).write_bytes(path.read_bytes())
    assert str(directory).encode() not in (directory / layout.LISTS_FILE).read_bytes()
    asked = altered(vectors[:5])
    found = [
        VectorIndex.open(folder, facts).search(asked, depth=9) for folder in (directory, moved)
    ]
    assert found[0].places.tolist() == found[1].places.tolist()


def test_vectors_that_lists_cannot_tell_apart_get_none(tmp_path: Path) -> None:
    """All alike: no number of codes finds the true ten, so every vector is compared."""
    rng = np.random.default_rng(3)
    rows = np.repeat(structured(1, 32), 3000, axis=0).astype(np.float32)
    rows += 1e-3 * rng.standard_normal(rows.shape)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    directory = stored(tmp_path, rows.astype(np.float16))
    facts = vectors_finish(directory, 32, lists_from=1)
    if facts is None:
        assert [path.name for path in directory.iterdir()] == [layout.VECTORS_FILE]
    else:
        assert facts.recall >= 0.995


def test_few_vectors_get_no_lists(tmp_path: Path, vectors: Vectors) -> None:
    assert vectors_finish(stored(tmp_path, vectors[:500]), 96) is None
    assert [path.name for path in tmp_path.iterdir()] == [layout.VECTORS_FILE]


def test_other_facts_or_vectors_than_the_lists_are_refused(
    tmp_path: Path, vectors: Vectors, listed: tuple[Path, ListFacts]
) -> None:
    directory, facts = listed
    with pytest.raises(ValueError, match="other vectors"):
        VectorIndex.open(directory, replace(facts, lists=facts.lists + 1))
    for path in directory.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    stored(tmp_path, vectors[:5999])
    with pytest.raises(ValueError, match="other vectors"):
        VectorIndex.open(tmp_path, facts)
    data = tmp_path / layout.LISTS_DATA_FILE
    stored(tmp_path, vectors)
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(ValueError, match="data are others"):
        VectorIndex.open(tmp_path, facts)


def test_the_file_of_vectors_is_read_in_blocks_and_by_place(tmp_path: Path) -> None:
    rows = structured(BLOCK + 10, 24)
    file = StoredVectors(stored(tmp_path, rows) / layout.VECTORS_FILE, 24)
    assert len(file) == len(rows)
    blocks = [(start, block.copy()) for start, block in file.blocks()]
    assert [start for start, _ in blocks] == [0, BLOCK]
    assert np.array_equal(np.concatenate([block for _, block in blocks]), rows.astype(np.float32))
    places = np.array([5, 0, BLOCK + 9])
    assert np.array_equal(file.take(places), rows[places].astype(np.float32))
    assert np.array_equal(VectorIndex.open(tmp_path, None).vectors, rows)
    wide: Any = rows.astype(np.float32)
    with (
        VectorWriter(tmp_path / "other", 24) as writer,
        pytest.raises(ValueError, match=r"holds float16\(0, 24\)"),
    ):
        writer.append(wide)


# Opens an index and says what of it counts as memory of the process itself.
SCRIPT = """
import json, sys
from pathlib import Path
from indexer.storage.manifest import ListFacts
from indexer.vectors.index import VectorIndex

def own():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("RssAnon"))

before = own()
index = VectorIndex.open(Path(sys.argv[1]), ListFacts(**json.loads(sys.argv[2])))
print(own() - before)
"""


def test_opening_maps_instead_of_reading(tmp_path: Path) -> None:
    rows = structured(60_000, 64)
    facts = vectors_finish(stored(tmp_path, rows), 64, lists_from=1)
    assert facts is not None
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), json.dumps(asdict(facts))],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    data = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert data > 9 << 20
    assert int(done.stdout) < data / 4


def test_other_tools_open_the_vectors(tmp_path: Path, vectors: Vectors) -> None:
    index = faiss.read_index(str(stored(tmp_path, vectors) / layout.VECTORS_FILE))
    assert (index.ntotal, index.d, index.metric_type) == (6000, 96, faiss.METRIC_INNER_PRODUCT)
    assert np.array_equal(index.reconstruct(17), vectors[17].astype(np.float32))


def test_every_vector_is_compared_where_the_query_is_unlike_all(
    listed: tuple[Path, ListFacts], vectors: Vectors
) -> None:
    """Words lie far from all pictures: the lists, tuned to find copies, miss what is nearest."""
    directory, facts = listed
    narrow = VectorIndex.open(directory, replace(facts, probes=1, depth=64))
    query = np.random.default_rng(5).standard_normal((1, 96)).astype(np.float32)
    query /= np.linalg.norm(query)
    places, cosines = brute(vectors, query, 300)
    found = narrow.search(query, depth=300, every=True)
    assert np.allclose(found.cosines, cosines, atol=1e-5)
    assert len(np.intersect1d(found.places, places)) >= 299  # equal cosines may change places
    by_lists = narrow.search(query, depth=300)
    assert len(np.intersect1d(by_lists.places, places)) < 299
    removed = places[0, :50]
    without = narrow.search(query, depth=100, removed=removed, every=True)
    assert not np.isin(without.places, removed).any()
