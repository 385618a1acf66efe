"""What pictures may take: one by itself, and those of one submission together.

Two things are bounded. *Computing* is the process's own time, which a busy machine does not
lengthen; *the clock* is what others wait, the line before a process included. Measured on two
cores at 2.6 GHz: a legal picture of 40 megapixels takes 0.2 to 0.3 seconds of computing as a
phone writes it, 1.0 as a progressive JPEG of 20 MB, and 1.7 as the slowest JPEG that
`MAX_JPEG_SCANS` lets through. Ten of the honest ones take 2 to 10 seconds.
"""

import math
import time
from dataclasses import dataclass
from typing import Final

from indexer.decode.rules import ImageRefused

CPU_SECONDS: Final = 8
"""The most computing for any picture; the child's process is ended by the kernel there."""
DEADLINE_SECONDS: Final = 20.0
"""The most that any picture may take by the clock, from question to answer."""
SHARED_CPU_SECONDS: Final = 4
"""The most computing for one picture of a submission: less than others wait for their turn."""
TOGETHER_CPU_SECONDS: Final = 12.0
"""The most computing for all pictures of a submission."""
TOGETHER_SECONDS: Final = 30.0
"""The most that they may take by the clock, waiting for their turns included."""
_COSTLY: Final = "too_costly"
_TOGETHER: Final = "too_costly_together"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one picture may take.

    Attributes:
        cpu: seconds of computing; whole ones, for the kernel counts no others.
        clock: seconds from question to answer.
        past_cpu: why it is refused where it computes for longer.
        past_clock: why it is refused where it is not answered in time.
    """

    cpu: int = CPU_SECONDS
    clock: float = DEADLINE_SECONDS
    past_cpu: str = _COSTLY
    past_clock: str = _COSTLY


ALONE: Final = Bounds()


class Allowance:
    """What the pictures of one submission may take together; the clock runs from its making.

    Args:
        cpu: seconds of computing.
        clock: seconds by the clock.
    """

    def __init__(self, cpu: float = TOGETHER_CPU_SECONDS, clock: float = TOGETHER_SECONDS) -> None:
        self._cpu_left = cpu
        self._until = time.monotonic() + clock

    def clock_left(self) -> float:
        """Return how many seconds are left by the clock.

        Raises:
            ImageRefused: none, or no computing.
        """
        left = self._until - time.monotonic()
        if left <= 0 or self._cpu_left <= 0:
            raise ImageRefused(_TOGETHER)
        return left

    def bounds(self) -> Bounds:
        """Return what the next picture may take.

        Raises:
            ImageRefused: the others took all there is.
        """
        clock, cpu = self.clock_left(), math.ceil(self._cpu_left)
        return Bounds(
            cpu=min(SHARED_CPU_SECONDS, cpu),
            clock=min(DEADLINE_SECONDS, clock),
            past_cpu=_TOGETHER if cpu < SHARED_CPU_SECONDS else _COSTLY,
            past_clock=_TOGETHER if clock < DEADLINE_SECONDS else _COSTLY,
        )

    def spend(self, cpu: float) -> None:
        """Take off what a picture computed, in seconds."""
        self._cpu_left -= cpu
