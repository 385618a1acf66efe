"""One index task at a time in a worker process, so that another thread is left for people.

Indexing takes hours and all the cores it is given by itself, so a second one beside it would win
nothing, and would leave nobody to search for a person who waits. A message that finds the slot
taken is dropped: messages are hints, and the sweep sends another.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SLOT: Final = threading.Lock()


@contextmanager
def index_slot() -> Iterator[bool]:
    """Hold this process's one slot for indexing; yields False where another thread holds it."""
    free = _SLOT.acquire(blocking=False)
    try:
        yield free
    finally:
        if free:
            _SLOT.release()
