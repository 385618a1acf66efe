"""`python manage.py serve`: it starts everything, mends what dies, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from urllib3.exceptions import HTTPError

from scripts.house import ROOT, House
from scripts.web import Visitor

CHILDREN = ("Redis", "worker", "scheduler", "site")


def until(done: Callable[[], bool], *, seconds: float = 30) -> None:
    ends = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < ends, "it did not come about in time"
        time.sleep(0.05)


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture
def alone(tmp_path: Path) -> House:
    return House(tmp_path / "house")


def test_it_starts_answers_and_stops_without_a_trace(alone: House) -> None:
    with alone:
        assert "Unlist" in Visitor(alone.url).get("/")
        children = [alone.process_id(name) for name in CHILDREN]
        assert all(map(lives, children))
        assert alone.stop() == 0
    assert not any(map(lives, children))
    assert "everything stopped" in alone.words()
    assert not (alone.data_dir / "run" / "redis.sock").exists()


def test_each_child_that_is_killed_is_started_again(alone: House) -> None:
    with alone:
        for name in CHILDREN:
            before = alone.process_id(name)
            os.kill(before, signal.SIGKILL)
            until(partial(started_anew, alone, name, before))
            assert lives(alone.process_id(name))
        until(lambda: alone_answers(alone))


def started_anew(house: House, name: str, before: int) -> bool:
    return house.process_id(name) != before


def alone_answers(house: House) -> bool:
    try:
        return Visitor(house.url).send("GET", "/").status == 200
    except HTTPError:
        return False


def test_children_end_with_it_even_when_it_is_killed(alone: House) -> None:
    with alone:
        children = [alone.process_id(name) for name in CHILDREN]
        assert alone._process is not None
        alone._process.kill()
        until(lambda: not any(map(lives, children)))


def test_the_second_on_the_same_folder_or_port_is_refused_with_a_sentence(
    alone: House, tmp_path: Path
) -> None:
    def second(env: dict[str, str]) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", "serve", "--port", str(alone.port)],
            check=False,
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        return done.stderr

    with alone:
        assert "a server already runs on" in second(alone.env)
        other = House(tmp_path / "other").env
        assert f"port {alone.port} of 127.0.0.1 is taken" in second(other)


def test_the_staff_login_is_made_once_and_forgotten_once_changed(alone: House) -> None:
    with alone:
        name, password = alone.staff_login()
        assert f"login: {name} / {password}" in alone.words()
    change = (
        "from django.contrib.auth import get_user_model as g;"
        "u = g().objects.get(); u.set_password('another-password-1'); u.save()"
    )
    alone.manage("shell", "-c", change)
    said = len(alone.words())
    with alone:
        until(lambda: "staff:" in alone.words()[said:])
        assert password not in alone.words()[said:]
