import json
import shutil
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from releases import freeze, locks, places
from releases.build import NothingToRelease, release_build, release_plan
from releases.models import ListEntry, Release
from releases.produce import files_make
from releases.publish import releases_publish
from releases.verify import folder_verify
from removal.audit import audit_head
from tests.releases.conftest import listed
from tests.removal import factories
from unlist import durable
from unlist.keyfile import keyfile_read, keyset_sha256, tree_leaves
from unlist.keys import row_key
from unlist.manifest import Manifest, manifest_load
from unlist.merkle import tree_root

pytestmark = pytest.mark.django_db


def folder(number: int) -> Path:
    return places.release_dir("public", number)


def manifest(number: int) -> Manifest:
    return manifest_load((folder(number) / "manifest.json").read_bytes())


def test_a_release_holds_the_ledger_and_says_so_in_every_field() -> None:
    factories.catalog_group(rows=123)
    listed(1, 2, 3)
    release = release_build()
    made = json.loads((folder(1) / "manifest.json").read_bytes())
    assert made["format"] == "unlist-release/1"
    assert (made["list"], made["release"]) == ("public", 1)
    assert made["previous_manifest_sha256"] is None
    assert made["audit_head"] == audit_head().digest
    assert made["datasets"] == [{"name": "sample", "revision": None, "rows": 123}]
    assert [(f["path"], f["kind"], f["tier"], f["bits"], f["rows"]) for f in made["files"]] == [
        ("keys-md5.parquet", "md5", "exact", None, 2),
        ("keys-sha256.parquet", "sha256", "exact", None, 3),
        ("keys-url.parquet", "url", "exact", None, 3),
    ]
    assert made["counts"] == {"entries": 8, "added": 8, "withdrawn": 0}
    assert (made["collateral"], made["deltas"]) == (None, [])
    assert made["valid_until"] > made["created_on"]
    assert (release.entries, release.added, release.state) == (8, 8, "built")


def test_digests_are_those_of_the_published_values() -> None:
    listed(*range(50))
    release_build()
    facts = manifest(1)
    read = {file.path: keyfile_read(folder(1) / file.path) for file in facts.files}
    leaves = tree_leaves((file.path, file.kind, read[file.path]) for file in facts.files)
    assert facts.keyset_sha256 == keyset_sha256(read.items())
    assert facts.tree.root == tree_root(leaves).hex()
    assert set(read["keys-url.parquet"].tolist()) == {
        row_key("url", f"https://example.org/{n}.jpg") for n in range(50)
    }


def test_duckdb_reads_a_key_file_and_finds_a_url_by_the_documented_sql() -> None:
    listed(*range(50))
    release_build()
    path = folder(1) / "keys-url.parquet"
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    assert (column.physical_type, column.compression) == ("FIXED_LEN_BYTE_ARRAY", "ZSTD")
    assert set(column.encodings) <= {"PLAIN", "RLE"}
    sql = "unhex(substr(sha256('unlist/1/url' || chr(10) || 'https://example.org/7.jpg'), 1, 32))"
    assert duckdb.read_parquet(str(path)).filter(f"key = {sql}").shape == (1, 1)


def test_the_next_release_counts_what_came_and_what_went_and_names_the_one_before() -> None:
    listed(2, 4)
    first = release_build()
    listed(6)
    gone = ListEntry.objects.filter(kind="url", key=row_key("url", "https://example.org/2.jpg"))
    assert gone.delete()[0] == 1
    second = release_build()
    assert (second.number, second.entries, second.added, second.withdrawn) == (2, 5, 2, 1)
    assert manifest(2).previous_manifest_sha256 == first.manifest_sha256


def test_with_nothing_new_there_is_no_release() -> None:
    with pytest.raises(NothingToRelease, match="no row is on the list"):
        release_build()
    listed(2)
    release_build()
    with pytest.raises(NothingToRelease, match="release 1"):
        release_build()
    assert Release.objects.count() == 1
    assert not folder(2).exists()


def test_a_request_whose_rows_are_listed_already_still_gets_a_release() -> None:
    factories.decided()
    assert release_build().added > 0
    factories.decided()  # the same rows, asked for by someone else
    again = release_build()
    assert (again.number, again.added) == (2, 0)
    with pytest.raises(NothingToRelease):
        release_build()


def test_a_plan_writes_nothing() -> None:
    listed(1)
    assert release_plan().frozen.ledger.rows == 3
    assert not places.list_dir("public").exists()
    assert not Release.objects.exists()


def test_the_same_input_gives_the_same_bytes_anywhere(tmp_path: Path) -> None:
    listed(*range(30))
    release_build()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in places.INPUT_NAMES:
        shutil.copy(folder(1) / name, elsewhere)
    files_make(*freeze.input_read(elsewhere), elsewhere)
    assert {path.name: path.read_bytes() for path in elsewhere.iterdir()} == {
        path.name: path.read_bytes() for path in folder(1).iterdir()
    }
    ListEntry.objects.all().delete()  # the database is not asked any more
    report = folder_verify(elsewhere)
    assert (report.differences, report.compared) == ([], "every byte the same")


def test_the_frozen_input_holds_no_day_of_an_entry() -> None:
    listed(1, 2)
    release_build()
    assert pq.read_table(folder(1) / "ledger.parquet").column_names == ["tier", "kind", "key"]


def test_a_build_killed_before_its_row_is_finished_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed(1)
    with monkeypatch.context() as patch:
        patch.setattr("releases.build._record", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            release_build()
    assert folder(1).is_dir()
    assert not Release.objects.exists()
    listed(2)
    before = (folder(1) / "manifest.json").read_bytes()
    assert release_build().number == 1
    assert (folder(1) / "manifest.json").read_bytes() == before
    assert release_build().number == 2


def test_a_build_killed_halfway_leaves_nothing_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    listed(1)
    with monkeypatch.context() as patch:
        patch.setattr(durable, "folder_place", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            release_build()
    assert not folder(1).exists()
    assert release_build().number == 1
    assert [path.name for path in places.list_dir("public").iterdir()] == ["1"]


def test_two_at_once_are_refused(keys: None) -> None:
    listed(1)
    with locks.held(places.lock_path()):
        with pytest.raises(locks.AlreadyRunning, match="wait until it has ended"):
            release_build()
        with pytest.raises(locks.AlreadyRunning):
            releases_publish()
    assert release_build().number == 1


def test_a_list_that_there_is_not_is_refused() -> None:
    with pytest.raises(places.ListUnknown, match="public"):
        release_plan(list_name="../secrets")
