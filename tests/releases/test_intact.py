import json
from pathlib import Path

import pytest

from releases import places
from releases.intact import published_check
from releases.repository import ListRepository
from tests.releases.conftest import out

pytestmark = pytest.mark.django_db


def test_published_files_that_changed_are_found(root: Path) -> None:
    out(1)
    repository = ListRepository.reader(places.repository_dir())
    targets = repository.list_targets("public")
    repository.target_path(targets["lists/public/1/keys-url.parquet"]).write_bytes(b"x")
    repository.target_path(targets["lists/public/1/manifest.json"]).unlink()
    assert sorted(published_check(places.repository_dir())) == [
        "lists/public/1/keys-url.parquet is not what was signed",
        "lists/public/1/manifest.json is missing",
    ]


@pytest.mark.parametrize("name", ["1.public.json", "1.snapshot.json", "timestamp.json"])
def test_published_metadata_that_changed_is_found(root: Path, name: str) -> None:
    out(1)
    path = places.repository_dir() / "metadata" / name
    altered = json.loads(path.read_bytes())
    altered["signed"]["expires"] = "2099-01-01T00:00:00Z"
    path.write_text(json.dumps(altered))
    assert any(
        "not signed by its role" in fault for fault in published_check(places.repository_dir())
    )
    path.write_bytes(b"{")
    assert published_check(places.repository_dir())
