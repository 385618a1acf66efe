"""Many photos at once, without a request: a folder in, one match record per file out.

The output appears under its name only when it is complete. Nothing about a photo is logged.
"""

import multiprocessing
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

import django

from indexer.decode import MAX_BYTES
from unlist.durable import folder_sync, stream_sync


class InputUnusable(ValueError):
    """The folder of photos is missing or holds none."""


def photo_files(folder: Path, *, but: Path) -> list[str]:
    """Names of the files in a folder and below it, in order, without hidden ones and ``but``.

    Raises:
        InputUnusable: see there.
    """
    if not folder.is_dir():
        raise InputUnusable(f"There is no folder {folder}: give one that holds the photos.")
    files = [path for path in folder.rglob("*") if path.is_file() and path.resolve() != but]
    names = [path.relative_to(folder) for path in files]
    shown = [name for name in names if not any(part.startswith(".") for part in name.parts)]
    if not shown:
        raise InputUnusable(f"The folder {folder} holds no file: put the photos there.")
    return sorted(name.as_posix() for name in shown)


def match_records(
    folder: Path, names: Iterable[str], *, dataset: str, top: int, workers: int
) -> Iterator[dict[str, Any]]:
    """One match record per named file, in the order of ``names``.

    Args:
        folder: where the files are.
        names: relative to it.
        dataset: the name of the dataset to search.
        top: the most matches per photo.
        workers: processes; with one, the work is done in this process by all its threads.
    """
    match = partial(_match_file, folder, dataset, top)
    if workers == 1:
        yield from map(match, names)
        return
    with _one_thread_each(), _pool(workers) as pool:
        yield from pool.map(match, names)


@contextmanager
def written_when_complete(path: Path) -> Iterator[IO[str]]:
    """A text file that gets its name when the block ends well, and vanishes otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as out:
        unfinished = Path(out.name)
        try:
            yield out
            stream_sync(out)
            unfinished.replace(path)
            folder_sync(path.parent)
        finally:
            unfinished.unlink(missing_ok=True)


def _match_file(folder: Path, dataset: str, top: int, name: str) -> dict[str, Any]:
    from catalog.search import MatchRecord, match_photo  # noqa: PLC0415  # torch, faiss

    try:
        with (folder / name).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = f"The file cannot be read ({error.strerror}): look at its permissions."
        return MatchRecord("rejected", error=reason).as_json(name)
    return match_photo(data, datasets=[dataset], top=top).as_json(name)


def _pool(workers: int) -> ProcessPoolExecutor:
    # Spawned, not forked: torch and faiss hang in a child of a process that has run them.
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=spawn, initializer=django.setup)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes started inside the block compute with one thread, so that they share well."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before
