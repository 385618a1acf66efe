import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from releases import places, signing
from releases.build import release_build
from releases.intact import published_check
from releases.models import Release
from releases.publish import ReleaseAltered, releases_publish
from releases.repository import RepositoryRefused
from removal.models import State
from tests.releases.conftest import listed, metadata, out, pulled
from tests.removal import factories
from unlist.refusals import ListExpired

pytestmark = pytest.mark.django_db


def at(monkeypatch: pytest.MonkeyPatch, when: datetime) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: when)


def test_what_is_published_is_what_a_client_pulls(root: Path, tmp_path: Path) -> None:
    out(1, 2, 3)
    assert pulled(root, tmp_path / "cache") == 1
    out(4)
    assert pulled(root, tmp_path / "cache") == 2
    assert published_check(places.repository_dir()) == []


def test_several_builds_are_published_in_order_by_one_switch(root: Path, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        listed(number)
        release_build()
    assert releases_publish().releases == (1, 2, 3)
    assert pulled(root, tmp_path / "cache") == 3
    assert {release.state for release in Release.objects.all()} == {"settled"}


def test_each_role_signs_with_a_key_of_its_own_and_the_list_is_delegated(root: Path) -> None:
    out(1)
    top = json.loads(metadata()["1.root.json"])["signed"]
    assert top["consistent_snapshot"] is True
    assert {role: len(facts["keyids"]) for role, facts in top["roles"].items()} == {
        "root": 1,
        "targets": 1,
        "snapshot": 1,
        "timestamp": 1,
    }
    delegations = json.loads(metadata()["1.targets.json"])["signed"]["delegations"]
    (role,) = delegations["roles"]
    assert (role["name"], role["paths"], role["terminating"]) == (
        "public",
        ["lists/public/*/*"],
        True,
    )
    keyids = {keyid for facts in top["roles"].values() for keyid in facts["keyids"]}
    assert len(keyids | set(role["keyids"])) == 5


def test_with_nothing_to_publish_the_clock_is_renewed(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out(1)
    before, start = metadata(), timezone.now()
    at(monkeypatch, start + timedelta(hours=1))
    assert releases_publish().releases == ()
    renewed = metadata()
    assert {name for name in renewed if renewed[name] != before.get(name)} == {"timestamp.json"}
    at(monkeypatch, start + timedelta(days=5))
    releases_publish()
    assert set(metadata()) - set(renewed) == {"2.snapshot.json"}
    at(monkeypatch, start + timedelta(days=20))
    releases_publish()
    assert set(metadata()) >= {"2.public.json", "3.snapshot.json"}
    assert all(metadata()[name] == data for name, data in renewed.items() if name[0] != "t")
    at(monkeypatch, start + timedelta(days=200))
    releases_publish()
    assert set(metadata()) >= {"2.root.json", "2.targets.json"}
    monkeypatch.undo()
    assert pulled(root, tmp_path / "cache") == 1


def test_root_and_targets_may_be_away_until_their_metadata_ends(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out(1)
    start = timezone.now()
    for role in ("root", "targets"):
        signing.key_path(role).rename(signing.key_path(role).with_suffix(".away"))
    for days in (1, 200, 360):
        at(monkeypatch, start + timedelta(days=days))
        releases_publish()
    assert "2.root.json" not in metadata()
    at(monkeypatch, start + timedelta(days=366))
    with pytest.raises(signing.KeyUnusable, match="'root'"):
        releases_publish()


def test_a_clock_that_runs_out_is_refused_by_the_client(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("django.utils.timezone.now", lambda: datetime.now(UTC) - timedelta(days=4))
        out(1)
    with pytest.raises(ListExpired):
        pulled(root, tmp_path / "cache")
    releases_publish()
    assert pulled(root, tmp_path / "cache") == 1


def test_a_request_is_told_the_release_that_carries_it_and_no_earlier_one(root: Path) -> None:
    first = factories.decided()
    release_build()
    second = factories.decided(photos=[factories.photo_bytes(2)])
    listed(9)
    release_build()
    assert releases_publish().requests_told == 2
    assert first.request.released_in == [1]
    assert second.request.released_in == [2]
    third = factories.decided(photos=[factories.photo_bytes(3)])
    assert releases_publish().requests_told == 0
    assert third.request.state == State.APPROVED


@pytest.mark.parametrize("name", ["keys-url.parquet", "manifest.json"])
def test_a_release_that_was_changed_after_its_build_is_not_signed(root: Path, name: str) -> None:
    listed(1)
    release_build()
    path = places.release_dir("public", 1) / name
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ReleaseAltered, match=name):
        releases_publish()
    assert not (places.repository_dir() / "metadata" / "timestamp.json").exists()
    path.unlink()
    with pytest.raises(ReleaseAltered, match=name):
        releases_publish()


def test_a_published_release_is_never_replaced_under_its_number(root: Path) -> None:
    out(1)
    clock = metadata()["timestamp.json"]
    Release.objects.all().delete()  # as after a restore of the database alone
    places.release_dir("public", 1).rename(places.list_dir("public") / "lost")
    listed(2)
    assert release_build().number == 1
    with pytest.raises(RepositoryRefused, match="a release never changes"):
        releases_publish()
    assert metadata()["timestamp.json"] == clock


def test_after_a_restore_of_the_database_releases_come_back_into_the_books(
    root: Path, tmp_path: Path
) -> None:
    out(1)
    out(2)
    Release.objects.all().delete()
    assert release_build().number == 2
    assert releases_publish().releases == (1, 2)
    out(3)
    assert pulled(root, tmp_path / "cache") == 3
