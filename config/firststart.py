"""What `serve` does before it serves: tables, keys, overdue retention, a staff login, a dataset."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command

from config.environ import BASE_DIR, Environment
from unlist.durable import secret_write

STAFF_NAME = "maintainer"


class FirstDatasetFailed(Exception):
    """The dataset to begin with could not be added or indexed."""


def tables_and_keys_make() -> None:
    """Bring tables and keys up to date, and delete what is due."""
    call_command("migrate", interactive=False, verbosity=0)
    call_command("make_secrets", verbosity=0)
    call_command("make_release_keys", verbosity=0)
    call_command("shred_expired", verbosity=0)  # what fell due while nothing ran


def staff_login(unlist: Environment) -> tuple[str, str] | None:
    """Return name and password of the staff login that the first start made.

    The password lies with the staff role's secrets, readable by this user alone, so that it can
    be shown at every start; None once it was changed, for then it is nobody else's business.
    """
    users = get_user_model().objects
    path = unlist.secret_dir / "staff" / "first-login"
    if not users.filter(is_staff=True).exists():
        _login_store(path, secrets.token_urlsafe(15))
        users.create_superuser(username=STAFF_NAME, password=path.read_text())
    if not path.is_file():
        return None
    password = path.read_text()
    known = authenticate(username=STAFF_NAME, password=password)
    return (STAFF_NAME, password) if known else None


def _login_store(path: Path, password: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    secret_write(path, password.encode())


def dataset_begin(name: str, title: str, folder: Path, env: dict[str, str]) -> None:
    """Add and index the img2dataset folder, in processes of their own: torch stays out of this one.

    Raises:
        FirstDatasetFailed: one of the two commands did not succeed; it has told why.
    """
    add = ["add_dataset", name, "--format", "img2dataset", "--path", str(folder), "--title", title]
    for command in (add, ["index_dataset", name]):
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            check=False,
            cwd=BASE_DIR,
            env={**os.environ, **env},
        )
        if done.returncode:
            raise FirstDatasetFailed(f"`python manage.py {command[0]} {name}` failed: see above")
