"""Adding datasets, and telling how far they are covered."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from catalog.models import Dataset, Group
from catalog.selectors import datasets_covered, encoders_in_use, groups_ready
from indexer.storage.manifest import EncoderFacts
from tests.shards.factories import write_images
from tests.shards.makers import (
    MAKERS,
    write_clip_retrieval,
    write_datacomp,
    write_laion,
    write_parquet,
)

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
        ({"format": "laion"}, "tar shards too"),
        ({"format": "tsv"}, "no .tsv file"),
        ({"format": "bogus"}, "it reads: img2dataset, laion, clip-retrieval"),
        ({"path": "/nowhere/at/all"}, "There is no folder"),
        ({"encoder": "ViT-L-14"}, "model/pretrained tag"),
        ({"encoder": "ViT-L-14/nobody"}, "There is no encoder 'ViT-L-14/nobody'"),
        ({"store": "../disk"}, "A store's name is"),
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


@pytest.mark.parametrize("form", MAKERS)
def test_every_form_is_taken_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name, encoder, write = MAKERS[form]
    folder = write(tmp_path / "dataset")
    options = {"format": name, "path": str(folder), "store": "disk-2"}
    if name in ("clip-retrieval", "datacomp"):
        options["encoder"] = encoder or "ViT-B-16/openai"
        dim = 12 if encoder else 16
        monkeypatch.setattr(
            "indexer.encoder.load.encoder_facts", lambda name: EncoderFacts(name, "", dim)
        )
    call_command("add_dataset", "sample", **options)
    dataset = Dataset.objects.get()
    assert (dataset.format, dataset.store) == (name, "disk-2")
    assert dataset.rows == dataset.facts["rows"] > 0
    assert f"{name}: 2 shards" in capsys.readouterr().out


def test_published_embeddings_ask_for_their_encoder(tmp_path: Path) -> None:
    folder = write_clip_retrieval(tmp_path / "clip")
    with pytest.raises(CommandError, match=r"img_emb, 16 numbers each.*--encoder"):
        call_command("add_dataset", "sample", format="clip-retrieval", path=str(folder))


@pytest.mark.parametrize(
    ("write", "form", "words"),
    [
        (write_clip_retrieval, "clip-retrieval", "publishes img_emb, 16 numbers each"),
        (write_datacomp, "datacomp", "by ViT-B-32/openai and l14_img, 12 numbers each"),
    ],
)
def test_an_encoder_of_another_length_is_refused(
    tmp_path: Path, write: Callable[[Path], Path], form: str, words: str
) -> None:
    folder = write(tmp_path / "dataset")
    with pytest.raises(CommandError, match=f"gives 1,280 numbers .*{words}"):
        call_command(
            "add_dataset",
            "sample",
            format=form,
            path=str(folder),
            encoder="efficientnet-lite0/imagenet",
        )
    assert not Dataset.objects.exists()


def test_tables_without_anything_to_find_rows_by_are_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path / "0.parquet", {"TEXT": ["a picture"]})
    with pytest.raises(CommandError, match="No row of it could be found"):
        call_command("add_dataset", "sample", format="laion", path=str(tmp_path))


def test_tables_of_urls_need_no_encoder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("add_dataset", "sample", format="laion", path=str(write_laion(tmp_path / "l")))
    told = capsys.readouterr().out
    assert "2 shards, 10 rows" in told
    assert "digest     no   the tables record no sha256 or md5: rows are found by the URLs" in told


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
