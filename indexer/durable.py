"""Directories that are there whole or not at all.

An index is written under a temporary name, every file and then the directory is flushed to disk,
and one rename makes it visible. A process killed at any moment leaves at most a directory whose
name begins with a dot, which nothing opens and the next build of the same index clears away.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
        for file in working.iterdir():
            _flush(file)
        _flush(working)
        _put_in_place(working, path)
        _flush(path.parent)
    except BaseException:
        shutil.rmtree(working, ignore_errors=True)
        raise


def _put_in_place(working: Path, path: Path) -> None:
    if not path.exists():
        working.rename(path)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    path.rename(old / path.name)
    working.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
