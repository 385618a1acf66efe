"""The roles' key files: made once, read by their own role alone, never replaced."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.core.management import CommandError, call_command

from removal import secrets, shred
from removal.secrets import SECRETS, SecretUnavailable, secret_read


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
    for public in (secrets.REVIEWER_PUBLIC, secrets.WORKER_PUBLIC):
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
