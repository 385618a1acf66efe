import json
from pathlib import Path
from typing import Any

import pytest

from releases import freeze, places
from releases.build import release_build
from releases.models import Release
from releases.repository import ListRepository
from releases.verify import ReleaseUnknown, release_verify
from removal.models import AuditEntry
from tests.releases.conftest import listed, out
from tests.removal import factories
from unlist.keyfile import keyfile_read, keyfile_write

pytestmark = pytest.mark.django_db


def folder(number: int = 1) -> Path:
    return places.release_dir("public", number)


def differences(number: int = 1) -> list[str]:
    return release_verify(number=number).differences


def input_change(**changes: Any) -> None:
    path = folder() / "input.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_release_is_what_its_input_gives(root: Path) -> None:
    out(1, 2)
    out(3)
    for number in (1, 2):
        report = release_verify(number=number)
        assert (report.compared, report.differences) == ("every byte the same", [])


@pytest.mark.parametrize("name", ["keys-url.parquet", "manifest.json"])
def test_every_changed_byte_is_found(name: str) -> None:
    listed(1, 2)
    release_build()
    path = folder() / name
    data = path.read_bytes()
    for place in (0, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert differences() == [f"{name} differs from what the frozen input gives"]


def test_a_file_too_few_or_too_many_is_found() -> None:
    listed(1)
    release_build()
    (folder() / "keys-url.parquet").rename(folder() / "keys-more.parquet")
    assert differences() == [
        "keys-url.parquet is missing",
        "keys-more.parquet does not belong to the release",
    ]


def test_a_damaged_input_is_named() -> None:
    listed(1)
    release_build()
    ledger = (folder() / "ledger.parquet").read_bytes()
    (folder() / "ledger.parquet").write_bytes(ledger + b"!")
    assert differences() == [
        "the frozen input: ledger.parquet is not the one that input.json names."
    ]
    (folder() / "ledger.parquet").unlink()
    assert differences() == ["the frozen input: ledger.parquet cannot be read."]
    (folder() / "input.json").write_text("{}")
    assert "input.json is not a frozen input" in differences()[0]


def test_an_input_of_other_facts_gives_another_manifest() -> None:
    listed(1)
    release_build()
    input_change(created_on="2020-01-01")
    assert differences() == ["manifest.json differs from what the frozen input gives"]


def test_other_writers_are_compared_by_keys_and_roots() -> None:
    listed(1, 2)
    release_build()
    input_change(writers={"unlist": "0.0.1", "pyarrow": "1.0"})
    report = release_verify(number=1)
    assert (report.differences, "other writers" in report.compared) == ([], True)

    path = folder() / "keys-url.parquet"
    keyfile_write(path, keyfile_read(path)[:1])
    assert differences() == [
        "keys-url.parquet is not the file that the manifest names",
        "keys-url.parquet holds other keys than the frozen input",
    ]
    path.write_bytes(b"x")
    assert "keys-url.parquet cannot be read" in differences()[0]
    input_change(release=2)
    assert "manifest.json: release differs from what the frozen input gives" in differences()
    (folder() / "manifest.json").write_text("x")
    assert "manifest.json cannot be read" in differences()[0]


def test_a_release_that_was_replaced_whole_is_found_by_what_names_it(root: Path) -> None:
    factories.decided()
    release_build()
    out(1)
    Release.objects.filter(number=1).update(manifest_sha256="0" * 64)
    assert "the database names another manifest" in differences()[0]
    Release.objects.filter(number=1).delete()
    head = freeze.input_read(folder(1))[0].audit_head
    AuditEntry.objects.filter(seq=head.seq).update(digest=bytes(32))
    assert "the audit log's entry" in differences()[0]

    repository = ListRepository.reader(places.repository_dir())
    target = repository.list_targets("public")["lists/public/1/manifest.json"]
    repository.target_path(target).unlink()
    assert "the published copy of manifest.json is missing" in differences()


def test_a_release_that_follows_another_than_it_says_is_found() -> None:
    listed(1)
    release_build()
    listed(2)
    release_build()
    path = folder(1) / "manifest.json"
    path.write_bytes(path.read_bytes() + b" ")
    assert differences(2) == ["it follows another release 1 than the one that lies here"]


def test_a_release_that_there_is_not_is_named() -> None:
    with pytest.raises(ReleaseUnknown, match="no release 7"):
        release_verify(number=7)
