"""One indexing run per dataset at a time, on one machine.

The lock is the kernel's: it is let go when the process ends, however it ends.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from catalog.models import indexes_path


class IndexingElsewhere(RuntimeError):
    """Another process is indexing the dataset."""

    def __init__(self, dataset: str) -> None:
        super().__init__(
            f"Another process is indexing {dataset!r} now: wait for it, or stop it first."
        )


@contextmanager
def indexing_lock(dataset: str) -> Iterator[None]:
    """Hold the right to build a dataset's index directories.

    Raises:
        IndexingElsewhere: see there.
    """
    folder = indexes_path(dataset)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise IndexingElsewhere(dataset) from None
        yield
