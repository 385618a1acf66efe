"""Rows removed since they were indexed are found by nothing, until they are unmasked."""

from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from catalog.masking import keys_mask, keys_unmask, masked_path, rows_masked
from catalog.models import Dataset, Group
from catalog.search import group_search, match_photo, photo_fingerprint
from indexer.group.index import IndexGroup
from indexer.query.fingerprint import fingerprint_url
from indexer.storage.manifest import GroupUnreadable
from tests.catalog.test_search import altered
from tests.shards.factories import picture
from unlist.keyfile import keyfile_write
from unlist.keys import Keys, row_key

pytestmark = pytest.mark.django_db

URL = "https://example.org/2.jpg"


def key(url: str = URL) -> Keys:
    return np.frombuffer(row_key("url", url), "V16")


def found(data: bytes) -> set[str]:
    return {match.key for match in match_photo(data, datasets=["sample"]).matches}


def mask_rows(*arguments: object, **options: object) -> str:
    out = StringIO()
    call_command("mask_rows", "sample", *arguments, stdout=out, **options)
    return out.getvalue()


def test_a_masked_row_is_found_by_nothing_until_it_is_unmasked(indexed: Path) -> None:
    dataset, group = Dataset.objects.get(), Group.objects.get()
    queries = [
        photo_fingerprint(picture(2), [dataset.encoder]),
        photo_fingerprint(altered(2), [dataset.encoder]),
        fingerprint_url(URL),
    ]

    def keys_found() -> list[set[str]]:
        hits = group_search(group, queries, top=20)
        return [{one.row.key for one in hit.candidates} for hit in hits]

    assert all("000000002" in keys for keys in keys_found())
    assert keys_mask(dataset=dataset, keys=key()) == 1
    assert not any("000000002" in keys for keys in keys_found())
    assert keys_mask(dataset=dataset, keys=key("https://example.org/3.jpg")) == 2
    assert keys_unmask(dataset=dataset, keys=key()) == 1
    assert all("000000002" in keys for keys in keys_found())


def test_masks_outlive_a_new_index(indexed: Path) -> None:
    group = Group.objects.get()
    keys_mask(dataset=group.dataset, keys=key())
    assert "000000002" not in found(altered(2))
    (group.path / "rows.arrow").unlink()
    call_command("index_dataset", "sample")
    assert "000000002" not in found(altered(2))
    assert "000000003" in found(altered(3))


def test_a_mask_that_cannot_be_read_stops_the_search(indexed: Path) -> None:
    group = Group.objects.get()
    masked_path("sample").write_bytes(b"half a file")
    with pytest.raises(GroupUnreadable, match="run mask_rows again"):
        group_search(group, [fingerprint_url(URL)], top=5)
    with pytest.raises(GroupUnreadable):
        keys_mask(dataset=group.dataset, keys=key())


def test_a_change_is_seen_at_once_by_who_has_the_group_open(indexed: Path) -> None:
    group = Group.objects.get()
    opened = IndexGroup.open(group.path)
    assert rows_masked(group, opened).tolist() == []
    seen = []
    for number in (2, 3, 2):
        keyfile(masked_path("sample"), f"https://example.org/{number}.jpg")
        seen += rows_masked(group, opened).tolist()
    assert seen == [2, 3, 2]


def keyfile(path: Path, *urls: str) -> Path:
    path.unlink(missing_ok=True)
    keyfile_write(path, [row_key("url", url) for url in urls])
    return path


def test_the_command_takes_a_key_file_or_text(indexed: Path, tmp_path: Path) -> None:
    keys = keyfile(tmp_path / "keys.parquet", URL, "https://example.org/elsewhere.jpg")
    assert mask_rows(keys=keys) == "2 row keys are masked; they hide 1 rows in 1 groups.\n"
    assert "000000002" not in found(altered(2))
    text = tmp_path / "keys.txt"
    text.write_text(row_key("url", URL).hex() + "\n\n")
    assert mask_rows("--unmask", keys=text).startswith("1 row keys are masked; they hide 0 rows")
    assert "000000002" in found(altered(2))


def test_the_command_refuses_in_a_sentence(indexed: Path, tmp_path: Path) -> None:
    text = tmp_path / "keys.txt"
    text.write_text("no key\n")
    with pytest.raises(CommandError, match="32 hex digits"):
        mask_rows(keys=text)
    with pytest.raises(CommandError, match="No such file"):
        mask_rows(keys=tmp_path / "nowhere.txt")
    with pytest.raises(CommandError, match="pull"):
        mask_rows(pulled=tmp_path / "nothing")
    with pytest.raises(CommandError, match="known are: sample"):
        call_command("mask_rows", "other", keys=text)
    assert not masked_path("sample").exists()
