"""A worker dies while it indexes, without a word, and its group is indexed all the same."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.house import ROOT, House
from scripts.sample.dataset import Written

PATIENCE = 60.0


@pytest.fixture
def running(tmp_path: Path, sample: Written) -> Iterator[House]:
    """The embedded service, with the sample dataset added and not indexed."""
    with House(tmp_path / "house", {"UNLIST_GROUP_ROWS": "40"}) as house:
        house.manage("add_dataset", "sample", "--format", "img2dataset", "--path", sample.folder)
        yield house


def test_a_killed_workers_group_is_indexed_by_another(running: House, tmp_path: Path) -> None:
    words = tmp_path / "words"
    with words.open("wb") as told:
        command = subprocess.Popen(
            [sys.executable, "manage.py", "index_dataset", "sample", "--distributed"],
            cwd=ROOT,
            env=running.env,
            stdout=told,
            stderr=subprocess.STDOUT,
        )
        worker = running.process_id("worker")
        ends = time.monotonic() + 120
        while b"1 groups in work" not in words.read_bytes():
            assert time.monotonic() < ends, words.read_text()
            assert command.poll() is None, words.read_text()
            time.sleep(0.05)
        os.kill(worker, signal.SIGKILL)
        began = time.monotonic()
        assert command.wait(PATIENCE + 60) == 0, words.read_text()
    assert time.monotonic() - began < PATIENCE
    assert f"worker died (signal {signal.SIGKILL.name})" in running.words()
    groups = next((running.data_dir / "indexes").glob("sample"))
    assert {path.name for path in groups.iterdir()} - {".lock"} == {
        path.parent.name for path in groups.glob("*/index.json")
    }
    assert "groups are ready" in words.read_text()
