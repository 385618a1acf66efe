"""Sealed photos as files under random names: written whole or not at all."""

import os
import uuid
from collections.abc import Collection
from pathlib import Path

from django.conf import settings

from removal.shred import folder_sync


class BlobGone(Exception):
    """The file is not there."""

    def __init__(self) -> None:
        super().__init__("The sealed photo is not in the store: it was deleted or never written.")


def folder() -> Path:
    """Return the store's folder."""
    data_dir: Path = settings.UNLIST.data_dir
    return data_dir / "blobs"


def blob_write(sealed: bytes) -> uuid.UUID:
    """Store sealed bytes under a new name; they are on the disk when this returns."""
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    name = uuid.uuid4()
    temporary = folder() / str(uuid.uuid4())
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(folder() / str(name))
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder_sync(folder())
    return name


def blob_read(name: uuid.UUID) -> bytes:
    """Return sealed bytes.

    Raises:
        BlobGone: there is no such file.
    """
    try:
        return (folder() / str(name)).read_bytes()
    except FileNotFoundError:
        raise BlobGone from None


def blobs_delete(names: Collection[uuid.UUID]) -> None:
    """Unlink files; those that are gone already are no fault."""
    for name in names:
        (folder() / str(name)).unlink(missing_ok=True)
    if names and folder().is_dir():
        folder_sync(folder())
