"""Writing that survives a crash: whole and on disk, or not there at all."""

import json
import os
from pathlib import Path
from typing import Any


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


def file_write(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path`` in one step: beside it first, synced, then renamed over it."""
    beside = path.with_name(f".{path.name}.part")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder_sync(path.parent)


def json_write(path: Path, value: Any) -> None:
    """Put a JSON value at ``path`` in one step, indented, with a newline at its end."""
    file_write(path, (json.dumps(value, indent=2) + "\n").encode())


def tree_sync(folder: Path) -> None:
    """Force every file and folder below ``folder`` to disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if not path.is_symlink():
                file_sync(path)
        folder_sync(Path(parent))
