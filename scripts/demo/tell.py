"""How the demo speaks: numbered steps, their figures, and how long each took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Teller:
    """Prints the story; it holds nothing but the count of steps and the clock."""

    def __init__(self) -> None:
        """Begin at step 1, now."""
        self._step = 0
        self._began = time.monotonic()

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announce a step and, when it is done, say how long it took."""
        self._step += 1
        print(f"\n{self._step}. {title}", flush=True)
        began = time.monotonic()
        yield
        print(f"   ({time.monotonic() - began:.1f} s)", flush=True)

    def say(self, *sentences: str) -> None:
        """Print sentences, one a line."""
        for sentence in sentences:
            print(f"   {sentence}", flush=True)

    def seconds(self) -> float:
        """Return how long the story has taken so far."""
        return time.monotonic() - self._began
