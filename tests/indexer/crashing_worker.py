"""A worker that some pictures kill, as a fault in a decoder would, or keep busy for ever."""

import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator

import pyarrow as pa

from indexer.prepare import worker as prepare_worker
from indexer.prepare.pictures import Task, pictures_prepare

DEADLY = b"deadly"
ENDLESS = b"endless"


def guarded(images: Iterable[bytes], task: Task) -> pa.RecordBatch:
    return pictures_prepare(_suffered(images), task)


def _suffered(images: Iterable[bytes]) -> Iterator[bytes]:
    for image in images:
        if image == DEADLY:
            os.kill(os.getpid(), signal.SIGSEGV)
        if image == ENDLESS:
            time.sleep(600)
        yield image


if __name__ == "__main__":
    setattr(prepare_worker, "pictures_prepare", guarded)  # noqa: B010  # it is no part of it
    prepare_worker.main(sys.argv[1])
