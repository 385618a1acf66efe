"""What pictures may take together, and who goes first where several wait."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from indexer.decode import Allowance, DecoderUnavailable, ImageRefused, process
from indexer.decode.allowance import (
    CPU_SECONDS,
    DEADLINE_SECONDS,
    SHARED_CPU_SECONDS,
    TOGETHER_CPU_SECONDS,
)
from indexer.decode.pool import TURN_SECONDS, Decoders
from indexer.decode.turns import TurnNeverCame, Turns

SLOW = b"a picture that takes half a second of computing"


def reason_of(act: Callable[[], object]) -> str:
    """Return why a picture is refused; empty where it is taken."""
    try:
        act()
    except ImageRefused as refused:
        return refused.reason
    return ""


# --- the arithmetic --------------------------------------------------------------------------


def test_a_picture_may_take_less_the_less_is_left() -> None:
    together = Allowance(cpu=6, clock=100)
    assert together.bounds().cpu == SHARED_CPU_SECONDS
    together.spend(3.5)
    bounds = together.bounds()
    assert (bounds.cpu, bounds.past_cpu) == (3, "too_costly_together")
    assert (bounds.clock, bounds.past_clock) == (DEADLINE_SECONDS, "too_costly")
    together.spend(2.5)
    with pytest.raises(ImageRefused, match="request of its own"):
        together.bounds()


def test_the_clock_runs_whatever_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("indexer.decode.allowance.time.monotonic", lambda: now[0])
    together = Allowance(clock=30)
    now[0] += 25
    bounds = together.bounds()
    assert (bounds.clock, bounds.past_clock) == (5, "too_costly_together")
    now[0] += 5
    assert reason_of(together.bounds) == "too_costly_together"


def test_who_is_next_in_line_outwaits_any_picture_of_a_submission() -> None:
    assert SHARED_CPU_SECONDS < TURN_SECONDS
    assert SHARED_CPU_SECONDS < CPU_SECONDS, "what is taken must be readable to the worker"
    assert SHARED_CPU_SECONDS < TOGETHER_CPU_SECONDS < 2 * CPU_SECONDS


# --- pictures --------------------------------------------------------------------------------


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Decoders]:
    """Give a decoder whose pictures take half a second of computing before they are refused."""
    code = "import time, indexer.decode.child as c\ndef slowly(data, **_):\n"
    code += "    while time.process_time() < (0.5 if len(data) > 9 else 0): pass\n"
    code += "    raise c.ImageRefused('broken')\nc.pixels_decode = slowly\n"
    patched = process._MAIN.replace("; ", "\n").replace("from indexer", f"{code}from indexer", 1)
    monkeypatch.setattr(process, "_COMMAND", (*process._COMMAND[:-1], patched))
    decoders = Decoders(1)
    assert reason_of(lambda: decoders.ask(b"warm", side=None, pixels=False)) == "broken"
    yield decoders
    decoders.close()


def asked(decoders: Decoders, data: bytes, together: Allowance | None) -> str:
    return reason_of(
        lambda: decoders.ask(data, side=None, pixels=False, wait=60, allowance=together)
    )


def test_slow_pictures_are_read_until_the_allowance_is_spent(slow: Decoders) -> None:
    """Ten of them held a decoder ten times as long as one may, whatever each was answered."""
    together = Allowance(cpu=1.8)
    answers = [asked(slow, SLOW, together) for _ in range(10)]
    assert answers == ["broken"] * 4 + ["too_costly_together"] * 6
    assert asked(slow, SLOW, Allowance()) == "broken", "another submission has its own"
    assert asked(slow, SLOW, None) == "broken"


def test_a_picture_past_what_the_others_left_is_ended_and_told_so(
    monkeypatch: pytest.MonkeyPatch, slow: Decoders
) -> None:
    slow.close()
    spins = process._COMMAND[-1].replace("(0.5 if len(data) > 9 else 0)", "60")
    monkeypatch.setattr(process, "_COMMAND", (*process._COMMAND[:-1], spins))
    together = Allowance(cpu=0.6)
    assert asked(slow, SLOW, together) == "too_costly_together"
    assert asked(slow, SLOW, together) == "too_costly_together", "what it took counts"
    began = time.monotonic()
    assert asked(slow, SLOW, Allowance(clock=0.5)) == "too_costly_together"
    assert time.monotonic() - began < 10


def test_a_crash_counts_as_long_as_it_took(monkeypatch: pytest.MonkeyPatch, slow: Decoders) -> None:
    slow.close()
    dies = process._COMMAND[-1].replace(
        "raise c.ImageRefused('broken')", "__import__('os').abort()"
    )
    monkeypatch.setattr(process, "_COMMAND", (*process._COMMAND[:-1], dies))
    together = Allowance(cpu=0.8)
    answers = [asked(slow, SLOW, together) for _ in range(4)]
    assert answers[0] == "broken"
    assert answers[2:] == ["too_costly_together"] * 2


def test_a_machine_that_is_busy_too_long_is_no_refusal(slow: Decoders) -> None:
    with slow._turns.turn(0), pytest.raises(DecoderUnavailable):
        slow.ask(SLOW, side=None, pixels=False, allowance=Allowance(clock=0.2))


def test_between_two_pictures_of_a_submission_another_gets_its_turn(slow: Decoders) -> None:
    """With a semaphore, the thread that had the place took it again before the other woke."""
    order: list[str] = []

    def submission() -> None:
        together = Allowance(clock=60)
        for _ in range(4):
            asked(slow, SLOW, together)
            order.append("many")

    with ThreadPoolExecutor(1) as threads:
        many = threads.submit(submission)
        while slow._turns._free:
            time.sleep(0.01)
        asked(slow, SLOW, Allowance(clock=60))
        order.append("one")
        many.result()
    assert order.index("one") <= 2


# --- turns -----------------------------------------------------------------------------------


def test_turns_come_in_the_order_of_coming() -> None:
    turns, order = Turns(1), []

    def wait(n: int) -> None:
        with turns.turn(30):
            order.append(n)

    threads = [threading.Thread(target=wait, args=(n,)) for n in range(8)]
    with turns.turn(0):
        for n, thread in enumerate(threads):
            thread.start()
            while len(turns._line) <= n:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == list(range(8))
    assert (turns._free, len(turns._line)) == (1, 0)


def test_who_gives_up_leaves_the_line() -> None:
    turns = Turns(1)
    with turns.turn(0):
        with pytest.raises(TurnNeverCame), turns.turn(0.05):
            pytest.fail("there was no place")
        assert not turns._line
    with turns.turn(0):
        assert turns._free == 0
    assert turns._free == 1


def test_a_place_handed_over_at_the_last_moment_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns(1)

    def too_short(*_: object) -> bool:
        turns._hand_on()
        return False

    monkeypatch.setattr(threading.Event, "wait", too_short)
    turns._free = 0
    with turns.turn(0):
        assert not turns._line
    assert turns._free == 1


def test_a_thread_that_is_interrupted_keeps_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    for handed in (False, True):
        turns = Turns(1)

        def interrupted(*_: object, turns: Turns = turns, handed: bool = handed) -> bool:
            if handed:
                turns._hand_on()
            raise SystemExit

        monkeypatch.setattr(threading.Event, "wait", interrupted)
        turns._free = 0
        with pytest.raises(SystemExit), turns.turn(1):
            pytest.fail("it was interrupted")
        assert (turns._free, len(turns._line)) == (int(handed), 0)
