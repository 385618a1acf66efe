"""Run the whole service with `python manage.py serve`: a free port, a folder of its own."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
_FOREIGN = ("UNLIST_", "DJANGO_")


class HouseDown(Exception):
    """The service did not start, or a command of it failed; its last words are in the sentence."""


class House:
    """A running service: data, secrets and log under one folder; everything ends with it."""

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None) -> None:
        """Prepare to run in `folder`; `env` adds to the environment of every process."""
        self.folder = folder
        self.data_dir = folder / "data"
        self.secret_dir = folder / "data-secrets"
        self.log = folder / "serve.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_FOREIGN) and name not in {"DATABASE_URL", "REDIS_URL"}
        }
        self.env = {
            **inherited,
            "UNLIST_DATA_DIR": str(self.data_dir),
            "UNLIST_SECRET_DIR": str(self.secret_dir),
            "UNLIST_PUBLIC_URL": self.url,
            **(env or {}),
        }

    def __enter__(self) -> Self:
        """Start the service and wait until it is ready."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    def start(self, *, seconds: float = 90) -> None:
        """Start the service.

        Raises:
            HouseDown: it ended or was not ready within `seconds`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", "--port", str(self.port)],
                cwd=ROOT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        ends = time.monotonic() + seconds
        while "unlist: ready" not in self.words():
            if self._process.poll() is not None or time.monotonic() > ends:
                self.stop()
                raise HouseDown(f"the service did not start:\n{self.words()[-3000:]}")
            time.sleep(0.1)

    def stop(self) -> int | None:
        """Ask the service to stop and wait for it; return its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return process.returncode

    def words(self) -> str:
        """Return everything that the service has said."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def process_id(self, name: str) -> int:
        """Return the id of the newest `site`, `worker`, `scheduler` or `Redis`."""
        found = re.findall(rf"unlist: {name} started \(process (\d+)\)", self.words())
        if not found:
            raise HouseDown(f"the service never started a child named {name}")
        return int(found[-1])

    def staff_login(self) -> tuple[str, str]:
        """Return name and password of the staff login that the first start made."""
        return "maintainer", (self.secret_dir / "staff" / "first-login").read_text()

    def manage(self, *words: str | Path, stdin: str = "") -> str:
        """Run `python manage.py WORDS` beside the service; return what it printed.

        Raises:
            HouseDown: the command failed.
        """
        done = subprocess.run(
            [sys.executable, "manage.py", *map(str, words)],
            check=False,
            cwd=ROOT,
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise HouseDown(f"manage.py {words[0]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout


def free_port() -> int:
    """Return a port of the loopback address that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
