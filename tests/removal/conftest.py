"""Fixtures of the removal tests: keys in the test's own folder, a database for races, a Redis."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.management import call_command
from django.db import connections

from config.embedded import redis_program
from removal.signals import rows_approved
from tests.removal import factories


@pytest.fixture
def made_secrets(db: None) -> None:
    factories.secrets_made()


@pytest.fixture(scope="session")
def tables_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a SQLite file with the tables and nothing else lies once `real_database` made it."""
    return tmp_path_factory.mktemp("tables") / "db.sqlite3"


@pytest.fixture
def real_database(transactional_db: None, tables_file: Path, tmp_path: Path) -> Iterator[None]:
    """Give threads a database that they can fight over: PostgreSQL, or a SQLite file.

    (The usual test database of SQLite lies in memory, where a second writer fails at once instead
    of waiting, so that it says nothing about races.)
    """
    usual = connections["default"]
    settings: dict[str, Any] = usual.settings_dict
    if usual.vendor != "sqlite":
        factories.secrets_made()
        yield
        return
    name = settings["NAME"]
    try:
        if not tables_file.exists():
            settings["NAME"] = str(tables_file.with_name("making"))
            connections["default"] = connections.create_connection("default")
            call_command("migrate", verbosity=0)
            connections["default"].close()
            tables_file.with_name("making").rename(tables_file)
        settings["NAME"] = str(shutil.copy(tables_file, tmp_path))
        connections["default"] = connections.create_connection("default")
        factories.secrets_made()
        yield
        connections["default"].close()
    finally:
        settings["NAME"] = name
        connections["default"] = usual


@pytest.fixture
def told() -> Any:
    """Collect how many rows are told to the lists, call by call."""
    counts: list[int] = []
    receiver = lambda **kwargs: counts.append(len(kwargs["rows"]))  # noqa: E731
    rows_approved.connect(receiver)
    yield counts
    rows_approved.disconnect(receiver)


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[redis.Redis]:
    socket = tmp_path / "r.sock"
    command = [redis_program(), "--port", "0", "--unixsocket", str(socket), "--save", ""]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        client = redis.Redis(unix_socket_path=str(socket))
        for _ in range(200):
            try:
                client.ping()
                break
            except redis.ConnectionError:
                process.poll()
                time.sleep(0.05)
        yield client
        client.close()
        process.terminate()
