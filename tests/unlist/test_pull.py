"""Pulling: what is accepted, and every list that is refused, with the cache left as it was."""

import functools
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Targets

from tests.unlist.publisher import Listed, Publisher, days_ago
from unlist import Blocklist, ListUnavailable
from unlist.cache import ListCache
from unlist.client import Pulled, pull
from unlist.manifest import ListFile
from unlist.refusals import (
    CacheDamaged,
    ListDamaged,
    ListExpired,
    ListForged,
    ListNotUnderstood,
    ListRolledBack,
    ListUnknown,
    ListUnreachable,
    NothingPulled,
    RootUnusable,
)

LISTED: Listed = {"url": ["https://a.example/1.jpg", "https://a.example/2.jpg"], "md5": ["ab" * 16]}


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def pulled(publisher: Publisher, cache: Path) -> Pulled:
    return pull(str(publisher.folder), publisher.root, cache=cache)


def refused(publisher: Publisher, cache: Path, kind: type[ListUnavailable]) -> str:
    """Pull, see it refused and the cache left as it was; gives the sentence."""
    before = files_in(cache)
    with pytest.raises(kind) as caught:
        pulled(publisher, cache)
    assert type(caught.value) is kind
    assert files_in(cache) == before
    assert before or not cache.exists()
    return str(caught.value)


def test_pull_brings_the_current_release(publisher: Publisher, cache: Path) -> None:
    publisher.release(1, LISTED, created_on=days_ago(3))
    got = pulled(publisher, cache)
    assert (got.list, got.release, got.entries, got.age_days) == ("public", 1, 3, 3)
    assert got.changed
    assert abs(got.fresh_until - publisher.expires["timestamp"]) < timedelta(seconds=2)
    assert Blocklist.open(cache).lists("url", "https://a.example/1.jpg")


def test_pull_follows_to_the_highest_release(publisher: Publisher, cache: Path) -> None:
    for number in range(1, 11):
        publisher.release(number, {"url": [f"https://a.example/{n}" for n in range(number)]})
    assert pulled(publisher, cache).release == 10  # not "9", which is the last in text order
    assert not pulled(publisher, cache).changed
    publisher.release(11, LISTED)
    assert pulled(publisher, cache).release == 11
    assert len([p for p in (cache / "public").iterdir() if p.is_dir()]) == 2  # old one for readers


def test_files_that_did_not_change_are_not_fetched_again(publisher: Publisher, cache: Path) -> None:
    publisher.release(1, LISTED)
    pulled(publisher, cache)
    publisher.release(2, {**LISTED, "url": ["https://a.example/3.jpg"]})
    for held in (publisher.folder / "targets").rglob("*keys-md5.parquet"):
        held.unlink()
    assert pulled(publisher, cache).release == 2
    assert Blocklist.open(cache).lists("md5", "AB" * 16)


@pytest.fixture
def site(publisher: Publisher) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(publisher.folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_pull_over_http(publisher: Publisher, cache: Path, site: str) -> None:
    publisher.release(1, LISTED)
    assert pull(site, publisher.root, cache=cache).release == 1
    assert len(Blocklist.pull(site, publisher.root, cache=cache)) == 3


def test_an_address_that_does_not_answer(publisher: Publisher, cache: Path, site: str) -> None:
    with pytest.raises(ListUnreachable, match="could not be fetched"):
        pull(f"{site}elsewhere/", publisher.root, cache=cache)
    assert not cache.exists()


def test_a_folder_that_is_not_there(publisher: Publisher, cache: Path, tmp_path: Path) -> None:
    with pytest.raises(ListUnreachable, match="neither an http"):
        pull(str(tmp_path / "nowhere"), publisher.root, cache=cache)
    assert pulled_from_uri(publisher, cache) == 1


def pulled_from_uri(publisher: Publisher, cache: Path) -> int:
    publisher.release(1, LISTED)
    return pull(publisher.folder.as_uri(), publisher.root, cache=cache).release


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "list", "root"])
@pytest.mark.parametrize("first", [True, False], ids=["first-pull", "later-pull"])
def test_expired(tmp_path: Path, cache: Path, role: str, first: bool) -> None:
    publisher = Publisher(tmp_path / "site")
    if not first:
        publisher.release(1, LISTED)
        pulled(publisher, cache)
    publisher.expires[role] = datetime.now(UTC) - timedelta(days=1)
    if role == "root":
        publisher._root()
        (publisher.folder / "metadata" / "1.root.json").touch()
    publisher.release(2, LISTED)
    assert "has expired" in refused(publisher, cache, ListExpired)


def test_rolled_back_metadata(publisher: Publisher, cache: Path, tmp_path: Path) -> None:
    publisher.release(1, LISTED)
    shutil.copytree(publisher.folder, tmp_path / "old")
    publisher.release(2, LISTED)
    pulled(publisher, cache)
    publisher.folder = tmp_path / "old"
    assert "older than the one already here" in refused(publisher, cache, ListRolledBack)
    assert Blocklist.open(cache).release == 2


def test_a_release_taken_back_under_new_signatures(publisher: Publisher, cache: Path) -> None:
    publisher.release(1, LISTED)
    publisher.release(2, LISTED)
    pulled(publisher, cache)
    publisher.targets = {n: t for n, t in publisher.targets.items() if "/1/" in n}
    publisher.sign()
    assert "release 1 of 'public', older than release 2" in refused(
        publisher, cache, ListRolledBack
    )


@pytest.mark.parametrize("number", [1, 2])
def test_a_rewritten_history(publisher: Publisher, cache: Path, number: int) -> None:
    publisher.release(1, LISTED)
    pulled(publisher, cache)
    publisher.release(number, {"url": []}, previous_manifest_sha256="0" * 64)
    assert "rewrites release 1" in refused(publisher, cache, ListRolledBack)


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "list"])
def test_signed_by_a_stranger(publisher: Publisher, cache: Path, role: str) -> None:
    publisher.release(1, LISTED)
    pulled(publisher, cache)
    stranger = CryptoSigner.generate_ed25519()
    if role == "list":  # targets still names the real key
        real, publisher.keys["list"] = publisher.keys["list"], stranger
        publisher.release(2, LISTED)
        path = publisher.folder / "metadata" / f"{publisher.versions['targets']}.targets.json"
        _delegate_to(publisher, path, real)
    else:
        publisher.keys[role] = stranger
        publisher.release(2, LISTED)
    assert "not signed by the keys" in refused(publisher, cache, ListForged)


def _delegate_to(publisher: Publisher, path: Path, real: CryptoSigner) -> None:
    metadata = Metadata[Targets].from_file(str(path))
    assert metadata.signed.delegations is not None
    for key in list(metadata.signed.delegations.keys):
        metadata.signed.revoke_key(key, publisher.list)
    metadata.signed.add_key(real.public_key, publisher.list)
    metadata.sign(publisher.keys["targets"])
    metadata.to_file(str(path))


def test_another_publishers_root(publisher: Publisher, cache: Path, tmp_path: Path) -> None:
    other = Publisher(tmp_path / "other")
    other.release(1, LISTED)
    publisher.release(1, LISTED)
    with pytest.raises(ListForged, match="address and the root file belong together"):
        pull(str(publisher.folder), other.root, cache=cache)
    pulled(publisher, cache)
    with pytest.raises(RootUnusable, match="follows another root"):
        pull(str(other.folder), other.root, cache=cache)


@pytest.mark.parametrize("name", ["*keys-url.parquet", "*manifest.json"])
@pytest.mark.parametrize("damage", ["cut", "changed", "longer", "gone"])
def test_a_target_that_is_not_what_was_signed(
    publisher: Publisher, cache: Path, name: str, damage: str
) -> None:
    publisher.release(1, LISTED)
    (target,) = (publisher.folder / "targets").rglob(name)
    data = target.read_bytes()
    if damage == "gone":
        target.unlink()
        assert "could not be fetched" in refused(publisher, cache, ListUnreachable)
        return
    changed = {"cut": data[:-9], "changed": data[:-1] + b"?", "longer": data + b"\n"}
    target.write_bytes(changed[damage])
    assert "not the one that was signed" in refused(publisher, cache, ListDamaged)


@pytest.mark.parametrize("name", ["timestamp.json", "1.snapshot.json", "1.targets.json"])
def test_metadata_that_cannot_be_read(publisher: Publisher, cache: Path, name: str) -> None:
    publisher.release(1, LISTED)
    path = publisher.folder / "metadata" / name
    path.write_bytes(path.read_bytes()[:200])
    assert "cannot be read" in refused(publisher, cache, ListDamaged)


def test_a_root_file_that_is_none(publisher: Publisher, cache: Path, tmp_path: Path) -> None:
    publisher.release(1, LISTED)
    altered = json.loads(publisher.root.read_bytes())
    altered["signed"]["version"] = 9
    for text in ("", "{}", "[1]", json.dumps(altered)):
        (tmp_path / "root.json").write_text(text, "utf-8")
        with pytest.raises(RootUnusable, match="no TUF root file"):
            pull(str(publisher.folder), tmp_path / "root.json", cache=cache)
    with pytest.raises(RootUnusable, match="cannot be read"):
        pull(str(publisher.folder), tmp_path / "absent.json", cache=cache)


def test_a_list_that_is_not_there(publisher: Publisher, cache: Path) -> None:
    publisher.release(1, LISTED)
    with pytest.raises(ListUnknown, match="no release of a list named 'partner'"):
        pull(str(publisher.folder), publisher.root, list_name="partner", cache=cache)
    with pytest.raises(ListUnknown, match="no name of a list"):
        pull(str(publisher.folder), publisher.root, list_name="../x", cache=cache)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("kind", "tier", "bits"),
    [("prefix-url-20", "masked", 20), ("url", "partner", None), ("phash", "exact", None)],
)
def test_a_file_of_a_kind_unknown_here(
    publisher: Publisher, cache: Path, kind: str, tier: str, bits: int | None
) -> None:
    strange = ListFile("keys-other.parquet", kind, tier, bits, 0, 1, "0" * 64)
    publisher.release(1, {"url": []}, files=(strange,))
    assert "update it" in refused(publisher, cache, ListNotUnderstood)


def test_a_manifest_that_disagrees_with_its_signature(publisher: Publisher, cache: Path) -> None:
    file = ListFile("keys-url.parquet", "url", "exact", None, 0, 1, "0" * 64)
    publisher.release(1, {"url": []}, files=(file,))
    assert "not signed as it says" in refused(publisher, cache, ListDamaged)


def test_a_manifest_of_another_release(publisher: Publisher, cache: Path) -> None:
    publisher.release(1, LISTED, release=7)
    assert "says it is release 7" in refused(publisher, cache, ListDamaged)


def test_keys_that_are_not_those_of_the_manifest(publisher: Publisher, cache: Path) -> None:
    publisher.release(1, LISTED, keyset_sha256="0" * 64)
    assert "keyset_sha256" in refused(publisher, cache, ListDamaged)


def test_a_cache_is_trusted_only_while_fresh(
    publisher: Publisher, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.expires["timestamp"] = datetime.now(UTC) + timedelta(seconds=2)
    publisher.release(1, LISTED)
    pulled(publisher, cache)
    assert Blocklist.open(cache).release == 1
    deadline = threading.Event()
    deadline.wait(2.5)
    with pytest.raises(ListExpired, match="in the cache has expired"):
        Blocklist.open(cache)


def test_every_file_of_a_cache_is_checked(publisher: Publisher, cache: Path) -> None:
    publisher.release(1, LISTED)
    pulled(publisher, cache)
    state = ListCache(cache, "public").state()
    assert state is not None
    checked = [p for p in state.rglob("*") if p.is_file() and not p.is_symlink()]
    assert {"root.json", "keys-url.parquet", "timestamp.json"} <= {p.name for p in checked}
    for path in checked:
        if "root_history" in path.parts:
            continue  # the pinned root beside it is the one that is trusted
        data = path.read_bytes()
        path.write_bytes(data[:-40] + b"x" + data[-39:])
        with pytest.raises(CacheDamaged, match="delete the folder and pull again"):
            Blocklist.open(cache)
        path.unlink()
        with pytest.raises(CacheDamaged, match="delete the folder and pull again"):
            Blocklist.open(cache)
        path.write_bytes(data)
    assert Blocklist.open(cache).release == 1


def test_a_cache_with_nothing_in_it(cache: Path, publisher: Publisher) -> None:
    with pytest.raises(NothingPulled, match="unlist pull URL"):
        Blocklist.open(cache)
    publisher.release(1, LISTED)
    pulled(publisher, cache)
    with pytest.raises(NothingPulled, match="not release 4"):
        Blocklist.open(cache, release=4)
    (cache / "public" / "current").write_text("../../elsewhere\n", "utf-8")
    with pytest.raises(CacheDamaged, match="state that is not there"):
        Blocklist.open(cache)


def test_what_a_killed_pull_left_is_swept(publisher: Publisher, cache: Path) -> None:
    left = cache / "public" / ".new-0123"
    (left / "metadata").mkdir(parents=True)
    (left / "metadata" / "timestamp.json").write_text("{", "utf-8")
    publisher.release(1, LISTED)
    assert pulled(publisher, cache).release == 1
    assert not left.exists()


def test_a_rotated_root_is_followed(publisher: Publisher, cache: Path) -> None:
    publisher.release(1, LISTED)
    pulled(publisher, cache)
    first = publisher.root.read_bytes()
    old = publisher.keys["root"]
    publisher.keys["timestamp"] = CryptoSigner.generate_ed25519()
    publisher._root()
    assert json.loads(first)["signed"]["version"] == 1
    assert publisher.keys["root"] is old
    publisher.release(2, LISTED)
    assert pulled(publisher, cache).release == 2
    second = publisher.folder / "metadata" / "2.root.json"
    assert pull(str(publisher.folder), second, cache=cache).release == 2  # a newer pin, same chain
    assert Blocklist.open(cache).release == 2
