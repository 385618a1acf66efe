"""Indexing: what is told, what is resumed, what is refused."""

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from catalog.locks import indexing_lock
from catalog.models import Dataset, Group
from catalog.selectors import datasets_covered
from indexer.group.build import build_group
from indexer.prepare.batches import prepare
from shards import ShardFacts, ShardReader, open_dataset
from tests.shards.factories import Sample, samples, write_dataset, write_shard

pytestmark = pytest.mark.django_db


def index(**options: Any) -> None:
    call_command("index_dataset", "sample", **options)


def small_groups(settings: Any) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"group_rows": 6})


def test_rows_and_refusals_are_told(added: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    index()
    told = capsys.readouterr()
    assert "rows indexed: 10\n" in told.out
    assert "rows refused: 2\n" in told.out
    assert "failed_to_download" in told.out
    assert "10 of 12 rows can be searched, 1 of 1 groups are ready" in told.out
    assert "row/s" in told.err
    assert "12/12" in told.err


def test_a_picture_that_cannot_be_decoded_is_told_and_not_fatal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shard(tmp_path, "00000", [*samples(2), Sample("9", b"no picture at all")])
    call_command("add_dataset", "sample", format="img2dataset", path=str(tmp_path))
    capsys.readouterr()
    index()
    told = capsys.readouterr().out
    assert "rows indexed: 3" in told
    assert "found by digest and URL alone" in told


def test_groups_can_be_done_a_few_at_a_time(added: Path, settings: Any) -> None:
    small_groups(settings)
    index(limit_groups=1)
    assert [group.state for group in Group.objects.all()] == ["ready", "pending"]
    index()
    assert [group.state for group in Group.objects.all()] == ["ready", "ready"]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(added: Path, limit: int) -> None:
    with pytest.raises(CommandError, match="give a number from 1"):
        index(limit_groups=limit)
    assert not Group.objects.exists()


def test_nothing_is_done_twice(
    indexed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("catalog.indexing.build_group", None)
    index()
    assert "10 of 12 rows can be searched" in capsys.readouterr().out


def test_a_complete_directory_that_the_database_does_not_know_is_adopted(
    indexed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Group.objects.update(state=Group.State.PENDING, manifest_sha256="", rows_indexed=0)
    monkeypatch.setattr("catalog.indexing.build_group", None)
    index()
    group = Group.objects.get()
    assert (group.state, group.rows_indexed) == ("ready", 10)
    assert len(group.manifest_sha256) == 64
    assert "complete on disk already" in capsys.readouterr().out


def test_a_directory_of_other_shards_is_not_adopted(indexed: Path) -> None:
    before = Group.objects.get().manifest_sha256
    Group.objects.update(state=Group.State.PENDING)
    shutil.rmtree(indexed)
    write_dataset(indexed, shards=2, rows=3)
    index()
    group = Group.objects.get()
    assert (group.state, group.rows_indexed) == ("ready", 6)
    assert group.manifest_sha256 != before


def test_a_damaged_directory_is_built_again(indexed: Path) -> None:
    group = Group.objects.get()
    Group.objects.update(state=Group.State.FAILED, error="damaged")
    for file in group.path.iterdir():
        if file.name != "index.json":
            file.write_bytes(b"\0" * file.stat().st_size)
    index()
    again = Group.objects.get()
    assert (again.state, again.error) == ("ready", "")
    assert again.manifest_sha256 == group.manifest_sha256


def test_a_lost_directory_is_built_again(indexed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(Group.objects.get().path)
    index()
    assert "1 groups have lost their index" in capsys.readouterr().out
    assert Group.objects.get().path.is_dir()


def test_shards_that_changed_are_told_of_and_indexed_again_on_demand(
    indexed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shard(indexed, "00001", samples(3, first=50))
    capsys.readouterr()
    index()
    told = capsys.readouterr().out
    assert "1 shards have changed since planning: 00001" in told
    assert "--changed" in told
    assert datasets_covered()[0].rows_indexed == 10
    index(changed=True)
    assert datasets_covered()[0].rows_indexed == 8


def test_new_shards_are_covered_by_the_next_run(indexed: Path) -> None:
    write_shard(indexed, "00007", samples(3, first=70_000))
    index()
    (one,) = datasets_covered()
    assert (one.rows, one.rows_indexed, one.groups) == (15, 13, 2)


def test_a_group_that_fails_is_marked_and_the_others_go_on(
    added: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_groups(settings)
    real = build_group

    def full_disk(out: Path, *args: Any, **options: Any) -> Any:
        if options["group"] == 0:
            raise OSError(28, "No space left on device")
        return real(out, *args, **options)

    monkeypatch.setattr("catalog.indexing.build_group", full_disk)
    with pytest.raises(CommandError, match="1 groups failed"):
        index()
    first, second = Group.objects.all()
    assert (first.state, second.state) == ("failed", "ready")
    assert "No space left" in first.error
    monkeypatch.setattr("catalog.indexing.build_group", real)
    index()
    assert set(Group.objects.values_list("state", "error")) == {("ready", "")}


def test_a_disk_that_fails_under_the_reading_costs_no_row_for_good(
    added: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        """Reads as the real one does, but that the disk is away once, at the second shard."""

        def __init__(self, real: ShardReader) -> None:
            self.shards, self._real, self._away = real.shards, real, True

        def batches(self, shard: ShardFacts, *, refused: Counter[str]) -> Iterator[Any]:
            if shard.name == "00001" and self._away:
                self._away = False
                refused["tar_unreadable"] += 1
                return
            yield from self._real.batches(shard, refused=refused)

    real = open_dataset
    monkeypatch.setattr(
        "catalog.source.open_dataset", lambda *args, **options: Failing(real(*args, **options))
    )
    with pytest.raises(CommandError, match="1 groups failed"):
        index()
    assert "reads otherwise the second time" in Group.objects.get().error
    monkeypatch.setattr("catalog.source.open_dataset", real)
    index()
    assert (Group.objects.get().state, Group.objects.get().rows_indexed) == ("ready", 10)


def test_a_disk_that_stays_away_fails_the_group(
    added: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unmounted(*args: Any, **options: Any) -> Any:
        shutil.rmtree(added, ignore_errors=True)
        return prepare(*args, **options)

    monkeypatch.setattr("catalog.indexing.prepare", unmounted)
    with pytest.raises(CommandError, match="1 groups failed"):
        index()
    assert "not here as they were planned" in Group.objects.get().error


def test_a_shard_that_is_damaged_costs_itself_only(added: Path) -> None:
    archive = added / "00001.tar"
    archive.write_bytes(archive.read_bytes()[:6000])
    index()
    group = Group.objects.get()
    assert group.state == "ready"
    assert 5 < group.rows_indexed < 10
    assert group.refused["tar_cut_short"] == 1


def test_two_runs_at_once_are_refused(added: Path) -> None:
    with (
        indexing_lock("sample"),
        pytest.raises(CommandError, match="Another process is indexing"),
    ):
        index()


def test_an_unknown_dataset_is_refused_naming_the_known(added: Path) -> None:
    with pytest.raises(CommandError, match="no dataset 'other'; known are: sample"):
        call_command("index_dataset", "other")


def test_a_dataset_whose_folder_is_gone_is_refused(added: Path) -> None:
    shutil.rmtree(added)
    with pytest.raises(CommandError, match="There is no folder"):
        index()
    assert not Group.objects.exists()


def test_an_encoder_that_cannot_be_had_is_refused(added: Path) -> None:
    Dataset.objects.update(encoder="no-such-model/nowhere")
    with pytest.raises(CommandError, match="no-such-model"):
        index()
    assert not Group.objects.filter(state="ready").exists()
