"""Directories that are there whole or not at all.

An index is written under a temporary name, every file and then the directory is flushed to disk,
and one rename makes it visible. A process killed at any moment leaves at most a directory whose
name begins with a dot, which nothing opens and the next build of the same index clears away.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unlist.durable import folder_place, folder_sync, tree_sync


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Give a temporary directory that becomes `path` if the block ends well, else vanishes.

    A directory already at `path` is replaced; processes that have it memory-mapped keep
    reading the old one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left_over in path.parent.glob(f".{path.name}.*"):
        shutil.rmtree(left_over, ignore_errors=True)
    working = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield working
        working.chmod(0o755)
        _put_in_place(working, path)
    except BaseException:
        shutil.rmtree(working, ignore_errors=True)
        raise


def _put_in_place(working: Path, path: Path) -> None:
    if not path.exists():
        folder_place(working, path)
        return
    tree_sync(working)  # before the old one leaves its place
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    path.rename(old / path.name)
    working.rename(path)
    folder_sync(path.parent)
    shutil.rmtree(old, ignore_errors=True)
