"""Asking the child processes that decode: few, kept warm, replaced when they die or hang.

A picture that its process does not survive is refused as broken; one that takes too long, as too
costly. Where a process ends before it was asked, another takes its place; where that ends too, or
none is free in time, the fault is the machine's, and said to be.
"""

import atexit
import contextlib
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from PIL import Image

from indexer.decode.child import COSTLY, MEMORY, QUESTION, READY, REFUSED, TAKEN
from indexer.decode.here import assembled
from indexer.decode.rules import REFUSALS, ImageRefused, bytes_check, size_check

DEADLINE_SECONDS: Final = 20.0
"""By the clock, from question to answer; the child's own bound is `CPU_SECONDS` of computing."""
READY_SECONDS: Final = 10.0
"""How long a process may take until it waits for a picture."""
TURN_SECONDS: Final = 5.0
"""How long a picture waits for a process where people wait for the answer."""
LONG_TURN_SECONDS: Final = 120.0
"""How long it waits where nobody does: in a worker."""
CHILDREN: Final = 2
_STRIP_BYTES: Final = 12_000_000
_ROOT: Final = Path(__file__).resolve().parent.parent.parent
_MAIN: Final = (
    f"import sys; sys.path.insert(0, {str(_ROOT)!r}); "
    "from indexer.decode.child import main; main(int(sys.argv[1]))"
)
_COMMAND: Final = (sys.executable, "-I", "-W", "ignore", "-c", _MAIN)
_ENVIRONMENT: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
_Sizes = tuple[tuple[int, int], tuple[int, int]]


class DecoderUnavailable(RuntimeError):
    """No process to decode in is free or can be started.

    Where it stays so, look at the limits on processes and memory.
    """

    def __init__(self) -> None:
        super().__init__(
            "no process to decode in is free or can be started: where it stays so, look at the "
            "limits on processes and memory"
        )


class _Died(Exception):  # an event, no error
    """The process ended before its answer did."""


class _Decoder:
    """One process, asked by one thread at a time."""

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

    def ready(self) -> bool:
        """Wait until it waits for a picture; say whether it does, and has nothing left to say."""
        sink = self._process.stdout
        if sink is None or self._process.poll() is not None or not _readable(sink, READY_SECONDS):
            return False
        return sink.read(1) == READY and not _readable(sink, 0)

    @property
    def costly(self) -> bool:
        """Whether a picture took too long; known once this is closed."""
        return self.late or self._process.returncode == COSTLY

    def ask(self, data: bytes, *, side: int, pixels: bool) -> tuple[Image.Image | None, _Sizes]:
        """Ask one question.

        Raises:
            ImageRefused: the answer.
            _Died: there was none.
            DecoderUnavailable: nothing can watch over the time that it takes.
        """
        source, sink = self._process.stdin, self._process.stdout
        if source is None or sink is None:
            raise _Died
        with self._watched():
            try:
                _write(source, QUESTION.pack(pixels, side, len(data)))
                _write(source, data)
                size, full = _sizes_read(sink)
                return (_pixels_read(sink, size) if pixels else None), (size, full)
            except (OSError, EOFError) as error:
                raise _Died from error

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Kill it where the block takes too long. After the block, `late` changes no more."""
        watch = threading.Timer(DEADLINE_SECONDS, self._too_late)
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
        """End it and free what it held."""
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()


def _sizes_read(sink: IO[bytes]) -> _Sizes:
    head = _exactly(sink, REFUSED.size)
    if head[0]:
        reason = _exactly(sink, head[1]).decode("ascii", "replace")
        raise ImageRefused(reason if reason in REFUSALS else "broken")
    _, *sizes = TAKEN.unpack(head + _exactly(sink, TAKEN.size - REFUSED.size))
    size_check(sizes[2], sizes[3])
    if not 0 < sizes[0] * sizes[1] <= sizes[2] * sizes[3]:
        raise ImageRefused("broken")
    return (sizes[0], sizes[1]), (sizes[2], sizes[3])


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


class Decoders:
    """A few processes that decode; more askers than those wait for their turn.

    Args:
        most: how many.
        memory: what each may use, in bytes, above what it has when it begins.
    """

    def __init__(self, most: int, memory: int = MEMORY) -> None:
        self._memory = memory
        self._turn = threading.BoundedSemaphore(most)
        self._idle: list[_Decoder] = []

    def ask(
        self, data: bytes, *, side: int | None, pixels: bool, wait: float = TURN_SECONDS
    ) -> tuple[Image.Image | None, _Sizes]:
        """Have a picture decoded, after at most `wait` seconds in the line.

        Raises:
            ImageRefused: it is not taken, or its process did not survive it.
            DecoderUnavailable: no process is free in time or can be started.
        """
        bytes_check(data)
        if not self._turn.acquire(timeout=wait):
            raise DecoderUnavailable
        try:
            return self._asked(data, side=side or 0, pixels=pixels)
        finally:
            self._turn.release()

    def _asked(self, data: bytes, *, side: int, pixels: bool) -> tuple[Image.Image | None, _Sizes]:
        decoder = self._ready()
        try:
            answer = decoder.ask(data, side=side, pixels=pixels)
        except ImageRefused:
            self._keep(decoder)
            raise
        except _Died:
            decoder.close()
            raise ImageRefused("too_costly" if decoder.costly else "broken") from None
        except BaseException:  # in the middle of an answer: what follows cannot be read
            decoder.close()
            raise
        self._keep(decoder)
        return answer

    def _ready(self) -> _Decoder:
        """Return a process that waits for a picture; where one does not, a fresh one."""
        for fresh in (False, True):
            decoder = (None if fresh else self._idle_one()) or _Decoder(self._memory)
            try:
                if decoder.ready():
                    return decoder
            except BaseException:
                decoder.close()
                raise
            decoder.close()
        raise DecoderUnavailable

    def _idle_one(self) -> _Decoder | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _keep(self, decoder: _Decoder) -> None:
        """Put a process among the idle ones, unless it was killed as it answered."""
        if decoder.late:
            decoder.close()
        else:
            self._idle.append(decoder)

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


def picture_check(data: bytes) -> tuple[int, int]:
    """Decode a picture to see that it can be, and return its upright width and height.

    Raises:
        ImageRefused: see `decode`.
        DecoderUnavailable: no process to decode in is free soon or can be started.
    """
    return _decoders.ask(data, side=None, pixels=False, wait=TURN_SECONDS)[1][1]


def decode_sized(data: bytes, *, side: int | None = None) -> tuple[Image.Image, tuple[int, int]]:
    """Decode as `decode` does, and tell the upright width and height of the picture in full.

    Raises:
        ImageRefused: see `decode`.
        DecoderUnavailable: no process to decode in is free in time or can be started.
    """
    image, (_, full) = _decoders.ask(data, side=side, pixels=True, wait=_wait)
    if image is None:
        raise ImageRefused("broken")
    return image, full


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
