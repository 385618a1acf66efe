from pathlib import Path
from typing import Any

import pytest

from releases import places, signing
from releases.build import release_build
from releases.publish import releases_publish
from releases.repository import RepositoryRefused
from tests.releases.conftest import listed, metadata, out

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("role", ["worker", "public", "staff"])
def test_others_than_the_release_role_never_sign(root: Path, settings: Any, role: str) -> None:
    listed(1)
    release_build()
    settings.UNLIST = settings.UNLIST.model_copy(update={"role": role})
    for act in (releases_publish, signing.keys_create, lambda: signing.signer_load("root")):
        with pytest.raises(signing.SigningRefused, match=f"UNLIST_ROLE={role}"):
            act()
    assert not (places.repository_dir()).exists()


@pytest.mark.parametrize("role", ["snapshot", "timestamp", "public"])
def test_a_key_that_the_root_does_not_know_signs_nothing(root: Path, role: str) -> None:
    out(1)
    before = metadata()
    signing.key_path(role).unlink()
    signing.keys_create()
    listed(2)
    release_build()
    with pytest.raises(RepositoryRefused, match=role):
        releases_publish()
    assert metadata()["timestamp.json"] == before["timestamp.json"]


def test_keys_are_private_pem_and_never_replaced(keys: None) -> None:
    held = {role: signing.key_path(role).read_bytes() for role in signing.roles_needed()}
    assert set(held) == {"root", "targets", "snapshot", "timestamp", "public"}
    for role, pem in held.items():
        assert pem.startswith(b"-----BEGIN PRIVATE KEY-----")
        assert signing.key_path(role).stat().st_mode & 0o777 == 0o600
    assert places.secret_dir().stat().st_mode & 0o777 == 0o700
    assert signing.keys_create() == []
    assert held == {role: signing.key_path(role).read_bytes() for role in held}


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\n"])
def test_a_key_file_that_holds_none_is_named(keys: None, content: bytes) -> None:
    signing.key_path("snapshot").write_bytes(content)
    with pytest.raises(signing.KeyUnusable, match=r"snapshot\.pem"):
        signing.signer_load("snapshot")
