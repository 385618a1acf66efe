"""A process that prepares pictures: `python -m indexer.prepare.worker '{"form": null}'`.

Batches of stored pictures come in by standard input and results leave by standard output, both as
Arrow streams. It ends when its input does, so it never outlives the process that started it. A
picture that crashes the decoder takes down this process, which holds no keys and knows no
database, and nothing else.
"""

import json
import os
import resource
import signal
import sys
from typing import Any, Final, cast

import pyarrow as pa

from indexer.encoder.input import EncoderInput
from indexer.encoder.memory import keep_freed_memory
from indexer.prepare.pictures import Task, pictures_prepare

PICTURES: Final = pa.schema({"image": pa.binary()})
READY: Final = b"ready\n"


def task_argument(task: Task) -> str:
    """A task as the worker's argument."""
    form = task.form
    facts = form and {name: getattr(form, name) for name in form.__slots__}
    return json.dumps({"form": facts})


def task_of(argument: str) -> Task:
    """The task of such an argument."""
    facts = json.loads(argument)["form"]
    return Task(None if facts is None else EncoderInput(**facts))


def main(argument: str) -> None:
    """Work until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # people's photographs stay out of core dumps
    keep_freed_memory()
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not come between the results
    task = task_of(argument)
    results.write(READY)
    results.flush()
    with pa.ipc.new_stream(results, task.schema) as out:
        for batch in pa.ipc.open_stream(cast("Any", sys.stdin.buffer)):
            out.write_batch(pictures_prepare((one.as_py() for one in batch.column("image")), task))
            results.flush()


if __name__ == "__main__":
    main(sys.argv[1])
