"""The shred store: one small key file per wrap, outside the database and its backups.

A wrap cannot be opened without its file here, so that destroying the file destroys the wrap in
every copy of the database, in its log and in its free pages. Files are written and synced before
the database commits what needs them, and destroyed before it forgets what they opened.
"""

import os
import secrets
import time
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from django.conf import settings

from unlist.durable import folder_sync, private_write, stream_sync

KEY_BYTES: Final = 32
_DAY: Final = 24 * 60 * 60


class KeyShredded(Exception):
    """The key was destroyed: what it protected is gone for good."""

    def __init__(self) -> None:
        super().__init__("The key of this was destroyed, so that nobody can read it any more.")


def folder() -> Path:
    """Return the store's folder."""
    secret_dir: Path = settings.UNLIST.secret_dir
    return secret_dir / "shred"


def keys_make(count: int) -> dict[uuid.UUID, bytes]:
    """Make `count` key files of mode 0600; they are on the disk when this returns."""
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    made: dict[uuid.UUID, bytes] = {}
    try:
        for _ in range(count):
            name, key = uuid.uuid4(), secrets.token_bytes(KEY_BYTES)
            made[name] = key
            private_write(folder() / str(name), key)
            day_stamp(folder() / str(name))
    except BaseException:
        keys_destroy(made)
        raise
    folder_sync(folder())
    return made


def day_stamp(path: Path) -> None:
    """Leave of the time that a file bears the day alone: the midnight (UTC) that ends it.

    Backups and mirrors copy this time; it would tell when somebody sent their request.
    """
    midnight = (int(time.time()) // _DAY + 1) * _DAY
    os.utime(path, (midnight, midnight))


def key_read(name: uuid.UUID) -> bytes:
    """Return the key of a file.

    Raises:
        KeyShredded: the file is gone.
    """
    try:
        key = (folder() / str(name)).read_bytes()
    except FileNotFoundError:
        raise KeyShredded from None
    if len(key) != KEY_BYTES:
        raise KeyShredded
    return key


def keys_destroy(names: Collection[uuid.UUID]) -> int:
    """Overwrite and unlink key files; return how many were still there.

    When this returns, no restart brings them back: the folder is synced. On a disk that writes
    elsewhere on each write (SSD, copy-on-write) the overwriting adds nothing, so the store should
    lie on an encrypted or a memory-backed volume: docs/privacy.md.
    """
    gone = 0
    for name in names:
        try:
            file_overwrite(folder() / str(name))
        except FileNotFoundError:
            continue  # destroyed before: by another process, or before a restart
        gone += 1
    if gone:
        folder_sync(folder())
    return gone


def file_overwrite(path: Path) -> None:
    """Overwrite a key file with noise and unlink it; its folder is the caller's to sync.

    Raises:
        FileNotFoundError: there is none.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(os.fstat(file.fileno()).st_size))
        stream_sync(file)
    path.unlink()


def keys_older_than(seconds: float) -> Iterator[uuid.UUID]:
    """Yield the names of files that have been there for longer than `seconds`."""
    yield from files_older_than(folder(), seconds)


def files_older_than(place: Path, seconds: float) -> Iterator[uuid.UUID]:
    """Yield the files of a folder that bear a UUID as name and are older than `seconds`."""
    limit = time.time() - seconds
    if not place.is_dir():
        return
    for entry in os.scandir(place):
        try:
            name = uuid.UUID(entry.name)
            if entry.stat().st_mtime < limit:
                yield name
        except (ValueError, FileNotFoundError):
            continue  # no file of ours, or destroyed meanwhile
