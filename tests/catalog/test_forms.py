"""Every form of dataset, from its files to an index that can be searched."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from catalog.models import Dataset, Group
from indexer.group.index import IndexGroup
from tests.shards.makers import MAKERS, write_clip_retrieval

pytestmark = pytest.mark.django_db

_IMAGES = ("webdataset", "webdataset-gz", "webdataset-zst", "files", "parquet", "images")


def indexed(folder: Path, **options: Any) -> IndexGroup:
    call_command("add_dataset", "sample", path=str(folder), **options)
    call_command("index_dataset", "sample")
    group = Group.objects.get()
    assert group.state == Group.State.READY
    return IndexGroup.open(group.path)


@pytest.mark.parametrize(
    "form", [name for name in MAKERS if name not in ("datacomp", "clip-retrieval")]
)
def test_every_form_can_be_indexed(tmp_path: Path, form: str) -> None:
    name, _, write = MAKERS[form]
    counts = indexed(write(tmp_path / "dataset"), format=name).manifest.counts
    dataset = Dataset.objects.get()
    assert counts.rows == dataset.rows - sum(dataset.facts["refused"].values()) > 0
    assert counts.vectors == (counts.rows if form in _IMAGES else 0)


def test_published_embeddings_are_indexed_as_they_are(tmp_path: Path) -> None:
    folder = write_clip_retrieval(tmp_path / "dataset", dim=1280)
    group = indexed(folder, format="clip-retrieval", encoder="efficientnet-lite0/imagenet")
    assert group.manifest.counts.vectors == group.manifest.counts.rows == 10
