"""Django's secret key: one per role, made on first use, kept with the role's other secrets."""

import contextlib
import os
import secrets
from pathlib import Path


def secret_key_read(folder: Path) -> str:
    """Return the key in `folder`, after making it if this is the first start.

    Two processes that start at once agree: the file is linked into place whole, and only once.
    """
    path = folder / "django.key"
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = folder / f".django.key.{os.getpid()}"
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(64))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # the other process was first: its key counts
            os.link(made, path)
        made.unlink()
    return path.read_text()
