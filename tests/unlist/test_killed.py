"""Killed at any step and run again: a shard is old or new, never in between.

A child process is ended without clean-up (``os._exit``, as by SIGKILL) just before its n-th change
to the file system, for every n there is; half of the runs are killed a second time.  No torn page
is simulated: what was written before the kill is there, synced or not.
"""

import hashlib
import os
import shutil
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.unlist.datasets import LISTED, cleaned_check, dataset_make, files_in
from tests.unlist.publisher import Listed, Publisher
from tests.unlist.test_apply import images_make
from unlist.apply import OutRefused, Report, apply
from unlist.blocklist import Blocklist
from unlist.client import pull

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="needs fork, to be killed without clean-up"
)

_CHANGES = ("replace", "rename", "unlink", "mkdir", "rmdir", "fsync", "remove", "link")
_KILLED, _REFUSED = 77, 78


def killed_at(step: int, act: Callable[[], object]) -> bool:
    """Run ``act`` in a child that dies just before its ``step``-th change; whether it did."""
    child = os.fork()
    if child == 0:
        try:
            _die_at(step)
            act()
        except OutRefused:
            os._exit(_REFUSED)
        except BaseException:  # noqa: BLE001  # the child must end here, whatever happened
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, _KILLED, _REFUSED}
    return code == _KILLED


def _die_at(step: int) -> None:
    left = [step]

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def change(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os._exit(_KILLED)
            return real(*args, **kwargs)

        return change

    for name in _CHANGES:
        setattr(os, name, counted(getattr(os, name)))


def visible(folder: Path) -> dict[str, bytes]:
    """The dataset's files, without the work folder."""
    files = files_in(folder).items() if folder.is_dir() else []
    return {name: data for name, data in files if not name.startswith(".unlist-apply")}


def shards_check(now: dict[str, bytes], before: dict[str, bytes], after: dict[str, bytes]) -> None:
    """With no journal pending, each shard's files are all old or all new."""
    for shard in {name[:5] for name in before}:
        states = [
            {n: d for n, d in files.items() if n.startswith(shard)}
            for files in (now, before, after)
        ]
        assert states[0] in states[1:] or not states[0]


@pytest.mark.parametrize("in_place", [False, True], ids=["out", "in-place"])
def test_apply_killed_at_every_step(
    tmp_path: Path, blocklist: Callable[[Listed], Blocklist], in_place: bool
) -> None:
    listed = blocklist(LISTED)
    dataset_make(tmp_path / "whole", shards=3)
    before = files_in(tmp_path / "whole")
    expected = apply(tmp_path / "whole", listed, out=None)
    after = files_in(tmp_path / "whole")
    for step in range(1, 1000):
        home = tmp_path / str(step)
        write(before, home / "data")

        def run(home: Path = home) -> Report:
            out = None if in_place else home / "clean"
            return apply(home / "data", listed, out=out, report=home / "report.json")

        if not killed_at(step, run):
            assert step > 40
            break
        target = home / ("data" if in_place else "clean")
        if not (target / ".unlist-apply" / "journal.json").exists():
            shards_check(visible(target), before, after)
        if step % 2:
            killed_at(1 + step % 7, run)
        finished(run, home, expected)
        cleaned_check(before, target)
        assert visible(target) == files_in(target) == after
    else:
        pytest.fail("the run never came to its end")


def finished(run: Callable[[], Report], home: Path, expected: Report) -> None:
    """Run again to the end; only a run killed in its last clean-up has nothing left to continue."""
    had_report = (home / "report.json").exists()
    try:
        report = run()
    except OutRefused:
        assert had_report
        return
    if had_report and report.rows_removed == 0:
        return  # in place, killed after all was done: now there is nothing to remove
    assert report == expected


def write(files: dict[str, bytes], folder: Path) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def test_images_removed_in_place_killed_at_every_step(
    tmp_path: Path, blocklist: Callable[[Listed], Blocklist]
) -> None:
    images_make(tmp_path / "whole")
    before = files_in(tmp_path / "whole")
    gone = [hashlib.sha256(before[name]).hexdigest() for name in ("a.jpg", "sub/c.webp")]
    listed = blocklist({"sha256": gone})
    expected = apply(tmp_path / "whole", listed, out=None)
    after = files_in(tmp_path / "whole")
    for step in range(1, 1000):
        home = tmp_path / str(step)
        write(before, home / "data")

        def run(home: Path = home) -> Report:
            return apply(home / "data", listed, out=None, report=home / "report.json")

        if not killed_at(step, run):
            assert step > 20
            break
        finished(run, home, expected)
        assert files_in(home / "data") == after
    else:
        pytest.fail("the run never came to its end")


def test_pull_killed_at_every_step(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path / "site")
    publisher.release(1, {"url": ["https://a.example/1"]})
    publisher.release(2, {"url": ["https://a.example/1", "https://a.example/2"]})

    def fetch(cache: Path) -> None:
        pull(str(publisher.folder), publisher.root, cache=cache)

    first = tmp_path / "first"
    fetch(first)
    publisher.release(3, {"url": ["https://a.example/3"]})
    for step in range(1, 1000):
        cache = tmp_path / f"cache-{step}"
        write_tree(first, cache)
        if not killed_at(step, partial(fetch, cache)):
            assert step > 10
            break
        assert Blocklist.open(cache).release in {2, 3}
        fetch(cache)
        assert Blocklist.open(cache).release == 3
        assert not list((cache / "public").glob(".new-*"))
    else:
        pytest.fail("the pull never came to its end")


def write_tree(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True)
