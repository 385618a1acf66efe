"""The roles' key files: made once, read by their own role alone, never replaced."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.core.management import CommandError, call_command

from removal.custody import secrets, shred
from removal.custody.secrets import SECRETS, SecretUnavailable, secret_read


def as_role(settings: Any, role: str) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"role": role})


def test_make_secrets_makes_what_is_missing_and_keeps_what_is_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    call_command("make_secrets")
    first = {secret.name: secret_read(secret) for secret in SECRETS}
    secrets.ROW_TAG_KEY.path.unlink()
    call_command("make_secrets")
    second = {secret.name: secret_read(secret) for secret in SECRETS}
    assert first.pop("row-tag.key") != second.pop("row-tag.key")
    assert first == second
    call_command("make_secrets")
    assert "nothing was changed" in capsys.readouterr().out
    assert shred.folder().is_dir()


def test_files_and_folders_are_for_their_user_alone() -> None:
    call_command("make_secrets")
    for secret in SECRETS:
        assert secret.path.stat().st_mode & 0o777 == 0o600
        assert secret.path.parent.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in secrets.PEPPER.path.parent.iterdir()) == [
        "pepper",
        "reviewer.pub",
        "worker.pub",
    ]


def test_public_halves_belong_to_their_private_halves() -> None:
    list(secrets.secrets_make())
    publics = (secrets.REVIEWER_PUBLIC, secrets.WORKER_PUBLIC, secrets.WORKER_PUBLIC_AT_STAFF)
    for public in publics:
        assert public.private_of is not None
        private = X25519PrivateKey.from_private_bytes(secret_read(public.private_of))
        assert private.public_key().public_bytes_raw() == secret_read(public)


def test_a_lost_private_half_is_not_papered_over() -> None:
    list(secrets.secrets_make())
    secrets.REVIEWER_PRIVATE.path.unlink()
    with pytest.raises(CommandError, match=r"Restore the reviewers' private key"):
        call_command("make_secrets")
    assert not secrets.REVIEWER_PRIVATE.path.exists()


@pytest.mark.parametrize("role", ["public", "staff", "worker", "release"])
def test_a_role_reads_its_own_folder_alone(settings: Any, role: str) -> None:
    list(secrets.secrets_make())
    as_role(settings, role)
    for secret in SECRETS:
        if secret.role == role:
            assert len(secret_read(secret)) == 32
        else:
            with pytest.raises(
                SecretUnavailable, match=f"run this where the role is '{secret.role}'"
            ):
                secret_read(secret)


def test_missing_damaged_and_forbidden_files_say_what_mends_them() -> None:
    with pytest.raises(SecretUnavailable, match=r"pepper.*missing.*make_secrets"):
        secret_read(secrets.PEPPER)
    list(secrets.secrets_make())
    secrets.PEPPER.path.write_text("short")
    with pytest.raises(SecretUnavailable, match=r"damaged.*Restore"):
        secret_read(secrets.PEPPER)


def retire(secret: secrets.Secret, retire_as: str = "old") -> Path:
    list(secrets.secrets_make())
    secrets.secret_replace(secret, os.urandom(32), retire_as=retire_as)
    [path] = secrets.retired_read(secret)
    return path


class Killed(BaseException):
    """A process that ended at this very place."""


@pytest.mark.parametrize("place", ["rename", "unlink"])
def test_killed_while_destroying_a_retired_secret_leaves_every_reader_working(
    monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """It left noise under the retired name: every receipt look-up answered 503 from then on."""
    path, current = retire(secrets.PEPPER), secret_read(secrets.PEPPER)

    def dies(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        if place == "rename":
            patch.setattr(shred, "file_overwrite", dies)
        else:
            patch.setattr(Path, "unlink", dies)
        with pytest.raises(Killed):
            secrets.retired_destroy(secrets.PEPPER, path)
    assert secrets.secret_held(secrets.PEPPER) == (current,)
    [left] = path.parent.glob(".*")
    with secrets.rotation_lock(secrets.PEPPER):
        assert not left.exists()
    assert secrets.secret_held(secrets.PEPPER) == (current,)


@pytest.mark.parametrize("noise", [False, True])
def test_a_retired_secret_that_is_destroyed_while_it_is_read_is_skipped(
    monkeypatch: pytest.MonkeyPatch, noise: bool
) -> None:
    path, real = retire(secrets.PEPPER), Path.read_text

    def destroyed_first(self: Path, *args: Any) -> str:
        if self == path:
            secrets.retired_destroy(secrets.PEPPER, path)
            if noise:  # it was open already, and its new content is what is read
                return "noise"
        return real(self, *args)

    monkeypatch.setattr(Path, "read_text", destroyed_first)
    assert len(secrets.secret_held(secrets.PEPPER)) == 1


def test_a_retired_secret_that_is_damaged_and_stays_is_told() -> None:
    retire(secrets.PEPPER).write_text("short")
    with pytest.raises(SecretUnavailable, match=r"retired\.old.*damaged"):
        secrets.secret_held(secrets.PEPPER)


def test_a_value_is_retired_from_the_first_moment_that_its_file_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The link had the age of the old file, as if its grace were over."""
    list(secrets.secrets_make())
    os.utime(secrets.PEPPER.path, (0, 0))
    real, ages = Path.hardlink_to, []

    def linked(self: Path, target: Path) -> None:
        real(self, target)
        ages.append(time.time() - self.stat().st_mtime)

    monkeypatch.setattr(Path, "hardlink_to", linked)
    secrets.secret_replace(secrets.PEPPER, os.urandom(32), retire_as="old")
    assert len(ages) == 1
    assert ages[0] < 60


def test_one_process_at_a_time_rotates_in_a_folder() -> None:
    list(secrets.secrets_make())
    with secrets.rotation_lock(secrets.PEPPER):
        with (
            pytest.raises(secrets.RotationUnderWay, match=r"Another process.*run this again"),
            secrets.rotation_lock(secrets.PEPPER),
        ):
            pass
        with secrets.rotation_lock(secrets.WORKER_PRIVATE):
            pass
    with secrets.rotation_lock(secrets.PEPPER):
        pass
