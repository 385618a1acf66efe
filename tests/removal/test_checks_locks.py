"""Locks: `doctor` finds out whether what it holds can be taken by another process."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from removal.checks import locks
from removal.checks.locks import locks_check, mount_of
from tests.removal import factories


@pytest.fixture(autouse=True)
def folders(settings: Any) -> list[Path]:
    factories.secrets_made()
    settings.UNLIST.data_dir.mkdir(parents=True, exist_ok=True)
    return locks._folders()


def ids() -> list[str]:
    return [finding.id or "" for finding in locks_check()]


def test_on_a_local_disk_all_is_well_and_nothing_is_left(
    folders: list[Path], settings: Any
) -> None:
    names = [folder.name for folder in folders]
    assert {"public", "staff", "worker"} <= set(names)
    assert folders[-1] == settings.UNLIST.data_dir
    before = sorted(settings.UNLIST.data_dir.iterdir())
    assert ids() == []
    assert sorted(settings.UNLIST.data_dir.iterdir()) == before


def test_locks_that_everybody_is_given_are_an_error(
    folders: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a mount whose locks do nothing: the parent's call succeeds, and so does the child's."""
    monkeypatch.setattr("removal.checks.locks.fcntl.flock", lambda *_: None)
    found = locks_check()
    assert [finding.id for finding in found] == ["removal.E041"] * len(folders)
    assert str(folders[0]) in found[0].msg
    assert found[0].hint


def test_a_folder_that_cannot_be_locked_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """As NFS answers for a folder, which cannot be opened for writing."""

    def refused(*_: object) -> None:
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr("removal.checks.locks.fcntl.flock", refused)
    found = locks_check()
    assert {finding.id for finding in found} == {"removal.E040"}
    assert "Bad file descriptor" in found[0].msg


def test_a_second_process_that_cannot_try_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_TRY", "raise SystemExit(3)")
    assert set(ids()) == {"removal.E040"}
    monkeypatch.setattr(locks, "_TRY", "import time; time.sleep(60)")
    monkeypatch.setattr(locks, "_PATIENCE_SECONDS", 0.2)
    assert set(ids()) == {"removal.E040"}


HOLDS = """
import fcntl, os, sys
handle = os.open(sys.argv[1], os.O_RDONLY)
fcntl.flock(handle, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def rotating(folders: list[Path]) -> Iterator[Path]:
    """Have another process hold the lock of a role's secrets, as a rotation does."""
    command = [sys.executable, "-c", HOLDS, str(folders[0])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        yield folders[0]
        process.terminate()


def test_a_rotation_under_way_is_no_fault(rotating: Path) -> None:
    handle = os.open(rotating, os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(handle)
    assert ids() == []


# --- mounts ----------------------------------------------------------------------------------

NFS = "300 24 0:50 / /srv/data rw,noatime shared:9 - nfs4 host:/data rw,vers=4.2,local_lock=none"
NFS3 = "301 24 0:51 / /srv/old rw shared:9 - nfs host:/old rw,vers=3,nolock,local_lock=all"
SMB = "302 24 0:52 / /srv/a\\040b rw - cifs //host/b rw,nobrl"
ROOT = "24 1 254:0 / / rw,relatime - ext4 /dev/root rw"
SSH = "303 24 0:53 / /srv/ssh rw - fuse.sshfs me@host:/ rw,user_id=0"


@pytest.mark.parametrize(
    ("folder", "kind", "alone"),
    [
        ("/var/lib/unlist", "ext4", False),
        ("/srv/data", "nfs4", False),
        ("/srv/database", "ext4", False),
        ("/srv/data/releases", "nfs4", False),
        ("/srv/old/releases", "nfs", True),
        ("/srv/a b/c", "cifs", True),
        ("/srv/ssh/x", "fuse.sshfs", True),
    ],
)
def test_mounts_whose_locks_hold_on_one_host_alone(
    folder: str, kind: str, alone: bool, tmp_path: Path
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(f"{ROOT}\n{NFS}\n{NFS3}\n{SMB}\n{SSH}\n")
    mount = mount_of(Path(folder), table)
    assert mount
    assert (mount.kind, locks._holds_here_alone(mount)) == (kind, alone)


def test_such_a_mount_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    sshfs = locks.Mount("/srv", "fuse.sshfs", ("rw",))
    monkeypatch.setattr(locks, "mount_of", lambda _: sshfs)
    found = locks_check()
    assert {finding.id for finding in found} == {"removal.W040"}
    assert "fuse.sshfs at /srv" in found[0].msg


def test_systems_that_do_not_tell_their_mounts(tmp_path: Path) -> None:
    assert mount_of(tmp_path, tmp_path / "none") is None
    assert mount_of(tmp_path) is not None or not locks._MOUNTS.exists()
