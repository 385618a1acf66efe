"""`manage.py` as a process: what an operator can mend is one sentence, never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def refused(home: Path, *words: str, **environment: str) -> str:
    """Run a command that must fail; what it says on standard error."""
    folders = {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": "",
        "UNLIST_DATA_DIR": str(home / "data"),
        "UNLIST_SECRET_DIR": str(home / "secrets"),
    }
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env={**os.environ, **folders, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    said = refused(tmp_path, "list_datasets", UNLIST_GROUP_ROWS="many")
    assert said.startswith("UNLIST_GROUP_ROWS cannot be used: ")


def test_a_secret_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = refused(tmp_path, "list_datasets", UNLIST_SECRET_DIR=str(tmp_path / "file" / "secrets"))
    assert said.startswith("UNLIST_SECRET_DIR cannot be used (")


def test_a_database_without_tables_is_told_with_the_command(tmp_path: Path) -> None:
    assert "run `python manage.py migrate`" in refused(tmp_path, "list_datasets")


def test_a_database_that_is_not_there_is_told(tmp_path: Path) -> None:
    away = "postgres://unlist@127.0.0.1:9/unlist?connect_timeout=2"
    assert "The database cannot be reached" in refused(tmp_path, "list_datasets", DATABASE_URL=away)


@pytest.mark.functional  # it also looks for broker and encoder
def test_doctor_works_where_the_tables_are_missing(tmp_path: Path) -> None:
    assert "errors: mend them" in refused(tmp_path, "doctor")
