"""Shards in groups, and what happens to them when shards change."""

from pathlib import Path
from typing import Any

import pytest

from catalog.models import Dataset, Group
from catalog.planning import groups_plan, groups_reopen
from shards import ShardFacts

pytestmark = pytest.mark.django_db


def shard(name: str, rows: int = 10, probe: str = "a") -> ShardFacts:
    return ShardFacts(name, rows, 1000, {f"{name}.tar": {"size": 1000, "probe": probe}})


@pytest.fixture
def dataset(settings: Any) -> Dataset:
    settings.UNLIST = settings.UNLIST.model_copy(update={"group_rows": 25})
    return Dataset.objects.create(name="sample", encoder="a/b")


def names(dataset: Dataset) -> list[list[str]]:
    return [[one["name"] for one in group.shards] for group in dataset.groups.order_by("number")]


def test_groups_are_runs_of_whole_shards_up_to_the_limit(dataset: Dataset) -> None:
    shards = [shard("0"), shard("1"), shard("2"), shard("3", 100), shard("4")]
    plan = groups_plan(dataset=dataset, shards=shards)
    assert names(dataset) == [["0", "1"], ["2"], ["3"], ["4"]]
    assert (plan.new_groups, plan.changed, plan.gone, plan.stale) == (4, (), (), ())
    dataset.refresh_from_db()
    assert dataset.rows == 140


def test_planning_again_changes_nothing(dataset: Dataset) -> None:
    shards = [shard("0"), shard("1")]
    groups_plan(dataset=dataset, shards=shards)
    before = list(dataset.groups.values())
    plan = groups_plan(dataset=dataset, shards=shards)
    assert list(dataset.groups.values()) == before
    assert plan.new_groups == 0


def test_new_shards_make_new_groups(dataset: Dataset) -> None:
    groups_plan(dataset=dataset, shards=[shard("0")])
    groups_plan(dataset=dataset, shards=[shard("0"), shard("1")])
    assert names(dataset) == [["0"], ["1"]]


def test_a_pending_group_follows_its_shards(dataset: Dataset) -> None:
    groups_plan(dataset=dataset, shards=[shard("0"), shard("1")])
    plan = groups_plan(dataset=dataset, shards=[shard("1", rows=7, probe="b")])
    group = dataset.groups.get()
    assert (group.rows, group.shards[0]["identity"]["1.tar"]["probe"]) == (7, "b")
    assert (plan.changed, plan.gone, plan.stale) == (("1",), ("0",), ())


def test_a_pending_group_without_shards_goes(dataset: Dataset) -> None:
    groups_plan(dataset=dataset, shards=[shard("0")])
    groups_plan(dataset=dataset, shards=[])
    assert names(dataset) == []


def test_a_ready_group_keeps_its_shards_and_is_told_of(dataset: Dataset) -> None:
    groups_plan(dataset=dataset, shards=[shard("0"), shard("1")])
    dataset.groups.update(state=Group.State.READY)
    plan = groups_plan(dataset=dataset, shards=[shard("0", probe="b")])
    assert (plan.changed, plan.gone, plan.stale) == (("0",), ("1",), (0,))
    assert names(dataset) == [["0", "1"]]


def test_a_reopened_group_follows_again(dataset: Dataset) -> None:
    groups_plan(dataset=dataset, shards=[shard("0")])
    dataset.groups.update(state=Group.State.READY)
    changed = [shard("0", probe="b")]
    plan = groups_plan(dataset=dataset, shards=changed)
    groups_reopen(dataset=dataset, numbers=plan.stale)
    groups_plan(dataset=dataset, shards=changed)
    group = dataset.groups.get()
    assert group.state == Group.State.PENDING
    assert group.shards[0]["identity"]["0.tar"]["probe"] == "b"


def test_the_index_path_follows_from_names(dataset: Dataset, settings: Any) -> None:
    group = Group(dataset=dataset, number=3)
    assert group.path == Path(settings.UNLIST.data_dir) / "indexes" / "sample" / "3"
