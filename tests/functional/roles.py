"""Run compose.yaml without containers: each service's own command, role, secrets and data.

What a container would mount becomes a link in a folder of the service's own, so that a service sees
the secrets of its role and no others. Images, networks and users are not played.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml
from urllib3.exceptions import HTTPError

from scripts.house import ROOT, free_port
from scripts.web import Visitor

METRICS_TOKEN = "0123456789abcdef0123456789abcdef"
_CMD = re.compile(r"^CMD (\[.*\])$", re.MULTILINE)


class RoleFailed(Exception):
    """A service's command ended otherwise than it should; its words are in the sentence."""


def compose_read() -> dict[str, Any]:
    """Return compose.yaml with its anchors resolved."""
    read: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return read


def image_command(target: str) -> list[str]:
    """Return the CMD of a target of the Dockerfile."""
    stage = (
        (ROOT / "Dockerfile").read_text().partition(f" AS {target}\n")[2].partition("\nFROM ")[0]
    )
    (command,) = _CMD.findall(stage)
    words: list[str] = yaml.safe_load(command)
    return words


@dataclass
class Roles:
    """The services of compose.yaml on one machine, with volumes under `folder`."""

    folder: Path
    database_url: str
    redis_url: str
    compose: dict[str, Any] = field(default_factory=compose_read)
    ports: dict[str, int] = field(default_factory=dict)
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Give each web service its port."""
        self.ports = {name: free_port() for name in ("web", "staff")}
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stop what was started, the last first."""
        self.stop_all()

    def stop(self, *names: str) -> None:
        """Stop services that were started."""
        stopped = [self._running.pop(name) for name in names]
        for process in stopped:
            process.send_signal(signal.SIGTERM)
        for process in stopped:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def stop_all(self) -> None:
        """Stop all that were started and still run, the last first."""
        self.stop(*reversed(self._running))

    def answers(self, name: str, *, seconds: float = 60) -> None:
        """Wait until a web service answers.

        Raises:
            RoleFailed: it did not within `seconds`.
        """
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            try:
                Visitor(self.url(name)).send("GET", "/health/live")
            except HTTPError:
                time.sleep(0.2)
            else:
                return
        raise RoleFailed(f"{name} does not answer: {self.words()}")

    def url(self, name: str) -> str:
        """Return where a web service listens."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def start(self, name: str) -> None:
        """Start a service's own command and leave it running."""
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(
                self._command(name),
                cwd=ROOT,
                env=self.env(name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._running[name] = process

    def run(self, name: str, *words: str | Path) -> str:
        """Run a service once: its own command, or WORDS as `docker compose run` would.

        Raises:
            RoleFailed: it did not succeed.
        """
        done = subprocess.run(
            [str(word) for word in words] or self._command(name),
            check=False,
            cwd=ROOT,
            env=self.env(name),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RoleFailed(f"{name} {words}: {done.stdout}{done.stderr}")
        return done.stdout

    def log(self, name: str) -> Path:
        """Return where a service's words go."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{name}.log"

    def env(self, name: str) -> dict[str, str]:
        """Return the environment that compose.yaml gives, with our addresses for its hosts."""
        given = {key: _default(value) for key, value in self._service(name)["environment"].items()}
        given |= {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}
        given |= {"UNLIST_PUBLIC_URL": self.url(name if name in self.ports else "web")}
        given |= {"UNLIST_POW_COST": "500", "UNLIST_GROUP_ROWS": "40"}
        given |= {key: METRICS_TOKEN for key in given if key == "UNLIST_METRICS_TOKEN"}
        return {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "TMPDIR": str(self._temporary()),
            **given,
            **self._mounts(name),
        }

    def _temporary(self) -> Path:
        """Return the folder of temporary files, which a container keeps in memory."""
        folder = self.folder / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _mounts(self, name: str) -> dict[str, str]:
        """Link the service's volumes into its own folder; return the variables that name them."""
        own = self.folder / "seen-by" / name
        (own / "secrets").mkdir(parents=True, exist_ok=True)
        for mount in self._service(name)["volumes"]:
            volume, inside = str(mount).split(":")[:2]
            if not inside.startswith(("/data", "/secrets/")):
                continue
            kept = self.folder / "volumes" / volume
            kept.mkdir(mode=0o700, parents=True, exist_ok=True)
            link = own / inside.lstrip("/")
            if not link.is_symlink():
                link.symlink_to(kept)
        return {"UNLIST_DATA_DIR": str(own / "data"), "UNLIST_SECRET_DIR": str(own / "secrets")}

    def _service(self, name: str) -> dict[str, Any]:
        service: dict[str, Any] = self.compose["services"][name]
        return service

    def _command(self, name: str) -> list[str]:
        service = self._service(name)
        words: Sequence[str] = service.get("command") or image_command(service["build"]["target"])
        port = self.ports.get(name)
        return [re.sub(r"^0\.0\.0\.0:8000$", f"127.0.0.1:{port}", word) for word in words]

    def words(self) -> str:
        """Return what every service has said."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"== {path.name}\n{path.read_text(errors='replace')}" for path in logs)


def _default(value: object) -> str:
    """Return what compose would put for `${NAME:-default}` and `${NAME:+set}` with nothing set."""
    without = re.sub(r"\$\{[A-Z_]+:\+[^}]*\}", "", str(value))
    return re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", without)


def programs_named(compose: dict[str, Any]) -> set[str]:
    """Return the first word of every command, shell lines taken apart."""
    named: set[str] = set()
    for service in compose["services"].values():
        words = service.get("command") or []
        lines = words[2].split("&&") if words[:2] == ["sh", "-c"] else [shlex.join(words)]
        named |= {shlex.split(line)[0] for line in lines if line.strip()}
    return named
