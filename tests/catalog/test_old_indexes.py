"""Index directories of an earlier layout are refused by the search and built again."""

import json
from pathlib import Path

import pytest
from django.core.management import call_command

from catalog.models import Group
from catalog.search import group_search, match_photo
from indexer.query.fingerprint import fingerprint_url
from indexer.storage.manifest import MANIFEST_FILE, SCHEMA, GroupUnreadable
from tests.catalog.test_search import altered

pytestmark = pytest.mark.django_db


def test_an_index_of_an_earlier_layout_is_refused_then_built_again(indexed: Path) -> None:
    group = Group.objects.get()
    manifest = group.path / MANIFEST_FILE
    old = json.loads(manifest.read_text()) | {"schema": 1, "pictured": 10}
    manifest.write_text(json.dumps(old))
    with pytest.raises(GroupUnreadable, match=f"layout 1, this version reads {SCHEMA}.*index_data"):
        group_search(group, [fingerprint_url("https://example.org/2.jpg")], top=5)
    call_command("index_dataset", "sample")
    assert json.loads(manifest.read_text())["schema"] == SCHEMA
    assert match_photo(altered(2)).matches[0].key == "000000002"


def test_one_that_nobody_has_searched_yet_is_built_again_too(indexed: Path) -> None:
    manifest = Group.objects.get().path / MANIFEST_FILE
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"schema": 1}))
    call_command("index_dataset", "sample")
    assert json.loads(manifest.read_text())["schema"] == SCHEMA
    assert Group.objects.get().state == Group.State.READY
