"""What `doctor` looks at about locks: what one process holds, no other can take.

Rotations of secrets, builds of releases and of indexes each go on in one process at a time, by a
lock of the kernel's on a file or folder. Some network file systems give such a lock to everybody,
or to one process of each host.
"""

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004

from removal.custody.secrets import roles_readable

_TAKEN, _REFUSED = 0, 9
_TRY: Final = f"""
import fcntl, os, sys
handle = os.open(sys.argv[1], int(sys.argv[2]))
try:
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit({_REFUSED})
sys.exit({_TAKEN})
"""
_PATIENCE_SECONDS: Final = 20
_MOUNTS: Final = Path("/proc/self/mountinfo")
# By which options of a mount locks hold on this host alone; an empty one stands for any mount.
_LOCAL: Final[Mapping[str, Sequence[str]]] = {
    "nfs": ("nolock", "local_lock=flock", "local_lock=all"),
    "nfs4": ("nolock", "local_lock=flock", "local_lock=all"),
    "cifs": ("nobrl",),
    "smb3": ("nobrl",),
    "fuse.sshfs": ("",),
}
_MEND: Final = (
    "Put the folder on a local disk, or on NFS version 4 without `nolock` and `local_lock`; the "
    "secrets of the roles on a local disk in any case (docs/operators.md, Locks)."
)


@dataclass(frozen=True, slots=True)
class Mount:
    """Where a folder lies."""

    point: str
    kind: str
    options: tuple[str, ...]


@register("unlist", deploy=True)
def locks_check(**_: Any) -> list[CheckMessage]:
    """Locks exclude on the data folder and on the secrets of this role, on every host."""
    return [finding for folder in _folders() for finding in _findings(folder)]


def _folders() -> list[Path]:
    """Return those there are; that one is missing or not writable is told by other checks."""
    roles = [Path(settings.UNLIST.secret_dir) / role for role in sorted(roles_readable())]
    data = Path(settings.UNLIST.data_dir)
    return [
        *(folder for folder in roles if os.access(folder, os.R_OK | os.X_OK)),
        *([data] if os.access(data, os.W_OK | os.X_OK) else []),
    ]


def _findings(folder: Path) -> Iterator[CheckMessage]:
    try:
        excludes = _excludes(folder)
    except (OSError, subprocess.TimeoutExpired) as error:
        why = os.strerror(error.errno or 0) if isinstance(error, OSError) else "no answer"
        yield Error(f"{folder} cannot be locked: {why}.", hint=_MEND, id="removal.E040")
        return
    if not excludes:
        yield Error(
            f"Locks on {folder} do not exclude: two processes were given the same one.",
            hint=_MEND,
            id="removal.E041",
        )
    mount = mount_of(folder)
    if mount and _holds_here_alone(mount):
        yield Warning(
            f"{folder} lies on {mount.kind} at {mount.point}, mounted so that a lock holds on "
            "this host alone.",
            hint=_MEND,
            id="removal.W040",
        )


def _excludes(folder: Path) -> bool:
    """Lock as the service does and have a child process try: the folder of secrets, else a file.

    Raises:
        OSError: it cannot be locked at all.
        subprocess.TimeoutExpired: the child got no answer.
    """
    if folder != Path(settings.UNLIST.data_dir):
        return _child_refused(folder, os.O_RDONLY)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-", suffix=".lock") as file:
        return _child_refused(Path(file.name), os.O_WRONLY)


def _child_refused(path: Path, flags: int) -> bool:
    handle = os.open(path, flags)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        tried = subprocess.run(
            [sys.executable, "-I", "-c", _TRY, str(path), str(flags)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except BlockingIOError:
        return True  # another process of the service holds it just now, and this one cannot
    finally:
        os.close(handle)
    if tried.returncode not in {_TAKEN, _REFUSED}:
        raise OSError(5, "a second process cannot open it")
    return tried.returncode == _REFUSED


def mount_of(folder: Path, mounts: Path = _MOUNTS) -> Mount | None:
    """Return the mount that a folder lies on; None where the system does not tell."""
    if not mounts.exists():
        return None
    real = folder.resolve()
    found = [
        mount
        for mount in map(_mount_read, mounts.read_text().splitlines())
        if real.is_relative_to(mount.point)
    ]
    return max(found, key=lambda mount: len(Path(mount.point).parts), default=None)


def _mount_read(line: str) -> Mount:
    """Read a line of mountinfo: proc_pid_mountinfo(5)."""
    before, _, after = line.partition(" - ")
    kind, _source, shared = after.split(" ", 2)
    words = before.split(" ")
    point = words[4].encode().decode("unicode_escape")
    return Mount(point, kind, (*words[5].split(","), *shared.split(",")))


def _holds_here_alone(mount: Mount) -> bool:
    local = _LOCAL.get(mount.kind, ())
    return "" in local or any(option in local for option in mount.options)
