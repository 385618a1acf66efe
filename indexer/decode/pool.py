"""Asking the child processes that decode: few, kept warm, replaced when they die or hang.

A picture that its process does not survive is refused as broken; one that takes too long, as too
costly. Where a process ends and no picture made it, another takes its place; where that ends too,
or none is free in time, the fault is the machine's, and said to be. Whoever asks holds one process
for one picture, and then goes to the end of the line.
"""

import atexit
import os
import time
from typing import Final

from PIL import Image

from indexer.decode.allowance import ALONE, Allowance, Bounds
from indexer.decode.child import MEMORY
from indexer.decode.process import Answer, Decoder, DecoderLost, DecoderUnavailable
from indexer.decode.rules import ImageRefused, bytes_check
from indexer.decode.turns import TurnNeverCame, Turns

TURN_SECONDS: Final = 5.0
"""How long a picture waits for a process where people wait for the answer."""
LONG_TURN_SECONDS: Final = 120.0
"""How long it waits where nobody does: in a worker."""
CHILDREN: Final = 2
_TRIES: Final = 2


class Decoders:
    """A few processes that decode; more askers than those wait for their turn.

    Args:
        most: how many.
        memory: what each may use, in bytes, above what it has when it begins.
        alone: what a picture may take that shares no allowance with others.
    """

    def __init__(self, most: int, memory: int = MEMORY, alone: Bounds = ALONE) -> None:
        self._memory = memory
        self._alone = alone
        self._turns = Turns(most)
        self._idle: list[Decoder] = []

    def ask(
        self,
        data: bytes,
        *,
        side: int | None,
        pixels: bool,
        wait: float = TURN_SECONDS,
        allowance: Allowance | None = None,
    ) -> Answer:
        """Have a picture decoded, after at most `wait` seconds in the line.

        Raises:
            ImageRefused: it is not taken, its process did not survive it, or nothing is left of
                the allowance.
            DecoderUnavailable: no process is free in time or can be started.
        """
        bytes_check(data)
        if allowance is not None:
            wait = min(wait, allowance.clock_left())
        try:
            with self._turns.turn(wait):
                answer = self._asked(data, side=side or 0, pixels=pixels, allowance=allowance)
        except TurnNeverCame:
            raise DecoderUnavailable from None
        if answer.refusal is not None:
            raise answer.refusal
        return answer

    def _asked(
        self, data: bytes, *, side: int, pixels: bool, allowance: Allowance | None
    ) -> Answer:
        for _ in range(_TRIES):
            bounds = self._alone if allowance is None else allowance.bounds()
            decoder = self._ready()
            began = time.monotonic()
            cpu: float | None = None
            try:
                answer = decoder.ask(data, side=side, pixels=pixels, bounds=bounds)
                cpu = answer.cpu
            except DecoderLost:
                continue
            finally:
                self._keep(decoder, sound=cpu is not None)
                if allowance is not None:  # what did not tell computed no longer than it took
                    allowance.spend(time.monotonic() - began if cpu is None else cpu)
            return answer
        raise DecoderUnavailable

    def _ready(self) -> Decoder:
        """Return a process that waits for a picture; where one does not, a fresh one."""
        for fresh in (False, True):
            decoder = (None if fresh else self._idle_one()) or Decoder(self._memory)
            try:
                if decoder.ready():
                    return decoder
            except BaseException:
                decoder.close()
                raise
            decoder.close()
        raise DecoderUnavailable

    def _idle_one(self) -> Decoder | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _keep(self, decoder: Decoder, *, sound: bool) -> None:
        """Put a process among the idle ones, if its last answer was whole and in time."""
        if sound and not decoder.late:
            self._idle.append(decoder)
        else:
            decoder.close()

    def close(self) -> None:
        """End the processes that wait."""
        while self._idle:
            self._idle.pop().close()


_decoders = Decoders(CHILDREN)
_wait = LONG_TURN_SECONDS


def turn_hurry() -> None:
    """Let no picture wait long for its turn in this process: it answers people."""
    global _wait  # noqa: PLW0603  # what kind of process this is
    _wait = TURN_SECONDS


def _close() -> None:
    _decoders.close()


atexit.register(_close)


def _start_anew() -> None:
    """Leave a parent's processes to the parent."""
    global _decoders  # noqa: PLW0603  # a forked process has pools of its own
    _decoders = Decoders(CHILDREN)


os.register_at_fork(after_in_child=_start_anew)


def picture_check(data: bytes, *, allowance: Allowance | None = None) -> tuple[int, int]:
    """Decode a picture to see that it can be, and return its upright width and height.

    Args:
        data: the whole file, as received.
        allowance: what it may take together with others.

    Raises:
        ImageRefused: see `decode`; or nothing is left of the allowance.
        DecoderUnavailable: no process to decode in is free soon or can be started.
    """
    answer = _decoders.ask(data, side=None, pixels=False, wait=TURN_SECONDS, allowance=allowance)
    return answer.full


def decode_sized(data: bytes, *, side: int | None = None) -> tuple[Image.Image, tuple[int, int]]:
    """Decode as `decode` does, and tell the upright width and height of the picture in full.

    Raises:
        ImageRefused: see `decode`.
        DecoderUnavailable: no process to decode in is free in time or can be started.
    """
    answer = _decoders.ask(data, side=side, pixels=True, wait=_wait)
    if answer.image is None:
        raise ImageRefused("broken")
    return answer.image, answer.full


def decode(data: bytes, *, side: int | None = None) -> Image.Image:
    """Decode a file's bytes to an upright 8-bit RGB picture without metadata, in a child process.

    Args:
        data: the whole file, as received.
        side: where a JPEG can be decoded at a half, a quarter or an eighth of its size with no
            side becoming shorter than this, in pixels, it is, at a fraction of the time; None:
            at its full size. Sizes are still checked as the file states them.

    Returns:
        A picture of mode "RGB" whose `info` is empty.

    Raises:
        ImageRefused: it is too large, too small, of another format, broken, or more than a
            process can decode within its bounds.
        DecoderUnavailable: no process to decode in is free in time or can be started.
    """
    return decode_sized(data, side=side)[0]
