"""One process that decodes, as the one who asks sees it: questions, answers, and how it ended.

An answer that never came has one of two causes, and they are told apart. The picture ended its
process: by what it computes, by the kernel for want of memory, by a fault in a decoder. Or
something else did, and then no picture is to blame: the process ended before it had the picture
whole, or the one that forks for each picture, and never sees one, ended without saying why.
"""

import contextlib
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from PIL import Image

from indexer.decode.allowance import Bounds
from indexer.decode.child import BROKE, COSTLY, HANDED, QUESTION, READY, REFUSED, TAKEN
from indexer.decode.here import assembled
from indexer.decode.rules import REFUSALS, ImageRefused, size_check

READY_SECONDS: Final = 10.0
"""How long a process may take until it waits for a picture."""
_STRIP_BYTES: Final = 12_000_000
_ROOT: Final = Path(__file__).resolve().parent.parent.parent
_MAIN: Final = (
    f"import sys; sys.path.insert(0, {str(_ROOT)!r}); "
    "from indexer.decode.child import main; main(int(sys.argv[1]))"
)
_COMMAND: Final = (sys.executable, "-I", "-W", "ignore", "-c", _MAIN)
_ENVIRONMENT: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}


class DecoderUnavailable(RuntimeError):
    """No process to decode in is free or can be started.

    Where it stays so, look at the limits on processes and memory.
    """

    def __init__(self) -> None:
        super().__init__(
            "no process to decode in is free or can be started: where it stays so, look at the "
            "limits on processes and memory"
        )


class DecoderLost(Exception):  # an event, no error
    """The process ended, or hung, and no picture made it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a picture.

    Attributes:
        cpu: seconds of computing that it took.
        refusal: why it is not taken; None where it is.
        size: upright width and height of the pixels.
        full: upright width and height as the file states them.
        image: the pixels, where they were asked for.
    """

    cpu: float
    refusal: ImageRefused | None = None
    size: tuple[int, int] = (0, 0)
    full: tuple[int, int] = (0, 0)
    image: Image.Image | None = None


class Decoder:
    """One process, asked by one thread at a time.

    Args:
        memory: what it may use for a picture, in bytes, above what it has when it begins.

    Raises:
        DecoderUnavailable: it cannot be started.
    """

    def __init__(self, memory: int) -> None:
        try:
            self._process = subprocess.Popen(
                (*_COMMAND, str(memory)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,  # what is unread is in the pipe, where `ready` looks for it
                cwd="/",
                env=_ENVIRONMENT,
                start_new_session=True,  # so that what it forked can be ended with it
            )
        except OSError as error:
            raise DecoderUnavailable from error
        self.late = False
        self.closed = False

    def ready(self) -> bool:
        """Wait until it waits for a picture; say whether it does, and has nothing left to say."""
        sink = self._process.stdout
        if sink is None or self._process.poll() is not None or not _readable(sink, READY_SECONDS):
            return False
        return sink.read(1) == READY and not _readable(sink, 0)

    def ask(self, data: bytes, *, side: int, pixels: bool, bounds: Bounds) -> Answer:
        """Ask one question.

        Raises:
            ImageRefused: the process did not survive the picture, or gave no sound answer.
            DecoderLost: it ended otherwise, or before it had the picture.
            DecoderUnavailable: nothing can watch over the time that it takes.
        """
        handed = False
        try:
            with self._watched(bounds.clock):
                self._hand_over(QUESTION.pack(pixels, side, len(data), bounds.cpu), data)
                handed = True
                return self._answer_read(pixels=pixels)
        except (OSError, EOFError) as error:
            self.close()
            raise self._why(bounds, handed=handed) from error

    def _hand_over(self, question: bytes, data: bytes) -> None:
        source, sink = self._process.stdin, self._process.stdout
        if source is None or sink is None:
            raise EOFError
        _write(source, question)
        _write(source, data)
        if _exactly(sink, len(HANDED)) != HANDED:
            raise EOFError

    def _answer_read(self, *, pixels: bool) -> Answer:
        sink = self._process.stdout
        if sink is None:
            raise EOFError
        head = _exactly(sink, REFUSED.size)
        refused, computed, length = REFUSED.unpack(head)
        if refused:
            reason = _exactly(sink, length).decode("ascii", "replace")
            known = reason if reason in REFUSALS else "broken"
            return Answer(computed / 1000, refusal=ImageRefused(known))
        _, _, *sizes = TAKEN.unpack(head + _exactly(sink, TAKEN.size - REFUSED.size))
        size, full = (sizes[0], sizes[1]), (sizes[2], sizes[3])
        size_check(*full)
        if not 0 < size[0] * size[1] <= full[0] * full[1]:
            raise ImageRefused("broken")
        return Answer(
            computed / 1000,
            size=size,
            full=full,
            image=_pixels_read(sink, size) if pixels else None,
        )

    def _why(self, bounds: Bounds, *, handed: bool) -> Exception:
        """Say why there is no answer; known once this is closed."""
        if not handed:
            return DecoderLost()
        if self.late:
            return ImageRefused(bounds.past_clock)
        if self._process.returncode == COSTLY:
            return ImageRefused(bounds.past_cpu)
        return ImageRefused("broken") if self._process.returncode == BROKE else DecoderLost()

    @contextlib.contextmanager
    def _watched(self, seconds: float) -> Iterator[None]:
        """Kill it where the block takes too long. After the block, `late` changes no more."""
        watch = threading.Timer(seconds, self._too_late)
        try:
            watch.start()
        except RuntimeError as error:  # no room for a thread
            raise DecoderUnavailable from error
        try:
            yield
        finally:
            watch.cancel()
            watch.join()

    def _too_late(self) -> None:
        self.late = True
        self.kill()

    def kill(self) -> None:
        """End the process and what it forked."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, 9)

    def close(self) -> None:
        """End it and free what it held; closing twice is closing once."""
        if self.closed:
            return
        self.closed = True
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()


def _pixels_read(sink: IO[bytes], size: tuple[int, int]) -> Image.Image:
    width, height = size
    rows = max(1, _STRIP_BYTES // (3 * width))
    return assembled(
        size,
        (
            Image.frombytes("RGB", (width, some), _exactly(sink, 3 * width * some))
            for some in (min(rows, height - top) for top in range(0, height, rows))
        ),
    )


def _readable(sink: IO[bytes], seconds: float) -> bool:
    """Say whether there is something to read, if only the end, within a time."""
    waiting = select.poll()  # select.select() takes no descriptor above 1023
    waiting.register(sink, select.POLLIN)
    return bool(waiting.poll(seconds * 1000))


def _write(source: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[source.write(view) :]


def _exactly(sink: IO[bytes], length: int) -> bytearray:
    data = bytearray(length)
    view = memoryview(data)
    while view:
        got = os.readv(sink.fileno(), [view])
        if not got:
            raise EOFError
        view = view[got:]
    return data
