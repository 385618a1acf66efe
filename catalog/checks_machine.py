"""What ``doctor`` looks at around the code: database, broker, worker, disk."""

import os
import shutil
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import Error as AnyDatabaseError

_DISK_LOW_BYTES = 2 * 1024**3
_PATIENCE_SECONDS = 2


def database_works() -> bool:
    """Whether the database can be reached at all."""
    try:
        connection.ensure_connection()
    except AnyDatabaseError:
        return False
    return True


@register("unlist", deploy=True)
def database_check(app_configs: object, **kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001
    """Reachable, migrated and writable."""
    if not database_works():
        return [
            Error(
                "The database cannot be reached.",
                hint="Start it, or correct DATABASE_URL.",
                id="unlist.E001",
            )
        ]
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return [
            Error(
                "The database's tables are not those of this version.",
                hint="Run python manage.py migrate.",
                id="unlist.E002",
            )
        ]
    return _unwritable()


def _unwritable() -> list[CheckMessage]:
    """Try a write and take it back."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("CREATE TABLE doctor_was_here (n integer)")
            transaction.set_rollback(True)
    except DatabaseError as error:
        return [
            Error(
                f"The database cannot be written: {type(error).__name__}.",
                hint="Mend the rights of its file and folder, or of its user.",
                id="unlist.E003",
            )
        ]
    return []


@register("unlist", deploy=True)
def disk_check(app_configs: object, **kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001
    """The data folder is there, may be written and has room."""
    folder = settings.UNLIST.data_dir
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return [
            Error(
                f"The data folder {folder} is missing or cannot be written.",
                hint="Create it, or correct UNLIST_DATA_DIR.",
                id="unlist.E004",
            )
        ]
    free = shutil.disk_usage(folder).free
    if free < _DISK_LOW_BYTES:
        return [
            Warning(
                f"The disk of {folder} has {free / 1024**3:.1f} GiB left.",
                hint="Make room: indexes take about 6 KiB per row.",
                id="unlist.W001",
            )
        ]
    return []


@register("unlist", deploy=True)
def broker_check(app_configs: object, **kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001
    """The broker answers, and behind it a worker."""
    try:
        with current_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, timeout=_PATIENCE_SECONDS)
    except Exception as error:  # noqa: BLE001  # every broker library has exceptions of its own
        return [
            Warning(
                f"The broker does not answer ({type(error).__name__}): requests wait for it.",
                hint="Start Redis or correct REDIS_URL; python manage.py serve starts its own.",
                id="unlist.W002",
            )
        ]
    if not current_app.control.ping(timeout=_PATIENCE_SECONDS):
        return [
            Warning(
                "No worker answers: requests will be received, but not searched.",
                hint="Start one: celery -A config worker --pool threads.",
                id="unlist.W003",
            )
        ]
    return []
