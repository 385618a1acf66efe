"""Taking a dataset out again."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from catalog.locks import indexing_lock
from catalog.models import Dataset, Group, indexes_path
from catalog.signals import dataset_leaving
from tests.shards.factories import write_images
from tests.shards.reader_contract import files_in

pytestmark = pytest.mark.django_db


def test_indexes_go_and_the_datasets_files_stay(
    indexed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in files_in(indexed)}
    assert indexes_path("sample").is_dir()
    capsys.readouterr()
    call_command("remove_dataset", "sample")
    assert capsys.readouterr().out == "Took out sample: 1 groups and their indexes.\n"
    assert not indexes_path("sample").exists()
    assert not Dataset.objects.exists()
    assert not Group.objects.exists()
    assert {path: path.read_bytes() for path in files_in(indexed)} == before


def test_other_datasets_stay(indexed: Path, tmp_path: Path) -> None:
    folder = write_images(tmp_path / "more")
    call_command("add_dataset", "more", format="images", path=str(folder))
    call_command("remove_dataset", "more")
    assert indexes_path("sample").is_dir()
    assert [dataset.name for dataset in Dataset.objects.all()] == ["sample"]


def test_a_name_that_was_taken_out_may_be_used_again(indexed: Path, tmp_path: Path) -> None:
    call_command("remove_dataset", "sample")
    folder = write_images(tmp_path / "other")
    call_command("add_dataset", "sample", format="images", path=str(folder))
    assert Dataset.objects.get().format == "images"


def test_an_objection_leaves_everything_as_it_is(indexed: Path) -> None:
    def object_(**_: Any) -> str:
        return "Somebody waits for it until tomorrow."

    dataset_leaving.connect(object_)
    try:
        with pytest.raises(CommandError, match="'sample' cannot be taken out now: Somebody waits"):
            call_command("remove_dataset", "sample")
    finally:
        dataset_leaving.disconnect(object_)
    assert Dataset.objects.get().groups.count() == 1
    assert (indexes_path("sample") / "0").is_dir()


def test_a_run_that_was_killed_half_way_is_finished_by_the_next(indexed: Path) -> None:
    Group.objects.all().delete()
    Dataset.objects.all().delete()
    call_command("remove_dataset", "sample")
    assert not indexes_path("sample").exists()
    with pytest.raises(CommandError, match="sample"):
        call_command("remove_dataset", "sample")


def test_a_dataset_that_is_being_indexed_is_not_taken_out(indexed: Path) -> None:
    with indexing_lock("sample"), pytest.raises(CommandError, match="is indexing 'sample' now"):
        call_command("remove_dataset", "sample")
    assert Dataset.objects.exists()
