"""Peers' lists are exact, their workers answer, and what fails says so."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import ROOT, bench_dir, peers
from benchmarks.peers import Measured, Peer, PeerFailed, PeerNotInstalled, PeerUnknown
from benchmarks.peers.serving import Timed, answer, peak_rss

_WORKER = """
import os, sys, time
from benchmarks.peers.serving import Timed, serve

def double(number):
    print("a library's chatter")
    return 2 * number

def part():
    time.sleep(0.05)
    return Timed("done", 0.001)

def hang():
    time.sleep(60)

def die():
    print("going", file=sys.stderr, flush=True)
    os._exit(9)

serve({"double": double, "part": part, "die": die, "hang": hang})
"""


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Peer]:
    """A worker of this interpreter's own, in a package beside the real ones."""
    monkeypatch.setenv("UNLIST_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(peers, "peer_python", lambda _: Path(sys.executable))
    monkeypatch.setattr(peers, "child_env", lambda _: {"PYTHONPATH": str(ROOT)})
    module = tmp_path / "demo_worker.py"
    module.write_text(_WORKER)
    monkeypatch.setattr(peers, "worker_command", lambda _: [str(module)])
    with Peer("demo", timeout=20) as child:
        yield child


def test_calls_are_answered_and_chatter_does_not_disturb(peer: Peer) -> None:
    assert peer.call("double", number=21) == 42
    assert peer.peak_rss() > 2**20
    assert peer.call("double", number="ab") == "abab"


def test_a_worker_may_time_a_part_itself(peer: Peer) -> None:
    assert peer.timed("part") == Measured(0.001)


def test_a_fault_in_a_call_is_told_and_the_worker_lives_on(peer: Peer) -> None:
    with pytest.raises(PeerFailed, match="KeyError: 'nothing'"):
        peer.call("nothing")
    assert peer.call("double", number=1) == 2


def test_a_death_is_told_with_its_last_words(peer: Peer) -> None:
    with pytest.raises(PeerFailed, match=r"(?s)ended with 9 in die.*going"):
        peer.call("die")
    with pytest.raises(PeerFailed, match="ended with 9"):
        peer.call("double", number=1)


def test_a_call_that_hangs_fails_in_time(peer: Peer) -> None:
    peer.timeout = 0.1
    with pytest.raises(PeerFailed, match="no answer"):
        peer.call("hang")
    peer.kill()


def test_answers_carry_seconds() -> None:
    functions = {"one": lambda: 1, "own": lambda: Timed("r", 2.5)}
    assert answer(functions, '{"call": "one", "with": {}}')["result"] == 1
    assert answer(functions, '{"call": "own", "with": {}}') == {"result": "r", "seconds": 2.5}
    assert "JSONDecodeError" in answer(functions, "no JSON")["error"]


def test_peak_memory_of_this_process_is_plausible() -> None:
    assert 10 * 2**20 < peak_rss() < 2**40


def test_every_list_pins_each_package_exactly_and_has_its_worker() -> None:
    assert {"autofaiss", "faiss", "threatexchange"} <= set(peers.peer_names())
    for name in peers.peer_names():
        lines = (peers.HERE / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        pins = [line.partition("#")[0].strip() for line in lines]
        assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins if pin)
        assert (peers.HERE / f"{name}_worker.py").is_file()
        assert any(pins)


def test_a_peer_without_a_list_is_refused_by_name() -> None:
    with pytest.raises(PeerUnknown, match="there are autofaiss"):
        peers.peer_python("nobody")


def test_an_environment_that_cannot_be_made_leaves_no_stamp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNLIST_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(peers, "HERE", tmp_path)
    (tmp_path / "odd.txt").write_text("no-such-package-anywhere==1.0\n")
    with pytest.raises(PeerNotInstalled, match="no-such-package-anywhere"):
        peers.peer_python("odd")
    assert not (bench_dir("venvs") / "odd" / ".ready").exists()


def test_an_environment_is_made_once_and_again_when_its_pins_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNLIST_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(peers, "HERE", tmp_path)
    made: list[str] = []

    def install(folder: Path, pins: Path) -> None:
        folder.mkdir(exist_ok=True)
        made.append(pins.read_text())

    monkeypatch.setattr(peers, "_install", install)
    (tmp_path / "some.txt").write_text("a==1\n")
    first = peers.peer_python("some")
    assert peers.peer_python("some") == first == bench_dir("venvs") / "some" / "bin" / "python"
    assert made == ["a==1\n"]
    (tmp_path / "some.txt").write_text("a==2\n")
    peers.peer_python("some")
    assert made == ["a==1\n", "a==2\n"]
