"""Django's secret key: one per role, made on first use, kept with the role's other secrets."""

import contextlib
import secrets
from pathlib import Path

from unlist.durable import secret_write


def secret_key_read(folder: Path) -> str:
    """Return the key in `folder`, after making it if this is the first start.

    Two processes that start at once agree: the file gets its place whole, and only once.
    """
    path = folder / "django.key"
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # the other process was first: its key counts
            secret_write(path, secrets.token_urlsafe(64).encode())
    return path.read_text()
