"""Lines, plans and made rows: the arithmetic that docs/scale.md rests on."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.gallery import CHUNK
from benchmarks.gallery_base import Base
from benchmarks.scale import PARTS, by_part, part_of, points_table, targets
from benchmarks.scale_fit import fitted, growth, line
from benchmarks.scale_plan import Assumptions, plan
from benchmarks.scale_rows import Rows, turned
from indexer.storage import layout
from unlist.keys import KEY_BYTES, row_key

POINT: Mapping[str, Any] = {
    "rows": 1_000_000,
    "dim": 768,
    "date": "2026-11-22 12:00 UTC",
    "machine": "a machine",
    "bytes": 2_000_000_000,
    "files": {layout.VECTORS_FILE: 1_536_000_000, "pdq-codes.npy": 464_000_000},
    "build_s": 20.0,
    "build_core_s": 36.0,
    "build_peak_bytes": 500_000_000,
    "open_s": 0.01,
    "cold_s": 0.5,
    "cold_read_bytes": 10_000_000,
    "warm_s": 0.02,
    "warm_batch_s": 0.005,
    "search_own_bytes": 20_000_000,
    "search_mapped_bytes": 200_000_000,
    "found": 1.0,
    "query_views": 15,
    "query_codes": 40,
}


def test_a_line_through_points_on_a_line_is_that_line() -> None:
    found = line([1e5, 1e6, 1e7], [50 + 3 * rows for rows in (1e5, 1e6, 1e7)])
    assert found.slope == pytest.approx(3)
    assert found.start == pytest.approx(50, abs=1e-2)
    assert found.misfit < 1e-4
    assert found.at(2e6) == pytest.approx(6_000_050)


def test_a_line_s_misfit_is_the_worst_point_s() -> None:
    assert line([1, 2, 3], [1.0, 2.0, 6.0]).misfit == pytest.approx(0.5, abs=0.01)


def test_one_point_gives_a_line_through_zero_and_no_growth() -> None:
    assert (line([10], [40]).start, line([10], [40]).slope) == (0.0, 4.0)
    assert growth([10], [40]) is None


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 1.7])
def test_growth_is_the_exponent(power: float) -> None:
    rows = [1e4, 1e5, 1e6]
    assert growth(rows, [7 * one**power for one in rows]) == pytest.approx(power, abs=1e-9)


def test_no_line_through_no_points_or_one_size_twice() -> None:
    with pytest.raises(ValueError, match="different numbers of rows"):
        line([], [])
    with pytest.raises(ValueError, match="different numbers of rows"):
        line([5, 5], [1, 2])


def test_figures_are_fitted_by_name() -> None:
    points = [{"rows": 10, "bytes": 100}, {"rows": 20, "bytes": 200}]
    assert fitted(points, ["bytes"])["bytes"]["slope"] == pytest.approx(10)


def test_every_byte_of_a_group_is_counted_once() -> None:
    files = {
        layout.VECTORS_FILE: 1, "vectors.ivf": 2, "vectors.lists": 4, "vectors-at.npy": 8,
        "pdq-codes.npy": 16, "phash-values.npy": 32, "digest-keys.npy": 64, "rows.arrow": 128,
        "index.json": 256,
    }  # fmt: skip
    parts = by_part(files)
    assert sum(parts.values()) == sum(files.values())
    assert parts["embeddings"] == 1
    assert parts["vector index"] == 14
    assert part_of("index.json") == "other"
    assert set(parts) == set(PARTS)


def test_a_plan_is_the_measured_group_many_times() -> None:
    given = Assumptions(vcpu_hour=0.1, ssd_tb_month=50, vcpus=10, ssd_tb=10, spare=0.0)
    found = plan(400_000_000, POINT, given)
    assert found.groups == 400
    assert found.disk_tb == pytest.approx(0.8)
    assert found.alone_s == pytest.approx(200)
    assert found.together_s == pytest.approx(2)
    assert found.read_gb == pytest.approx(4)
    assert found.build_core_hours == pytest.approx(4)
    assert found.build_money == pytest.approx(0.4)
    # 200 core seconds in 60 s need 3.3 cores, 10,000 photos at 2 s half the day 0.46: one machine.
    assert (found.machines, found.bound) == (1, "wait")
    assert found.month_money == pytest.approx(1 * 10 * 0.1 * 730 + 0.8 * 50)


@pytest.mark.parametrize(
    ("given", "bound"),
    [
        (Assumptions(ssd_tb=0.1), "disk"),
        (Assumptions(wait_s=0.1), "wait"),
        (Assumptions(photos_day=1e7), "load"),
        (Assumptions(ssd_gb_s=0.01), "reading"),
    ],
)
def test_machines_are_bound_by_what_is_scarcest(given: Assumptions, bound: str) -> None:
    found = plan(400_000_000, POINT, given)
    assert found.bound == bound
    assert found.machines > 1


def test_a_dataset_smaller_than_a_group_takes_one() -> None:
    found = plan(1_000, POINT, Assumptions())
    assert (found.groups, found.machines) == (1, 1)


def test_points_are_shown_and_judged() -> None:
    assert "1,000,000" in points_table([POINT])
    assert {target.verdict for target in targets([POINT])} == {"reached"}


@pytest.fixture
def base() -> Base:
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((40, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Base(
        photos=tuple("abcdefgh"),
        vectors=vectors.astype(np.float16),
        pdq=rng.integers(256, size=(40, 32), dtype=np.uint8),
        quality=np.where(np.arange(40) < 10, 0, 100).astype(np.uint8),
        phash=rng.integers(2**64, size=40, dtype=np.uint64),
    )


def test_rows_are_the_same_every_time_and_as_many_as_asked_for(base: Base) -> None:
    first, again = list(Rows(base, CHUNK + 5)), list(Rows(base, CHUNK + 5))
    assert [len(batch.vectors) for batch in first] == [CHUNK, 5]
    for one, other in zip(first, again, strict=True):
        assert (one.vectors == other.vectors).all()
        assert (one.pdq == other.pdq).all()
        assert one.rows.equals(other.rows)
    assert (first[0].vectors[:5] != first[1].vectors).any()


def test_a_row_is_what_the_product_would_prepare(base: Base) -> None:
    batch = next(iter(Rows(base, 500)))
    assert batch.vectors.dtype == np.float16
    assert np.linalg.norm(batch.vectors.astype(np.float32), axis=1) == pytest.approx(1, abs=4e-3)
    assert 0 < len(batch.pdq) == len(batch.pdq_rows) == len(batch.phash) < 500
    assert batch.keys.shape == (1000, KEY_BYTES)
    url = batch.rows.column("url")[3].as_py()
    assert row_key("url", url) in {key.tobytes() for key in batch.keys[batch.owners == 3]}


def test_a_query_lies_near_its_row(base: Base) -> None:
    rows = Rows(base, 100)
    batch = next(iter(rows))
    row = int(batch.pdq_rows[7])
    query = rows.query(row, views=3, parts=2, encoder="e", hashed=True)
    assert query.pdq is not None
    assert query.pdq.shape == (16, 32)
    assert np.bitwise_count(query.pdq[0] ^ batch.pdq[7]).sum() == 8
    cosines = query.embeddings["e"] @ batch.vectors[row].astype(np.float32)
    assert cosines[0] == cosines.max() > 0.99
    other = rows.query(row, views=3, parts=2, encoder="e", hashed=False)
    assert other.pdq is not None
    assert np.bitwise_count(other.pdq[0] ^ batch.pdq[7]).sum() > 60


def test_turning_to_fewer_dimensions_keeps_cosines_of_what_lies_in_them(base: Base) -> None:
    flat = base.vectors.astype(np.float32)
    flat[:, 8:] = 0
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    few = turned(replace(base, vectors=flat.astype(np.float16)), 8).vectors.astype(np.float32)
    assert few @ few.T == pytest.approx(flat @ flat.T, abs=3e-3)
    with pytest.raises(ValueError, match="32 dimensions, not 33"):
        turned(base, 33)
