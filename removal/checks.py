"""What `doctor` looks at in removal: secrets and who can read them, the stores, retention's pulse.

They are deployment checks with the tag "unlist": `doctor` and `check --deploy` run them, ordinary
commands do not, for `make_secrets` must run while secrets are missing, and `migrate` before there
are tables.
"""

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Info, register
from django.db import DatabaseError
from django.db.models import Q
from django.utils import timezone

from removal import blobs, secrets, shred
from removal.leases import FRAIL
from removal.models import RemovalRequest, RetentionRun, SearchUnit, State

_ROLES: Final = ("public", "staff", "worker", "release")
RETENTION_LATE: Final = dt.timedelta(hours=25)


@register("unlist", deploy=True)
def secrets_check(**_: Any) -> list[CheckMessage]:
    """Each secret of the role is there, for this user alone; those of others cannot be read."""
    return [*_own_secrets(), *_others_secrets()]


@register("unlist", deploy=True)
def operator_check(**_: Any) -> list[CheckMessage]:
    """The privacy page and every refusal can say who answers for the service."""
    if settings.UNLIST.operator_named:
        return []
    return [
        checks.Warning(
            "Nobody is named as the one who runs this service.",
            hint="Set UNLIST_OPERATOR_NAME: people have a right to know, and to complain.",
            id="removal.W001",
        )
    ]


@register("unlist", deploy=True)
def stores_check(**_: Any) -> list[CheckMessage]:
    """Blobs and shred keys can be written, and the shred keys are apart from the data."""
    return [
        Error(
            f"{folder} cannot be written.",
            hint=f"Give the folder to the user of this process: chown it, and chmod 700 {folder}",
            id="removal.E010",
        )
        for folder in (blobs.folder(), shred.folder())
        if not _writable(folder)
    ]


@register("unlist", deploy=True)
def retention_check(**_: Any) -> list[CheckMessage]:
    """Retention ran within the last day, once there is something to delete."""
    if not _tables_there() or not RemovalRequest.objects.exists():
        return []
    run = RetentionRun.objects.first()
    if run is not None and timezone.now() - run.ran_at < RETENTION_LATE:
        return []
    when = f"last ran at {run.ran_at:%Y-%m-%d %H:%M} UTC" if run else "never ran"
    return [
        Error(
            f"Retention {when}: photos and cases stay longer than promised.",
            hint="Start the scheduler (celery beat), or run `python manage.py shred_expired` now.",
            id="removal.E020",
        )
    ]


@register("unlist", deploy=True)
def search_check(**_: Any) -> list[CheckMessage]:
    """No search stands still."""
    if not _tables_there():
        return []
    units = SearchUnit.objects.filter(request__state=State.SEARCHING)
    stuck = units.filter(Q(state=SearchUnit.State.FAILED) | Q(attempts__gte=FRAIL)).count()
    if not stuck:
        return []
    return [
        Error(
            f"{stuck} searches of open requests failed and wait for another try.",
            hint="Read the worker's log; an index that is damaged is built anew by index_dataset.",
            id="removal.E030",
        )
    ]


def _tables_there() -> bool:
    """Tell whether the database answers and has tables; the catalog's checks say if it does not."""
    try:
        RemovalRequest.objects.exists()
        SearchUnit.objects.exists()
        RetentionRun.objects.exists()
    except DatabaseError:
        return False
    return True


def _own_secrets() -> Iterator[CheckMessage]:
    for secret in secrets.SECRETS:
        if secret.role not in secrets.roles_readable():
            continue
        try:
            secrets.secret_read(secret)
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


def _readable(folder: Path) -> bool:
    """Tell whether any file of a folder can be read by this process."""
    return os.access(folder, os.R_OK | os.X_OK) and any(
        os.access(path, os.R_OK) for path in folder.iterdir() if path.is_file()
    )


def _writable(folder: Path) -> bool:
    """Tell whether files can be made in a folder, or the folder itself can be made."""
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)
