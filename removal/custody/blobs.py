"""Sealed photos as files under random names: written whole or not at all."""

import uuid
from collections.abc import Collection
from pathlib import Path

from django.conf import settings

from removal.custody.shred import day_stamp
from unlist.durable import folder_sync, private_write


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
    temporary = folder() / str(uuid.uuid4())  # a killed writer's is swept like any orphan
    try:
        private_write(temporary, sealed)
        day_stamp(temporary)
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
