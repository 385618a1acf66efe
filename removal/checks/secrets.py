"""Each role's secrets: there, private, belonging together, and none that should be gone."""

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Info, register
from django.utils import timezone

from removal.checks.tables import tables_there
from removal.custody import rotation, secrets

_ROLES: Final = ("public", "staff", "worker", "release")
ROTATION_LATE: Final = dt.timedelta(days=1)


@register("unlist", deploy=True)
def secrets_check(**_: Any) -> list[CheckMessage]:
    """Each secret of the role is there, for this user alone; those of others cannot be read."""
    return [*_own_secrets(), *_others_secrets(), *_pairs(), *_peppers()]


def _own_secrets() -> Iterator[CheckMessage]:
    for secret in secrets.SECRETS:
        if secret.role not in secrets.roles_readable():
            continue
        try:
            secrets.secret_held(secret)
        except secrets.SecretUnavailable as error:
            yield Error(str(error), hint="Run `python manage.py make_secrets`.", id="removal.E001")
            continue
        if secret.path.stat().st_mode & 0o077:
            yield Error(
                f"{secret.path} with {secret.says} can be read by other users.",
                hint=f"chmod 600 {secret.path}",
                id="removal.E002",
            )


def _others_secrets() -> Iterator[CheckMessage]:
    role, folder = settings.UNLIST.role, settings.UNLIST.secret_dir
    if role == "all":
        yield Info(
            "UNLIST_ROLE=all: one process can read the secrets of every role.",
            hint="Run public, staff, worker and release as separate users for real requests.",
            id="removal.I001",
        )
        return
    for other in _ROLES:
        if other != role and _readable(folder / other):
            yield Error(
                f"This process, with UNLIST_ROLE={role}, can read the secrets of {other}.",
                hint=f"Mount or chown {folder / other} for that role's user alone.",
                id="removal.E003",
            )


def _pairs() -> Iterator[CheckMessage]:
    """Each public half belongs to its private half; no rotation of a pair was left halfway."""
    for name, pair in rotation.PAIRS.items():
        if pair.private.role not in secrets.roles_readable():
            continue
        try:
            strange = rotation.strange_publics(pair)
            retired = rotation.retired_since(pair.private)
        except (secrets.SecretUnavailable, FileNotFoundError):
            continue  # told by `_own_secrets`, or destroyed just now
        for public in strange:
            yield Error(
                f"What is sealed to {public.path} does not open with {pair.private.path}.",
                hint=f"If a rotation was interrupted: python manage.py rotate_secret {name}. "
                "Else restore the two files that belong together.",
                id="removal.E004",
            )
        if retired is not None and timezone.now() - retired > ROTATION_LATE:
            yield checks.Warning(
                f"The rotation of the {name}'s key pair, begun on {retired:%Y-%m-%d}, is not done: "
                "the old private half is still there.",
                hint=f"Run python manage.py rotate_secret {name}: it goes on and says what it "
                "waits for.",
                id="removal.W002",
            )


def _peppers() -> Iterator[CheckMessage]:
    """No retired pepper outlives the requests that were made under it."""
    if secrets.PEPPER.role not in secrets.roles_readable() or not tables_there():
        return
    try:
        late = rotation.peppers_overdue(ROTATION_LATE)
    except (secrets.SecretUnavailable, FileNotFoundError):
        return  # told by `_own_secrets`, or destroyed just now
    for path in late:
        yield checks.Warning(
            f"The retired pepper {path} is not needed any more and still there.",
            hint="Run python manage.py shred_expired where the folder public/ lies.",
            id="removal.W003",
        )


def _readable(folder: Path) -> bool:
    """Tell whether any file of a folder can be read by this process."""
    return os.access(folder, os.R_OK | os.X_OK) and any(
        os.access(path, os.R_OK) for path in folder.iterdir() if path.is_file()
    )
