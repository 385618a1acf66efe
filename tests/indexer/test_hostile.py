"""What hostile files cost to decode, in computing; and that the measure of it can be trusted."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image

from indexer.decode import ImageRefused, decode, process
from indexer.decode.pool import Decoders
from tests.hostile import FOLDER, SECONDS, computing, manifest

LITTLE = 9
"""A file of no more bytes is refused at once by what `slow` makes."""


def refusal(act: Callable[[], object]) -> str:
    """Return why a picture is refused; empty where it is taken."""
    try:
        act()
    except ImageRefused as refused:
        return refused.reason
    return ""


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Decoders]]:
    """Return what makes decoders that do as told with each picture before they refuse it."""
    made: list[Decoders] = []

    def slowed(act: str) -> Decoders:
        code = "import time, indexer.decode.child as c\n"
        code += f"def slowly(data, **_):\n    if len(data) > {LITTLE}:\n        {act}\n"
        code += "    raise c.ImageRefused('broken')\nc.pixels_decode = slowly\n"
        patched = process._MAIN.replace("; ", "\n")
        patched = patched.replace("from indexer", f"{code}from indexer", 1)
        monkeypatch.setattr(process, "_COMMAND", (*process._COMMAND[:-1], patched))
        made.append(Decoders(1))
        assert refusal(lambda: made[0].ask(b"warm", side=None, pixels=True)) == "broken"
        return made[0]

    yield slowed
    for one in made:
        one.close()


@pytest.mark.parametrize("case", manifest()["cases"], ids=lambda case: case["file"])
def test_no_hostile_file_takes_two_seconds_to_decode(case: dict[str, Any]) -> None:
    data = (FOLDER / case["file"]).read_bytes()
    assert refusal(lambda: decode(b"no picture"))  # a process waits, as everywhere in the service
    reason, seconds = computing(lambda: refusal(lambda: decode(data)))
    assert seconds < SECONDS
    assert reason != "too_costly"  # what is killed by the clock is not counted


def test_a_decoder_that_computes_for_longer_is_over_the_bound(
    slow: Callable[[str], Decoders],
) -> None:
    decoders = slow(f"while time.process_time() < {SECONDS + 0.1}: pass")
    reason, seconds = computing(
        lambda: refusal(lambda: decoders.ask(bytes(LITTLE + 1), side=None, pixels=True))
    )
    assert reason == "broken"
    assert SECONDS < seconds < 2 * SECONDS


def test_a_decoder_that_waits_or_that_others_keep_waiting_is_not(
    slow: Callable[[str], Decoders],
) -> None:
    decoders = slow("time.sleep(1)")
    _, seconds = computing(
        lambda: refusal(lambda: decoders.ask(bytes(LITTLE + 1), side=None, pixels=True))
    )
    assert seconds < 0.5


def test_a_decoder_that_dies_of_its_picture_is_counted(slow: Callable[[str], Decoders]) -> None:
    spins = "while time.process_time() < 0.6: pass\n        __import__('os').abort()"
    decoders = slow(spins)
    _, seconds = computing(
        lambda: refusal(lambda: decoders.ask(bytes(LITTLE + 1), side=None, pixels=True))
    )
    assert 0.5 < seconds < SECONDS


def test_what_this_process_computes_is_counted() -> None:
    image = Image.effect_mandelbrot((1200, 1200), (-2, -1, 1, 1), 100)
    _, seconds = computing(lambda: image.save(io.BytesIO(), "PNG"))
    assert seconds > 0
