"""Who answers for the service, where it keeps what it keeps, and whether that goes in time."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, register

from removal.checks.tables import tables_there
from removal.custody import blobs, shred
from removal.life import retention


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
    late = retention.retention_late() if tables_there() else None
    if late is None:
        return []
    return [
        Error(
            f"Retention {late}: photos and cases stay longer than promised.",
            hint="Start the scheduler (celery beat), or run `python manage.py shred_expired` now.",
            id="removal.E020",
        )
    ]


def _writable(folder: Path) -> bool:
    """Tell whether files can be made in a folder, or the folder itself can be made."""
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)
