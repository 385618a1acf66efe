"""A line before a few places: who came first goes first.

A semaphore would let the thread that frees a place take it again before a waiting one wakes, so
that a submission of many pictures kept its place to the end. Here a freed place is handed to the
one who waits longest: between two pictures of a submission everybody else gets a turn.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class TurnNeverCame(Exception):  # an event, no error
    """No place was free in time."""


class Turns:
    """Places that threads take one after the other.

    Args:
        places: how many.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._lock = threading.Lock()
        self._line: deque[threading.Event] = deque()

    @contextmanager
    def turn(self, wait: float) -> Iterator[None]:
        """Hold a place for the block, after at most `wait` seconds in the line.

        Raises:
            TurnNeverCame: that was too short.
        """
        self._take(wait)
        try:
            yield
        finally:
            self._hand_on()

    def _take(self, wait: float) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            mine = threading.Event()
            self._line.append(mine)
        try:
            if mine.wait(wait):
                return
        except BaseException:  # a signal, as the worker ends
            if not self._left(mine):
                self._hand_on()
            raise
        if self._left(mine):
            raise TurnNeverCame

    def _left(self, mine: threading.Event) -> bool:
        """Leave the line; False where a place was handed over at the last moment."""
        with self._lock:
            if mine.is_set():
                return False
            self._line.remove(mine)
            return True

    def _hand_on(self) -> None:
        with self._lock:
            if self._line:
                self._line.popleft().set()
            else:
                self._free += 1
