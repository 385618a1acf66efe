"""The process that decodes: it may read its standard input, write its output, and nothing else.

A process is forked for each picture from one that has loaded the decoders and has never seen a
picture; it waits for its picture already, so that nobody waits for it, and says so by one byte. By
another it says that it has the picture whole: what ends it before that is no fault of a picture.
What always holds once it has a picture: it can open no file and no socket (RLIMIT_NOFILE is 0), it
has no environment, no secret and no other descriptor, its memory and its time are bounded, and it
ends with that picture. When one dies of a picture the whole ends too, by a status that says of
what, so that its output never goes on after a broken answer; when the whole ends in any other
way, that was not the picture's doing, for it never sees one.
"""

import os
import resource
import signal
import struct
import sys
import time
from io import BytesIO
from pathlib import Path
from typing import IO, Final

from PIL import AvifImagePlugin, Image

from indexer.decode.here import Decoded, decode_here, pixels_decode
from indexer.decode.rules import FORMATS, MAX_BYTES, ImageRefused

READY: Final = b"R"
"""Said before each question, by the process that will answer it."""
HANDED: Final = b"H"
"""Said when the whole picture was received, before any of it is looked at."""
# What is asked: whether pixels are wanted, the `side` of `decode` (0: none), the file's length,
# and the seconds of computing.
QUESTION: Final = struct.Struct(">BIQB")
# What is answered: taken, the milliseconds of computing, the upright width and height of the
# pixels, and of the picture in full; or refused, the milliseconds, the length of the reason.
TAKEN: Final = struct.Struct(">BIIIII")
REFUSED: Final = struct.Struct(">BIB")
MEMORY: Final = 640 * 1024 * 1024
"""Above what the process has when it begins. A legal picture of 40 megapixels, stored as a
progressive JPEG, takes 400 MB in libjpeg and Pillow; all others stay below 300."""
COSTLY: Final = 78
"""The whole ends with this where a picture took more computing than it may, or where the kernel
killed its process for want of memory."""
BROKE: Final = 79
"""The whole ends with this where a process died of its picture in another way."""
_ENDED: Final = 77
_COSTLY_SIGNALS: Final = (signal.SIGXCPU, signal.SIGKILL)


def main(memory: int) -> None:
    """Fork a process for each picture until the input ends.

    Args:
        memory: what each may use, in bytes, above what it has when it begins.
    """
    source, sink = _pipes()
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # `_child` may start none
    decoders_load()
    confine(memory)
    while True:
        try:
            child = os.fork()
        except OSError:  # the machine has no room for it; nobody was told that it is ready
            os._exit(_ENDED)
        if child == 0:
            _child(source, sink)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) in _COSTLY_SIGNALS:
            os._exit(COSTLY)
        if status != 0:  # it died of its picture, or the input ended and nobody asks any more
            os._exit(BROKE)


def _pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Take input and output for the protocol alone: what a library prints goes nowhere."""
    source, sink = os.dup(0), os.dup(1)
    os.dup2(2, 0)
    os.dup2(2, 1)
    return os.fdopen(source, "rb", buffering=0), os.fdopen(sink, "wb", buffering=0)


def decoders_load() -> None:
    """Decode a small picture of each format: no module can be loaded later."""
    Image.init()
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in FORMATS:
        for mode in ("RGB", "L", "P"):
            out = BytesIO()
            try:
                Image.new("RGB", (16, 16)).convert(mode).save(out, name, exif=exif)
            except (OSError, ValueError, KeyError):  # not every format has every mode
                continue
            decode_here(out.getvalue())
    out = BytesIO()
    Image.new("I;16", (16, 16)).save(out, "PNG")
    decode_here(out.getvalue())


def confine(memory: int) -> None:
    """Give up files, sockets and memory above the bound, for this process and its children."""
    statm = Path("/proc/self/statm")
    if statm.exists():  # elsewhere the operating system bounds no address space
        memory += int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
        resource.setrlimit(limit, (0, 0))


def _child(source: IO[bytes], sink: IO[bytes]) -> None:
    """Answer one question and end."""
    if "HEIF" not in FORMATS:  # its library decodes in threads, which count as processes
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))  # without effect for root
    _write(sink, READY)
    question = _exactly(source, QUESTION.size)
    pixels, side, length, cpu = QUESTION.unpack(question)
    # Between the two a signal says why it ended; the second ends it whatever it does with that.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    data = _exactly(source, min(length, MAX_BYTES))
    _write(sink, HANDED)
    try:
        decoded = pixels_decode(data, side=side or None)
    except ImageRefused as refusal:
        reason = refusal.reason.encode()
        _write(sink, REFUSED.pack(1, _computed(), len(reason)) + reason)
        os._exit(0)
    if pixels:
        _pixels_write(sink, decoded)
    else:
        _write(sink, TAKEN.pack(0, _computed(), *decoded.full, *decoded.full))
    os._exit(0)


def _computed() -> int:
    """Return for how long this process has computed, in milliseconds."""
    return int(time.process_time() * 1000)


def _pixels_write(sink: IO[bytes], decoded: Decoded) -> None:
    _write(sink, TAKEN.pack(0, _computed(), *decoded.size, *decoded.full))
    try:
        for strip in decoded.strips():
            _write(sink, strip.tobytes())
    except ImageRefused:  # too late to say so: the one who asked sees that pixels are missing
        os._exit(_ENDED)


def _exactly(source: IO[bytes], length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        part = source.read(min(length - len(data), 1 << 20))
        if not part:
            os._exit(_ENDED)
        data += part
    return bytes(data)


def _write(sink: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[sink.write(view) :]


if __name__ == "__main__":
    sys.exit("This is started by indexer.decode.pool.")
