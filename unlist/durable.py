"""Writing that survives a crash: whole and on disk, or not there at all.

Every part of the project that keeps something writes through here. What a name points to is
changed in one step (a rename, or a link where nothing may be replaced), only after the content is
on disk, and the folder that holds the name is synced before the caller goes on.
"""

import json
import os
import secrets
from pathlib import Path
from typing import IO, Any


def stream_sync(file: IO[Any]) -> None:
    """Force to disk what was written to an open file."""
    file.flush()
    os.fsync(file.fileno())


def file_sync(path: Path) -> None:
    """Force a file's content to disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def folder_sync(folder: Path) -> None:
    """Force a folder's entries (renames, removals) to disk, where the system can."""
    if os.name == "nt":
        return  # Windows cannot open a folder; its renames are journaled
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def tree_sync(folder: Path) -> None:
    """Force every file and folder below ``folder`` to disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if not path.is_symlink():
                file_sync(path)
        folder_sync(Path(parent))


def file_write(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path`` in one step: beside it first, synced, then renamed over it."""
    beside = path.with_name(f".{path.name}.part")
    with beside.open("wb") as file:
        file.write(data)
        stream_sync(file)
    beside.replace(path)
    folder_sync(path.parent)


def json_write(path: Path, value: Any) -> None:
    """Put a JSON value at ``path`` in one step, indented, with a newline at its end."""
    file_write(path, (json.dumps(value, indent=2) + "\n").encode())


def private_write(path: Path, data: bytes) -> None:
    """Write a new file of mode 0600, its content on disk, straight under its name.

    A crash may leave it in part, and only ``folder_sync`` makes its name last: for names that
    nobody knows before this returns.

    Raises:
        FileExistsError: something has the name already; it stays.
    """
    with open(path, "xb", opener=_private) as file:
        file.write(data)
        stream_sync(file)


def secret_write(path: Path, data: bytes) -> None:
    """Put a new file of mode 0600 at ``path`` in one step; of several writers the first wins.

    Raises:
        FileExistsError: there is one already; it stays.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        private_write(beside, data)
        os.link(beside, path)  # unlike a rename, never in place of what is there
    finally:
        beside.unlink(missing_ok=True)
    folder_sync(path.parent)


def folder_make(folder: Path, *, mode: int = 0o777) -> None:
    """Make a folder, and those above it that are missing, each durable before what it will hold.

    Args:
        folder: the folder; nothing is done where it exists.
        mode: its permissions, less the umask; those above it get the usual ones.
    """
    if folder.is_dir():
        return
    folder_make(folder.parent)
    folder.mkdir(mode=mode, exist_ok=True)
    folder_sync(folder.parent)


def folder_place(made: Path, final: Path) -> None:
    """Bring the whole folder ``made`` to disk and give it its final name in one step."""
    tree_sync(made)
    made.rename(final)
    folder_sync(final.parent)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
