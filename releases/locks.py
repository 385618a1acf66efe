"""One build or publication at a time, on one machine.

The lock is the kernel's: it is let go when the process ends, however it ends.
"""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from unlist.durable import folder_make


class AlreadyRunning(Exception):
    """Another process is building or publishing at this moment."""


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock file `path` for the block.

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
