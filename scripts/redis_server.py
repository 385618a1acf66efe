"""A private Redis for tests, which keeps what it was told for the test to read."""

import contextlib
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import redis

from config.embedded import redis_child, redis_wait
from config.environ import Environment


class Overheard:
    """Every command that a Redis server was sent since `Overheard` began to listen."""

    def __init__(self, socket: Path) -> None:
        """Listen at the server behind `socket` until the server ends."""
        self._lines: list[str] = []
        # However long nothing is said, the listener stays: what it misses would never be searched.
        self._client = redis.Redis(unix_socket_path=str(socket), socket_timeout=None)
        began = threading.Event()
        threading.Thread(target=self._listen, args=(began,), daemon=True).start()
        began.wait(10)

    def text(self) -> str:
        """Return all commands so far, one a line."""
        return "\n".join(self._lines)

    def _monitor(self) -> Any:
        return self._client.monitor()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped

    def _listen(self, began: threading.Event) -> None:
        with contextlib.suppress(redis.ConnectionError), self._monitor() as monitor:
            began.set()
            for command in monitor.listen():
                self._lines.append(str(command["command"]))


@contextlib.contextmanager
def private_redis() -> Iterator[Path]:
    """Yield the socket of a Redis of our own, started as `serve` starts one."""
    with tempfile.TemporaryDirectory(prefix="unlist-redis-") as folder:
        socket = Path(folder) / "run" / "redis.sock"
        unlist = cast("Environment", SimpleNamespace(redis_socket=socket))
        with subprocess.Popen(redis_child(unlist).command, stdin=subprocess.DEVNULL) as process:
            try:
                redis_wait(unlist)
                yield socket
            finally:
                process.terminate()
