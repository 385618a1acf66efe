"""Decoding apart: a picture that kills, hangs or bloats its process is refused, and no more."""

import io
import json
import os
import signal
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

from config import gunicorn
from indexer.decode import (
    FORMATS,
    DecoderUnavailable,
    ImageRefused,
    decode_here,
    here,
    pool,
    process,
)
from indexer.decode.allowance import Bounds
from indexer.decode.child import BROKE, COSTLY, HANDED, MEMORY, QUESTION, READY, REFUSED
from indexer.decode.pool import Decoders, decode, picture_check
from indexer.decode.process import Answer, Decoder
from tests.conftest import ROOT
from tests.hostile import FOLDER, MEGABYTES, acting, manifest

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
    return decoders.ask(data, side=None, pixels=False).full


def script(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(process, "_COMMAND", (sys.executable, "-c", code))


ASKED = f"import os, sys; os.write(1, {READY!r}); sys.stdin.buffer.read({QUESTION.size}); "
READ = f"{ASKED}os.write(1, {HANDED!r}); "


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "broken"),
        ("os.abort()", "broken"),
        ("os._exit(1)", "broken"),
        ("raise RuntimeError", "broken"),
        ("os.write(3, bytes(5)); os.write(4, bytes(5)); os._exit(9)", "broken"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "too_costly"),
    ],
    ids=["segfault", "abort", "exit", "traceback", "half an answer", "killed for its memory"],
)
def test_a_crash_is_a_refusal_and_the_next_picture_is_read(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch, act: str, reason: str
) -> None:
    with monkeypatch.context() as patched:
        acting(patched, act)
        with pytest.raises(ImageRefused) as refusal:
            ask(decoders, photo())
        assert refusal.value.reason == reason
    assert ask(decoders, photo()) == (320, 240)


@pytest.mark.parametrize(
    "code",
    [
        ASKED + "os._exit(0)",
        ASKED + f"os._exit({BROKE})",
        ASKED + f"os._exit({COSTLY})",
        ASKED + "os.kill(os.getpid(), 9)",
        READ + "os._exit(0)",
        READ + "os.kill(os.getpid(), 9)",
        READ + "os.kill(os.getpid(), 11)",
    ],
    ids=[
        "before it has the picture",
        "broke without one",
        "costly without one",
        "killed without one",
        "the one that forks ends",
        "the one that forks is killed",
        "the one that forks crashes",
    ],
)
def test_what_ends_a_process_without_a_picture_is_no_fault_of_one(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """After it was ready, whatever ended it was called the picture's damage."""
    with monkeypatch.context() as patched:
        script(patched, code)
        with pytest.raises(DecoderUnavailable):
            ask(decoders, photo())
        assert decoders._idle == []
    assert ask(decoders, photo()) == (320, 240)


def test_a_process_that_the_machine_ends_as_it_is_asked_is_replaced(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(decoders, photo())
    lost: list[Decoder] = []
    hand_over = Decoder._hand_over

    def once(self: Decoder, question: bytes, data: bytes) -> None:
        if not lost:
            lost.append(self)
            self.kill()
            self._process.wait()
        hand_over(self, question, data)

    monkeypatch.setattr(Decoder, "_hand_over", once)
    assert ask(decoders, photo()) == (320, 240)
    assert lost[0].closed
    assert lost[0] not in decoders._idle


def test_a_process_that_hangs_before_it_has_the_picture_is_no_fault_of_the_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script(monkeypatch, ASKED + "import time; time.sleep(600)")
    hasty = Decoders(1, alone=Bounds(clock=0.3))
    with pytest.raises(DecoderUnavailable):
        ask(hasty, photo())


def test_a_process_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    decoders = Decoders(1, alone=Bounds(clock=3))
    with monkeypatch.context() as patched:
        script(patched, READ + "import time; time.sleep(600)")
        began = time.monotonic()
        with pytest.raises(ImageRefused) as refusal:
            ask(decoders, photo())
        assert refusal.value.reason == "too_costly"
        assert time.monotonic() - began < 10
    assert ask(decoders, photo()) == (320, 240)
    decoders.close()


def test_an_answer_that_lies_about_sizes_is_refused(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    lie = "import struct; sys.stdout.buffer.write(struct.pack('>BIIIII', 0, 1, 9, 9, 90000, 90000))"
    script(monkeypatch, f"{READ}{lie}; sys.stdout.flush(); sys.stdin.read()")
    with pytest.raises(ImageRefused) as refusal:
        ask(decoders, photo())
    assert refusal.value.reason == "too_many_pixels"


def test_no_process_at_all_is_no_fault_of_the_picture(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_COMMAND", ("/nonexistent/python",))
    with pytest.raises(DecoderUnavailable, match="limits on processes"):
        ask(decoders, photo())


@pytest.mark.parametrize(
    "code",
    ["import sys; sys.exit(3)", "print('what?', flush=True); input()"],
    ids=["ends at once", "says something else"],
)
def test_a_process_that_never_waits_for_a_picture_is_no_fault_of_the_picture(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """Where a decoder's library could not be loaded, people read that their picture is damaged."""
    ask(decoders, photo())
    [idle] = decoders._idle
    with monkeypatch.context() as patched:
        script(patched, code)
        idle.kill()
        with pytest.raises(DecoderUnavailable):
            ask(decoders, photo())
    assert ask(decoders, photo()) == (320, 240)


def test_a_process_that_loads_for_ever_is_given_up(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "READY_SECONDS", 0.2)
    script(monkeypatch, "import time; time.sleep(600)")
    with pytest.raises(DecoderUnavailable):
        ask(decoders, photo())


@pytest.mark.parametrize("who", ["all", "parent", "child"])
def test_an_idle_process_that_the_machine_ended_is_replaced(decoders: Decoders, who: str) -> None:
    """The kernel, short of memory, takes one: the next picture was called damaged."""
    ask(decoders, photo())
    [idle] = decoders._idle
    pid = idle._process.pid
    assert process._readable(idle._process.stdout, 5)  # type: ignore[arg-type]  # it is a pipe
    if who == "all":
        idle.kill()
    elif who == "parent":
        os.kill(pid, signal.SIGKILL)
    else:
        [child] = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(child), signal.SIGKILL)
    time.sleep(0.2)
    assert ask(decoders, photo()) == (320, 240)
    assert idle not in decoders._idle


def test_no_process_for_the_next_picture_is_no_fault_of_this_one(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`os.fork` fails by the limit on processes, from the second picture on."""
    forks = "import os; real = os.fork; left = [1]\n"
    forks += "def fork():\n if not left: raise BlockingIOError\n left.pop(); return real()\n"
    command = (*process._COMMAND[:-1], f"{forks}os.fork = fork\n{process._MAIN}")
    monkeypatch.setattr(process, "_COMMAND", command)
    for _ in range(3):
        assert ask(decoders, photo()) == (320, 240)


def test_a_process_with_words_left_to_say_answers_no_other_picture(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = (REFUSED.pack(1, 0, 5) + b"empty").hex()
    answers = f"os.write(1, bytes.fromhex('{refused}52{refused}')); sys.stdin.read()"
    with monkeypatch.context() as patched:
        script(patched, READ + answers)
        with pytest.raises(ImageRefused):
            ask(decoders, photo())
        [liar] = decoders._idle
    assert ask(decoders, photo()) == (320, 240)
    assert liar not in decoders._idle


def test_a_process_killed_as_it_answered_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    decoders, answer_read = Decoders(1, alone=Bounds(clock=3)), Decoder._answer_read

    def late(self: Decoder, *, pixels: bool) -> Answer:
        answer = answer_read(self, pixels=pixels)
        time.sleep(3.5)  # the clock runs out between answer and cancel
        return answer

    with monkeypatch.context() as patched:
        ask(decoders, photo())
        patched.setattr(Decoder, "_answer_read", late)
        assert ask(decoders, photo()) == (320, 240)
        assert decoders._idle == []
    assert ask(decoders, photo()) == (320, 240)
    decoders.close()


def test_a_picture_that_takes_too_much_computing_is_called_costly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was called damaged: a submission of ten such went on decoding after the first."""
    acting(monkeypatch, "\n    while True: pass")
    with pytest.raises(ImageRefused) as refusal:
        ask(Decoders(1, alone=Bounds(cpu=1)), photo())
    assert refusal.value.reason == "too_costly"


def test_an_answer_tells_what_was_computed(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    spins = "\n    while time.process_time() < 0.5: pass\n    raise c.ImageRefused('empty')"
    ask(decoders, photo())
    [idle] = decoders._idle
    assert idle.ready()
    assert idle.ask(photo(), side=0, pixels=False, bounds=Bounds()).cpu < 0.4
    acting(monkeypatch, spins)
    slow = Decoder(MEMORY)
    assert slow.ready()
    answer = slow.ask(photo(), side=0, pixels=False, bounds=Bounds())
    slow.close()
    assert answer.refusal
    assert 0.4 < answer.cpu < 3


def test_nobody_waits_for_ever_for_a_turn(decoders: Decoders) -> None:
    """A few submissions of costly pictures hung every thread of the site."""
    with decoders._turns.turn(0):
        began = time.monotonic()
        with pytest.raises(DecoderUnavailable):
            decoders.ask(photo(), side=None, pixels=False, wait=0.2)
        assert time.monotonic() - began < 5
    assert ask(decoders, photo()) == (320, 240)


def test_a_worker_waits_long_for_its_turn_and_the_site_never(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []

    def asked(*_: object, wait: float, **__: object) -> Any:
        waits.append(wait)
        return Answer(0.0, full=(9, 9), image=Image.new("RGB", (9, 9)))

    monkeypatch.setattr(pool._decoders, "ask", asked)
    monkeypatch.setattr(pool, "_wait", pool._wait)
    decode(b"x")
    picture_check(b"x")
    gunicorn.post_worker_init(None)
    decode(b"x")
    assert waits == [pool.LONG_TURN_SECONDS, pool.TURN_SECONDS, pool.TURN_SECONDS]


# It starts as root or not; either way no picture's process may start others, and all are read.
UNPRIVILEGED = """
import json, os, resource, sys
from io import BytesIO
from PIL import AvifImagePlugin, Image
from indexer.decode import child
from indexer.decode.here import decode_here
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
child.decoders_load()
files = []
for name in child.FORMATS:
    out = BytesIO()
    Image.effect_noise((600, 500), 50).convert("RGB").save(out, name)
    files.append(out.getvalue())
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
child.confine(child.MEMORY)
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
try:
    os.fork()
    sys.exit("forked")
except OSError:
    print(json.dumps([decode_here(data)[0].size for data in files]))
"""


@pytest.mark.skipif("HEIF" in FORMATS, reason="its library decodes in threads")
def test_every_format_is_read_where_no_process_can_be_started() -> None:
    told = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED], cwd=ROOT, capture_output=True, check=True, text=True
    )
    assert json.loads(told.stdout) == [[600, 500]] * len(FORMATS)


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


@pytest.fixture(scope="module")
def narrow() -> Iterator[Decoders]:
    """Decoders that may use 300 MB above their rest: what a hostile file may cost at most."""
    own = Decoders(1, memory=MEGABYTES * MB)
    yield own
    own.close()


@pytest.mark.parametrize("case", manifest()["cases"], ids=lambda case: case["file"])
def test_no_hostile_file_needs_more_than_300_megabytes(
    narrow: Decoders, case: dict[str, Any]
) -> None:
    data = (FOLDER / case["file"]).read_bytes()
    answers: list[object] = []
    for own in (narrow, pool._decoders):
        try:
            answer = own.ask(data, side=None, pixels=True)
            pixels = answer.image.tobytes() if answer.image else b""
            answers.append((answer.size, answer.full, pixels))
        except ImageRefused:
            answers.append("refused")
    assert answers[0] == answers[1]


def test_no_more_pictures_are_decoded_at_once_than_there_are_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A tiny file may be half a gigabyte of pixels: eight threads of them would end the machine."""
    at_once, most, lock = [0], [0], threading.Lock()

    def ask(*_: object, **__: object) -> Answer:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.02)
        with lock:
            at_once[0] -= 1
        return Answer(0.0)

    monkeypatch.setattr(Decoder, "ready", lambda _: True)
    monkeypatch.setattr(Decoder, "ask", ask)
    decoders = Decoders(2)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: decoders.ask(b"x", side=None, pixels=False), range(16)))
    decoders.close()
    assert most == [2]
