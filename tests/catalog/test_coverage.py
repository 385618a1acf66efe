"""Adding datasets, and telling how far they are covered."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from catalog.models import Dataset, Group
from catalog.selectors import datasets_covered, encoders_in_use, groups_ready
from tests.shards.factories import write_images

pytestmark = pytest.mark.django_db


def test_add_dataset_says_what_it_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("add_dataset", "sample", format="img2dataset", path=str(folder), revision="r1")
    told = capsys.readouterr().out
    assert "2 shards, 12 rows" in told
    assert "caption, url, key, status, sha256" in told
    for signal in ("digest", "hash", "embedding", "geometry"):
        assert f"  {signal:<10} yes" in told
    assert "failed_to_download" in told
    dataset = Dataset.objects.get()
    assert (dataset.title, dataset.revision, dataset.rows) == ("sample", "r1", 12)
    assert dataset.facts["refused"] == {"failed_to_download": 2}


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(tmp_path / "pictures")
    monkeypatch.chdir(tmp_path)
    call_command("add_dataset", "sample", format="images", path="pictures")
    assert Dataset.objects.get().path == str(tmp_path / "pictures")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": "laion"}, "it reads: img2dataset, images"),
        ({"format": "bogus"}, "it reads: img2dataset, images"),
        ({"path": "/nowhere/at/all"}, "There is no folder"),
        ({"encoder": "ViT-L-14"}, "model/pretrained tag"),
    ],
)
def test_a_refusal_is_one_sentence_and_leaves_nothing(
    folder: Path, change: dict[str, str], sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command(
            "add_dataset", "sample", **{"format": "img2dataset", "path": str(folder)} | change
        )
    assert not Dataset.objects.exists()


@pytest.mark.parametrize("name", ["", "a b", "../up", "a/b", ".hidden", "x" * 101, "-a", "ü"])
def test_a_name_that_could_lead_elsewhere_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(CommandError, match="1 to 100 letters"):
        call_command("add_dataset", "--format=img2dataset", f"--path={folder}", "--", name)


def test_a_name_is_given_once(added: Path) -> None:
    with pytest.raises(CommandError, match="There is a dataset 'sample' already"):
        call_command("add_dataset", "sample", format="img2dataset", path=str(added))


def test_coverage_counts_what_can_be_searched(added: Path) -> None:
    dataset = Dataset.objects.get()
    for number, state in enumerate([Group.State.READY, Group.State.FAILED, Group.State.PENDING]):
        Group.objects.create(dataset=dataset, number=number, state=state, rows_indexed=5)
    (one,) = datasets_covered()
    assert (one.rows, one.rows_indexed, one.groups, one.groups_ready) == (12, 5, 3, 1)
    assert [group.number for group in groups_ready()] == [0]
    assert [group.number for group in groups_ready(["other"])] == []
    assert encoders_in_use() == [dataset.encoder]


def test_list_datasets_serves_eyes_and_programs(
    added: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    call_command("list_datasets")
    assert "0 of 12" in capsys.readouterr().out
    call_command("list_datasets", json=True)
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["name"], one["rows"], one["groups_ready"]) == ("sample", 12, 0)


def test_list_datasets_without_any_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("list_datasets")
    assert "add one with add_dataset" in capsys.readouterr().out
