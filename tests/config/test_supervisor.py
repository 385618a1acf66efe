import os
import signal
import sys
import time
from pathlib import Path

import pytest

from config.supervisor import DEATHS_BORNE, Child, ChildKeepsDying, Supervisor

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def wait_dead(child: Child) -> None:
    assert child.process is not None
    child.process.wait(10)


def test_a_killed_child_is_named_and_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor, child = Supervisor(tmp_path, said.append), Child("worker", SLEEPER)
    supervisor.start(child)
    first = child.process
    assert first is not None
    try:
        os.kill(first.pid, signal.SIGKILL)
        wait_dead(child)
        supervisor.check()
        assert child.process is not first
        assert "worker died (signal SIGKILL); starting it again" in said
    finally:
        supervisor.stop()


def test_a_child_that_keeps_dying_stops_the_whole_with_its_name(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, lambda _sentence: None)
    child = Child("site", [sys.executable, "-c", "raise SystemExit(3)"])
    supervisor.start(child)
    try:
        for _ in range(DEATHS_BORNE):
            wait_dead(child)
            supervisor.check()
        wait_dead(child)
        with pytest.raises(ChildKeepsDying, match=r"site died .* doctor"):
            supervisor.check()
    finally:
        supervisor.stop()


def test_children_stop_last_started_first(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, lambda _sentence: None)
    code = (
        "import signal,sys,pathlib,time\n"
        "def end(*_):\n"
        "    with pathlib.Path('order').open('a') as f: f.write(sys.argv[1])\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "pathlib.Path('up' + sys.argv[1]).touch()\n"
        "time.sleep(60)"
    )
    for name in "AB":
        supervisor.start(Child(name, [sys.executable, "-c", code, name]))
    ends = time.monotonic() + 20
    while not all((tmp_path / f"up{name}").exists() for name in "AB"):
        assert time.monotonic() < ends
        time.sleep(0.02)
    supervisor.stop()
    assert (tmp_path / "order").read_text() == "BA"
