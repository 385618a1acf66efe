"""Everything that a service keeps: its files, its database's files and rows, its broker's memory.

A database may pack what it stores (PostgreSQL does so with long values), so that rows are read as
values too, not only as bytes of files.
"""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
import redis

from scripts.house import ROOT
from scripts.redis_server import Overheard
from tests.functional.leaks import Marks, found_in_bytes, found_in_folder

DERIVED = ("indexes", "seen-by")
"""The index, which says of every row what its dataset says; links into other folders."""


class ProgramFailed(Exception):
    """A role's process ended otherwise than it should; its words are in the sentence."""


@dataclass(frozen=True)
class Service:
    """A running service, and what its processes are given.

    Attributes:
        site: address of the public site.
        site_role: the role of the process that answers there.
        folder: where all it writes lies: data, secrets, logs, temporary files.
        env: the environment of a process of a role.
        broker: socket of its Redis.
        overheard: what the broker was told.
        release: builds and publishes a release.
        stop: ends all of its processes; files and database stay.
    """

    site: str
    site_role: str
    folder: Path
    env: Callable[[str], Mapping[str, str]]
    broker: Path
    overheard: Overheard
    release: Callable[[], object]
    stop: Callable[[], object]

    def run(
        self, role: str, program: str, *, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> str:
        """Run a program with Django in a real process of a role; return the last line it printed.

        Raises:
            ProgramFailed: it did not end well.
        """
        return self.manage(role, "shell", "-c", program, stdin=stdin, env=env).splitlines()[-1]

    def manage(
        self, role: str, *words: str, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> str:
        """Run `manage.py WORDS` in a process of a role; return what it printed.

        Raises:
            ProgramFailed: it did not end well.
        """
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            check=False,
            cwd=ROOT,
            env={**self.env(role), **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise ProgramFailed(f"{role}: {done.stdout}{done.stderr}")
        return done.stdout

    @property
    def database(self) -> str:
        """The DATABASE_URL; empty for SQLite in the data folder."""
        return self.env("all").get("DATABASE_URL", "")

    @property
    def data_dir(self) -> Path:
        """The data folder."""
        return Path(self.env("all")["UNLIST_DATA_DIR"])


def own_secrets(secret_dir: Path, role: str, views: Path) -> Path:
    """Return a folder that shows a role's own secrets and the shred store, as a mount would."""
    view = views / role
    view.mkdir(parents=True, exist_ok=True)
    for name in (role, "shred"):
        link = view / name
        if not link.is_symlink():
            link.symlink_to(secret_dir / name)
    return view


def found(service: Service, marks: Marks) -> list[str]:
    """Return which marks lie where in all that the service keeps."""
    where = found_in_folder(service.folder, marks, but=DERIVED)
    if service.database:
        with psycopg.connect(service.database, autocommit=True) as connection:
            connection.execute("CHECKPOINT")
        where += found_in_folder(postgres_folder(service.database), marks, but=["install"])
    named = {"database": rows_kept(service), "broker": broker_kept(service.broker)}
    named["messages"] = service.overheard.text().encode()
    for place, data in named.items():
        where += [f"{name} in the {place}" for name in found_in_bytes(data, marks)]
    return where


def rows_kept(service: Service) -> bytes:
    """Return every value of every table, as the database gives it."""
    if not service.database:
        path = service.data_dir / "db.sqlite3"
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            names = "SELECT name FROM sqlite_master WHERE type = 'table'"
            return _values(connection, [name for (name,) in connection.execute(names)])
    with psycopg.connect(service.database) as postgres:
        tables = postgres.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return _values(postgres, [str(name) for (name,) in tables])


def _values(connection: Any, tables: list[str]) -> bytes:
    rows = (row for name in tables for row in connection.execute(f'SELECT * FROM "{name}"'))  # noqa: S608
    return b"\n".join(
        value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row
    )


def broker_kept(socket: Path) -> bytes:
    """Return every key of the broker with its value."""
    client: Any = redis.Redis(unix_socket_path=str(socket))
    readers = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"set": client.smembers,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"zset": lambda key: client.zrange(key, 0, -1),
    }
    kept = [(key, readers[client.type(key)](key)) for key in client.scan_iter()]
    return b"\n".join(_flat(kept))


def _flat(value: Any) -> list[bytes]:
    if isinstance(value, bytes):
        return [value]
    if isinstance(value, dict):
        value = list(value.items())
    if isinstance(value, list | tuple | set):
        return [piece for part in value for piece in _flat(part)]
    return [str(value).encode()]


def postgres_folder(url: str) -> Path:
    """Return the folder of the private PostgreSQL behind a DATABASE_URL."""
    host = urlsplit(url).netloc.rpartition("@")[2]
    return Path(unquote(host))


def backup(service: Service, folder: Path) -> None:
    """Back up database and blobs, as an operator would; no secret and no shred key."""
    (folder / "data").mkdir(parents=True)
    shutil.copytree(service.data_dir / "blobs", folder / "data" / "blobs")
    if service.database:
        rows = service.manage("all", "dumpdata", "removal", "catalog", "auth.user")
        (folder / "rows.json").write_text(rows)
        return
    path = service.data_dir / "db.sqlite3"
    with sqlite3.connect(path) as live, sqlite3.connect(folder / "data" / "db.sqlite3") as copy:
        live.backup(copy)


def restored(service: Service, folder: Path) -> dict[str, str]:
    """Restore a backup beside the service; return the environment of processes that use it."""
    env = {"UNLIST_DATA_DIR": str(folder / "data")}
    if not service.database:
        return env
    with psycopg.connect(service.database, autocommit=True) as connection:
        connection.execute("CREATE DATABASE restored")
    env["DATABASE_URL"] = f"{service.database.rpartition('/')[0]}/restored"
    service.manage("all", "migrate", "--no-input", env=env)
    service.manage("all", "loaddata", str(folder / "rows.json"), env=env)
    return env
