"""Worker processes that prepare pictures, started when there is a first one.

They are plain child processes on pipes: nothing is forked, so torch and database connections of
this process are safe, a thread or a daemon process may have them, and no pickle is read. A worker
that dies is started anew, and the pictures it had go to it one by one: the one that it does not
survive is counted, all others are prepared as if nothing had been.
"""

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any, Final, Self, TypeAlias, TypeVar, cast

import pyarrow as pa

from indexer.prepare.pictures import Task, picture_crashed
from indexer.prepare.worker import PICTURES, READY, task_argument

_MODULE = "indexer.prepare.worker"
_ROOT: Final = Path(__file__).resolve().parents[2]
# Far beyond what any batch takes; a decoder that does not come back ends here.
SECONDS: Final = 300.0
# All that a worker needs to start: no keys, no addresses of databases.
_KEPT: Final = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "SYSTEMROOT")
_ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
_T = TypeVar("_T")
Binary: TypeAlias = "pa.Array[pa.BinaryScalar]"


class WorkerUnavailable(OSError):
    """Worker processes do not start on this machine."""


class _WorkerDied(Exception):
    """In the middle of a batch."""


class _Worker:
    """One child process; used by one thread at a time."""

    def __init__(self, task: Task) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", _MODULE, task_argument(task)],
            cwd=_ROOT,
            env={name: os.environ[name] for name in _KEPT if name in os.environ} | _ONE_THREAD,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.pid = self._child.pid
        # Both are pipes, as asked for above; pyarrow's stubs ask for another type than they have.
        self._in = cast("IO[bytes]", self._child.stdin)
        self._from = cast("IO[bytes]", self._child.stdout)
        if self._from.read(len(READY)) != READY:
            self.kill()
            raise WorkerUnavailable(
                "A process that decodes pictures did not start: "
                "`python -m indexer.prepare.worker '{\"form\": null}' < /dev/null` says why."
            )
        self._out = pa.ipc.new_stream(cast("Any", self._in), PICTURES)
        self._results: pa.RecordBatchReader | None = None

    def prepare(self, images: Binary, seconds: float) -> pa.RecordBatch:
        """Have pictures prepared.

        Raises:
            _WorkerDied: of one of them, or because it took too long.
        """
        clock = threading.Timer(seconds, self._child.kill)
        clock.start()
        try:
            self._out.write_batch(pa.RecordBatch.from_arrays([images], schema=PICTURES))
            self._in.flush()
            self._results = self._results or pa.ipc.open_stream(cast("Any", self._from))
            return self._results.read_next_batch()
        except (OSError, StopIteration, pa.ArrowException) as error:
            self.kill()
            raise _WorkerDied from error
        finally:
            clock.cancel()

    def kill(self) -> None:
        """End the process and its pipes."""
        self._child.kill()
        self._child.wait()
        for pipe in (self._in, self._from):
            with suppress(OSError):  # what it did not read any more is lost with it
                pipe.close()


class PicturePool:
    """Prepares batches of pictures on `workers` processes. Use it in a `with`, which ends them."""

    def __init__(self, task: Task, workers: int, *, seconds: float = SECONDS) -> None:
        """Make a pool; no process is started yet.

        Args:
            task: what is to be done with the pictures.
            workers: how many processes.
            seconds: after which a batch counts as hanging.
        """
        self._task = task
        self._seconds = seconds
        self._closed = False
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="pictures")
        self._idle: SimpleQueue[_Worker | None] = SimpleQueue()
        self._workers: set[_Worker] = set()
        for _ in range(workers):
            self._idle.put(None)

    def submit(self, images: Binary) -> "Future[pa.RecordBatch]":
        """Have pictures prepared: binary column without nulls -> results of the task's schema."""
        return self._threads.submit(self._prepare, images)

    def pids(self) -> list[int]:
        """Of the processes there are now."""
        return [worker.pid for worker in self._workers]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._closed = kind is not None
        self._threads.shutdown(cancel_futures=True, wait=kind is None)
        self._kill()
        self._threads.shutdown()
        self._kill()  # one that was only just starting

    def _kill(self) -> None:
        for worker in list(self._workers):
            worker.kill()

    def _prepare(self, images: Binary) -> pa.RecordBatch:
        try:
            return self._once(images)
        except _WorkerDied:
            if self._closed:
                raise
            one_by_one = [self._alone(images.slice(place, 1)) for place in range(len(images))]
        return pa.Table.from_batches(one_by_one).combine_chunks().to_batches()[0]

    def _alone(self, image: Binary) -> pa.RecordBatch:
        try:
            return self._once(image)
        except _WorkerDied:
            return picture_crashed(image[0].as_py(), self._task)

    def _once(self, images: Binary) -> pa.RecordBatch:
        worker = self._idle.get()
        try:
            if worker is None:
                worker = _Worker(self._task)
                self._workers.add(worker)
            return worker.prepare(images, self._seconds)
        except _WorkerDied:
            if worker is not None:
                self._workers.discard(worker)
            worker = None
            raise
        finally:
            self._idle.put(worker)


def ahead(futures: Iterable["Future[_T]"], most: int) -> Iterator[_T]:
    """Results in order, with at most `most` under way or waiting."""
    waiting: deque[Future[_T]] = deque()
    for future in futures:
        waiting.append(future)
        if len(waiting) >= most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
