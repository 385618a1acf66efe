"""Decoding apart: a picture that kills, hangs or bloats its process is refused, and no more."""

import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from indexer.decode import ImageRefused, decode_here, here, pool
from indexer.decode.child import QUESTION
from indexer.decode.pool import Decoders, DecoderUnavailable, decode, picture_check
from tests.conftest import ROOT, VECTORS

HOSTILE = VECTORS / "hostile-images"
MB = 1024 * 1024


def photo(size: tuple[int, int] = (320, 240), form: str = "JPEG", **options: Any) -> bytes:
    noise = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, form, **options)
    return out.getvalue()


@pytest.fixture
def decoders() -> Iterator[Decoders]:
    own = Decoders(1)
    yield own
    own.close()


def ask(decoders: Decoders, data: bytes) -> tuple[int, int]:
    return decoders.ask(data, side=None, pixels=False)[1][1]


def script(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(pool, "_COMMAND", (sys.executable, "-c", code))


READ = f"import os, sys; sys.stdin.buffer.read({QUESTION.size}); "


@pytest.mark.parametrize(
    "code",
    [
        READ + "os.kill(os.getpid(), 11)",
        READ + "sys.stdout.buffer.write(bytes(5)); sys.stdout.flush(); os._exit(0)",
        "import sys; sys.exit(3)",
    ],
    ids=["segfault", "half an answer", "ends at once"],
)
def test_a_crash_is_a_refusal_and_the_next_picture_is_read(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    with monkeypatch.context() as patched:
        script(patched, code)
        with pytest.raises(ImageRefused) as refusal:
            ask(decoders, photo())
        assert refusal.value.reason == "broken"
    assert ask(decoders, photo()) == (320, 240)


def test_a_process_that_hangs_is_killed(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(pool, "DEADLINE_SECONDS", 0.5)
        script(patched, READ + "import time; time.sleep(600)")
        began = time.monotonic()
        with pytest.raises(ImageRefused) as refusal:
            ask(decoders, photo())
        assert refusal.value.reason == "too_costly"
        assert time.monotonic() - began < 10
    assert ask(decoders, photo()) == (320, 240)


def test_an_answer_that_lies_about_sizes_is_refused(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    lie = "import struct; sys.stdout.buffer.write(struct.pack('>BIIII', 0, 9, 9, 90000, 90000))"
    script(monkeypatch, f"{READ}{lie}; sys.stdout.flush(); sys.stdin.read()")
    with pytest.raises(ImageRefused) as refusal:
        ask(decoders, photo())
    assert refusal.value.reason == "too_many_pixels"


def test_no_process_at_all_is_no_fault_of_the_picture(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_COMMAND", ("/nonexistent/python",))
    with pytest.raises(DecoderUnavailable, match="limits on processes"):
        ask(decoders, photo())


# What the process of a picture can do once it is confined.
TRIES = """
import json, os, socket, sys
from indexer.decode import child
child.decoders_load()
child.confine(64 << 20)
def tried(act):
    try:
        act()
    except (OSError, MemoryError) as error:
        return type(error).__name__
    return "done"
print(json.dumps({
    "read": tried(lambda: open("/etc/passwd").read()),
    "write": tried(lambda: open("/tmp/unlist-never", "w")),
    "connect": tried(lambda: socket.create_connection(("127.0.0.1", 9))),
    "memory": tried(lambda: bytearray(80 << 20)),
    "little": tried(lambda: bytearray(10 << 20)),
}))
"""


def test_it_can_open_nothing_and_take_no_more_than_its_memory() -> None:
    told = subprocess.run(
        [sys.executable, "-c", TRIES], cwd=ROOT, capture_output=True, check=True, text=True
    )
    assert json.loads(told.stdout) == {
        "read": "OSError",
        "write": "OSError",
        "connect": "OSError",
        "memory": "MemoryError",
        "little": "done",
    }


def test_it_gets_neither_environment_nor_descriptors(decoders: Decoders) -> None:
    secret, other = os.pipe()
    os.set_inheritable(secret, True)
    try:
        ask(decoders, photo())
        [decoder] = decoders._idle
        process = Path(f"/proc/{decoder._process.pid}")
        assert b"DJANGO" not in (process / "environ").read_bytes()
        held = {str(file.readlink()) for file in (process / "fd").iterdir()}
        assert str(Path(f"/proc/self/fd/{secret}").readlink()) not in held
        assert all(name == "/dev/null" or name.startswith("pipe:") for name in held)
    finally:
        os.close(secret)
        os.close(other)


def test_a_warm_process_serves_the_next_picture(decoders: Decoders) -> None:
    ask(decoders, photo())
    [decoder] = decoders._idle
    for _ in range(3):
        with pytest.raises(ImageRefused):
            ask(decoders, b"no picture")
        ask(decoders, photo())
    assert decoders._idle == [decoder]


FORKED = """
import os, sys
from indexer.decode import picture_check
data = sys.stdin.buffer.read()
picture_check(data)
pid = os.fork()
for _ in range(20):
    assert picture_check(data) == (320, 240)
if pid:
    assert os.waitpid(pid, 0)[1] == 0
    assert picture_check(data) == (320, 240)
"""


def test_a_forked_process_has_decoders_of_its_own() -> None:
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED],
        cwd=ROOT,
        input=photo(),
        check=True,
        timeout=120,
    )


# --- strips ----------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "I;16"])
def test_strips_are_the_whole_picture(orientation: int, mode: str) -> None:
    image = Image.open(io.BytesIO(photo((61, 47), "PNG")))
    stored = Image.new("I;16", (61, 47), 4711) if mode == "I;16" else image.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    stored.save(out, "PNG", exif=exif)
    decoded = here.pixels_decode(out.getvalue())
    whole = here.assembled(decoded.size, decoded.strips())
    for pixels in (1, 300, 1000):
        strips = here.assembled(decoded.size, decoded.strips(pixels))
        assert strips.size == decoded.size == decoded.full
        assert strips.tobytes() == whole.tobytes()
    assert (
        decode(out.getvalue()).tobytes()
        == whole.tobytes()
        == decode_here(out.getvalue())[0].tobytes()
    )


def test_a_large_picture_comes_through_in_strips() -> None:
    data = photo((2400, 2500), "PNG", compress_level=0)
    image = Image.open(io.BytesIO(data))
    assert decode(data).tobytes() == image.tobytes()
    assert picture_check(data) == (2400, 2500)


# --- hostile files ---------------------------------------------------------------------------


def cases() -> list[dict[str, Any]]:
    expected = HOSTILE / "expected.json"
    if not expected.is_file():
        return []
    found: list[dict[str, Any]] = json.loads(expected.read_text())["cases"]
    return found


@pytest.fixture(scope="module")
def narrow() -> Iterator[Decoders]:
    """Decoders that may use 300 MB above their rest: what a hostile file may cost at most."""
    own = Decoders(1, memory=300 * MB)
    yield own
    own.close()


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["file"])
def test_no_hostile_file_needs_more_than_300_megabytes(
    narrow: Decoders, case: dict[str, Any]
) -> None:
    data = (HOSTILE / case["file"]).read_bytes()
    answers: list[object] = []
    for own in (narrow, pool._decoders):
        try:
            image, sizes = own.ask(data, side=None, pixels=True)
            answers.append((sizes, image.tobytes() if image else b""))
        except ImageRefused:
            answers.append("refused")
    assert answers[0] == answers[1]


def test_no_more_pictures_are_decoded_at_once_than_there_are_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A tiny file may be half a gigabyte of pixels: eight threads of them would end the machine."""
    at_once, most, lock = [0], [0], threading.Lock()

    def ask(*_: object, **__: object) -> tuple[None, Any]:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.02)
        with lock:
            at_once[0] -= 1
        return None, ((1, 1), (1, 1))

    monkeypatch.setattr(pool._Decoder, "ask", ask)
    decoders = Decoders(2)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: decoders.ask(b"x", side=None, pixels=False), range(16)))
    decoders.close()
    assert most == [2]
