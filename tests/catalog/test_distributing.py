"""Indexing by workers: taken once, taken again from the dead, told where nobody is there."""

import datetime as dt
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from catalog import indexing, tasks, watching
from catalog.distributing import groups_ask, groups_progress, groups_waiting
from catalog.indexing import GroupOutcome, group_index
from catalog.indexing_asked import _listed, group_index_asked
from catalog.indexing_here import groups_index
from catalog.leases import FRAIL
from catalog.models import Dataset, Group
from catalog.planning import groups_plan
from catalog.slots import index_slot
from catalog.source import Source
from catalog.stores import stores_announce
from catalog.watching import NobodyIndexes, Watch
from indexer.group.build import build_group
from tests.shards.factories import samples, write_shard

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_listing() -> Iterator[None]:
    _listed.cache_clear()
    yield
    _listed.cache_clear()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """Messages: (group, queue)."""
    messages: list[tuple[int, str]] = []

    def send(*, args: tuple[int], queue: str, **_: Any) -> None:
        messages.append((args[0], queue))

    monkeypatch.setattr(tasks.index_group, "apply_async", send)
    return messages


@pytest.fixture
def asked(added: Path, settings: Any, sent: list[tuple[int, str]]) -> list[Group]:
    """Two groups of one shard each, asked for."""
    settings.UNLIST = settings.UNLIST.model_copy(update={"group_rows": 6})
    dataset = Dataset.objects.get()
    shards = Source(dataset).reader.shards()
    groups_plan(dataset=dataset, shards=shards)
    groups_ask(dataset=dataset, numbers=[0, 1])
    return list(Group.objects.select_related("dataset"))


def states() -> list[str]:
    return list(Group.objects.values_list("state", flat=True))


def killed(group: Group, *, attempts: int = 1) -> None:
    """A worker took the group and was not heard of again."""
    Group.objects.filter(pk=group.pk).update(
        lease_token="0" * 32,
        lease_until=timezone.now() - dt.timedelta(seconds=1),
        attempts=attempts,
    )


def test_a_worker_indexes_what_was_asked_and_sends_for_the_next(
    asked: list[Group], sent: list[tuple[int, str]]
) -> None:
    tasks.index_group(asked[0].pk)
    assert states() == ["ready", "pending"]
    assert sent == [(asked[1].pk, "index.local")]
    tasks.index_group(asked[1].pk)
    assert states() == ["ready", "ready"]
    assert len(sent) == 1
    group = Group.objects.first()
    assert group is not None
    assert (group.lease_token, group.lease_until, group.attempts) == (None, None, 0)
    assert group.rows_indexed == 5


def test_a_message_that_comes_twice_or_late_changes_nothing(
    asked: list[Group], monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks.index_group(asked[0].pk)
    monkeypatch.setattr(indexing, "build_group", None)
    tasks.index_group(asked[0].pk)
    tasks.index_group(987654)
    assert states() == ["ready", "pending"]


def test_what_nobody_asked_for_is_left_alone(asked: list[Group]) -> None:
    Group.objects.update(lease_until=None)
    assert groups_waiting(["local"]) == []
    assert group_index_asked(asked[0].pk) is None
    assert states() == ["pending", "pending"]


def test_the_sweep_sends_for_stores_that_are_served(
    asked: list[Group], sent: list[tuple[int, str]]
) -> None:
    tasks.index_sweep()
    assert sent == []
    stores_announce(["local", "elsewhere"])
    tasks.index_sweep()
    assert sent == [(group.pk, "index.local") for group in asked]


def test_a_dead_workers_group_is_taken_again_and_a_living_ones_not(asked: list[Group]) -> None:
    killed(asked[0])
    Group.objects.filter(pk=asked[1].pk).update(
        lease_token="1" * 32, lease_until=timezone.now() + dt.timedelta(seconds=20)
    )
    assert [waiting.group_id for waiting in groups_waiting(["local"])] == [asked[0].pk]
    assert group_index_asked(asked[1].pk) is None
    assert group_index_asked(asked[0].pk) == "local"
    assert states() == ["ready", "pending"]


def test_a_group_that_kills_its_workers_is_tried_once_an_hour(asked: list[Group]) -> None:
    killed(asked[0], attempts=FRAIL)
    assert [waiting.group_id for waiting in groups_waiting(["local"])] == [asked[1].pk]
    hour = dt.timedelta(hours=1, seconds=2)
    Group.objects.filter(pk=asked[0].pk).update(lease_until=timezone.now() - hour)
    assert len(groups_waiting(["local"])) == 2


def test_one_process_indexes_one_group_at_a_time(asked: list[Group]) -> None:
    with index_slot() as free:
        assert free
        tasks.index_group(asked[0].pk)
    assert states() == ["pending", "pending"]


def test_what_a_worker_cannot_reach_is_said_on_the_group(asked: list[Group], added: Path) -> None:
    shutil.move(added, added.with_name("unmounted"))
    assert group_index_asked(asked[0].pk) == "local"
    group = Group.objects.get(pk=asked[0].pk)
    assert (group.state, group.lease_until) == ("failed", None)
    assert "There is no folder" in group.error
    assert groups_waiting(["local"])[0].group_id == asked[1].pk
    shutil.move(added.with_name("unmounted"), added)
    groups_ask(dataset=group.dataset, numbers=[0])
    assert group_index_asked(asked[0].pk) == "local"
    assert states() == ["ready", "pending"]


def test_shards_that_are_not_as_planned_are_not_indexed(asked: list[Group], added: Path) -> None:
    write_shard(added, "00000", samples(2, first=90))
    group_index_asked(asked[0].pk)
    assert (
        "1 shards are not here as they were planned, '00000'" in Group.objects.get(number=0).error
    )
    assert group_index_asked(asked[1].pk) == "local"
    assert states() == ["failed", "ready"]


def test_a_worker_that_lost_its_lease_stops_and_writes_nothing(
    asked: list[Group], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was thought dead while it slept; another has the group by now."""
    other = "2" * 32

    def robbed(*args: Any, **options: Any) -> Any:
        Group.objects.filter(pk=asked[0].pk).update(
            lease_token=other, lease_until=timezone.now() + dt.timedelta(seconds=20)
        )
        return build_group(*args, **options)

    monkeypatch.setattr(indexing, "build_group", robbed)
    source = Source(asked[0].dataset)
    outcome = group_index(group=asked[0], source=source, progress=lambda _: None)
    assert outcome.state == "held"
    group = Group.objects.get(pk=asked[0].pk)
    assert (group.state, group.lease_token and group.lease_token.hex) == ("pending", other)


def test_a_lost_lease_ends_the_work_at_the_next_batch(
    asked: list[Group], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lost:
        def __init__(self, *_: Any) -> None: ...

        def __enter__(self) -> threading.Event:
            event = threading.Event()
            event.set()
            return event

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(indexing, "lease_kept", Lost)
    found = group_index(group=asked[0], source=Source(asked[0].dataset), progress=lambda _: None)
    assert found == GroupOutcome(0, "held")
    assert not asked[0].path.exists()


def test_a_fault_of_ours_is_told_and_not_tried_for_ever(
    asked: list[Group], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "build_group", None)
    with pytest.raises(TypeError):
        group_index_asked(asked[0].pk)
    group = Group.objects.get(pk=asked[0].pk)
    assert (group.state, group.lease_until) == ("failed", None)
    assert group.error == "TypeError"  # its words may quote a row


def test_a_stopped_command_leaves_the_group_as_it_was(
    added: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(indexing, "build_group", stopped)
    with pytest.raises(KeyboardInterrupt):
        call_command("index_dataset", "sample")
    group = Group.objects.get()
    assert (group.state, group.lease_token, group.lease_until) == ("pending", None, None)


class Minutes:
    """A clock that runs while workers are waited for, and what happens meanwhile."""

    def __init__(self, *happens: Any) -> None:
        self.now = 0.0
        self.happens = list(happens)

    def sleep(self, _: float) -> None:
        self.now += 10
        if self.happens:
            self.happens.pop(0)()

    def watch(self, dataset: Dataset) -> Any:
        return Watch(dataset, [0, 1], clock=lambda: self.now, sleep=self.sleep).run()


def test_the_command_shows_how_far_workers_are_and_ends_with_them(
    asked: list[Group], capsys: pytest.CaptureFixture[str]
) -> None:
    minutes = Minutes(*(lambda pk=group.pk: group_index_asked(pk) for group in asked))
    progress = minutes.watch(asked[0].dataset)
    assert (progress.ready, progress.rows, progress.over) == (2, 12, True)
    told = capsys.readouterr().err
    assert "2 waiting" in told
    assert "12.0/12.0" in told
    assert "row/s" in told


def test_rows_under_way_count_and_dead_workers_do_not_run(asked: list[Group]) -> None:
    Group.objects.filter(pk=asked[0].pk).update(
        lease_token="1" * 32, lease_until=timezone.now() + dt.timedelta(seconds=20), rows_indexed=3
    )
    progress = groups_progress(dataset=asked[0].dataset, numbers=[0, 1])
    assert (progress.rows, progress.running, progress.waiting) == (3, 1, 1)
    killed(asked[0])
    progress = groups_progress(dataset=asked[0].dataset, numbers=[0, 1])
    assert (progress.running, progress.waiting) == (0, 2)


def test_without_a_worker_the_command_says_so_after_a_minute(asked: list[Group]) -> None:
    minutes = Minutes()
    with pytest.raises(NobodyIndexes, match=r"No worker serves the store 'local'.*UNLIST_STORES"):
        minutes.watch(asked[0].dataset)
    assert 60 < minutes.now < 120
    assert len(groups_waiting(["local"])) == 2  # asked for all the same


def test_the_command_hints_again_where_no_scheduler_runs(
    asked: list[Group], sent: list[tuple[int, str]]
) -> None:
    minutes = Minutes()
    with pytest.raises(NobodyIndexes):
        minutes.watch(asked[0].dataset)
    assert sent.count((asked[0].pk, "index.local")) >= 3


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that takes each message at once."""
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0)
    monkeypatch.setattr(
        tasks.index_group, "apply_async", lambda *, args, **_: tasks.index_group(*args)
    )


def test_the_command_from_asking_to_the_end(
    added: Path, settings: Any, eager: None, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"group_rows": 6})
    call_command("index_dataset", "sample", distributed=True)
    told = capsys.readouterr().out
    assert "Asked the workers of 'local' for 2 groups" in told
    assert "10 of 12 rows can be searched, 2 of 2 groups are ready" in told
    call_command("index_dataset", "sample", distributed=True)
    assert "for 0 groups" in capsys.readouterr().out


def test_failed_groups_are_reported_with_their_reasons(
    added: Path, eager: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full_disk(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(indexing, "build_group", full_disk)
    with pytest.raises(CommandError, match="1 groups failed"):
        call_command("index_dataset", "sample", distributed=True)
    assert "1 groups failed (0): No space left on device" in capsys.readouterr().err
    monkeypatch.undo()


def test_watching_may_be_stopped(added: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Watch) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Watch, "run", interrupted)
    with pytest.raises(CommandError, match="The workers go on"):
        call_command("index_dataset", "sample", distributed=True)
    assert len(groups_waiting(["local"])) == 1


def leased(group: Group, seconds: float) -> None:
    Group.objects.filter(pk=group.pk).update(
        lease_token="1" * 32, lease_until=timezone.now() + dt.timedelta(seconds=seconds)
    )


def test_a_group_that_a_worker_has_is_left_to_it(
    asked: list[Group], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    leased(asked[0], 300)
    source, waited = Source(asked[0].dataset), []

    def renewed(seconds: float) -> None:
        waited.append(seconds)
        leased(asked[0], 300)

    found = groups_index(groups=asked, source=source, progress=lambda _: None, sleep=renewed)
    assert [outcome.state for outcome in found] == ["held", "indexed"]
    assert 20 <= waited[0] < 21
    monkeypatch.setattr("catalog.indexing_here._seconds_left", lambda _: 0)
    call_command("index_dataset", "sample")
    assert states() == ["pending", "ready"]
    assert "1 groups are being indexed by another process" in capsys.readouterr().out


def test_the_group_of_a_run_that_was_killed_is_waited_for(asked: list[Group]) -> None:
    """Its lease outlives it by some seconds; the next run once left its group undone."""
    leased(asked[0], 2)
    call_command("index_dataset", "sample")
    assert states() == ["ready", "ready"]
