"""Files that a power cut leaves whole: either the old state or the new one, never half.

Built on `unlist.durable`: beside, synced, renamed, and the folder that names it synced too. Only
then does a caller go on.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from unlist.durable import file_write, folder_sync, tree_sync

__all__ = ["AlreadyRunning", "file_write", "folder_make", "folder_place", "held", "secret_write"]


class AlreadyRunning(Exception):
    """Another process is building or publishing at this moment."""


def folder_make(folder: Path, *, mode: int = 0o755) -> None:
    """Make a folder and those above it, each durable before what it will hold."""
    if folder.is_dir():
        return
    folder_make(folder.parent)
    folder.mkdir(mode=mode, exist_ok=True)
    folder_sync(folder.parent)


def folder_place(made: Path, final: Path) -> None:
    """Bring the whole folder `made` to the disk and give it its final name in one step."""
    tree_sync(made)
    made.rename(final)
    folder_sync(final.parent)


def secret_write(path: Path, data: bytes) -> None:
    """Put a new secret at `path`, readable by its owner alone from the first byte on.

    Raises:
        FileExistsError: there is one already; it stays.
    """
    beside = path.with_name(f".{path.name}.part")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(beside, path)  # unlike a rename, never in place of what is there
    finally:
        beside.unlink()
    folder_sync(path.parent)


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock file `path` for the block; the system lets go of it when a process dies.

    Raises:
        AlreadyRunning: another process holds it.
    """
    folder_make(path.parent)
    with path.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                "Another process is building or publishing a release now: "
                "wait until it has ended and run the command again."
            ) from None
        yield
