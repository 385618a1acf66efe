"""Django's secret key is made once and kept private."""

from pathlib import Path

from config.secret_key import secret_key_read


def test_the_key_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "secrets" / "public"
    first = secret_key_read(folder)
    assert len(first) >= 64
    assert secret_key_read(folder) == first
    assert (folder / "django.key").stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0
    assert [path.name for path in folder.iterdir()] == ["django.key"]


def test_roles_have_keys_of_their_own(tmp_path: Path) -> None:
    assert secret_key_read(tmp_path / "public") != secret_key_read(tmp_path / "staff")
