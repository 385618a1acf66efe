"""`python manage.py serve`: the site with its worker and scheduler, on one machine."""

import contextlib
import fcntl
import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from config import embedded, firststart
from config.environ import BASE_DIR, Environment
from config.supervisor import ChildKeepsDying, Supervisor

REFUSALS = (
    ChildKeepsDying,
    embedded.PortTaken,
    embedded.ServerMissing,
    firststart.FirstDatasetFailed,
)


class Command(BaseCommand):
    help = (
        "Run the site, a worker and the scheduler on this machine until stopped by Ctrl-C. "
        "Makes tables, keys and a staff login on the first start, and starts a private Redis "
        "unless REDIS_URL names one."
    )

    requires_system_checks = ()  # the tables that some of them read are made here

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="port on 127.0.0.1 (8000)")
        parser.add_argument(
            "--sample",
            type=Path,
            metavar="FOLDER",
            help="an img2dataset folder to cover as `sample` while no dataset is covered yet",
        )

    def handle(self, *, port: int, sample: Path | None, **_options: Any) -> None:
        unlist: Environment = settings.UNLIST
        if unlist.role != "all":
            raise CommandError(
                f"`serve` runs every role in one place, but UNLIST_ROLE is {unlist.role}: "
                "unset it, or start the role's own process as compose.yaml does"
            )
        os.umask(0o077)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold photos
        supervisor = Supervisor(BASE_DIR, self._say)
        try:
            with _sole_server(unlist.data_dir), _stopped_by_signal():
                self._run(unlist, supervisor, port, sample)
        except REFUSALS as refusal:
            raise CommandError(str(refusal)) from None
        finally:
            supervisor.stop()
            self._say("everything stopped")

    def _run(
        self, unlist: Environment, supervisor: Supervisor, port: int, sample: Path | None
    ) -> None:
        embedded.port_check(port)
        env: dict[str, str] = {}
        if "public_url" not in unlist.model_fields_set:
            env["UNLIST_PUBLIC_URL"] = f"http://127.0.0.1:{port}"
        if not unlist.redis_url:
            supervisor.start(embedded.redis_child(unlist))
            embedded.redis_wait(unlist)
        firststart.tables_and_keys_make()
        login = firststart.staff_login(unlist)
        if sample is not None and not _covers_anything():
            firststart.dataset_begin("sample", "Sample dataset", sample.absolute(), env)
        connections.close_all()
        supervisor.start(embedded.worker_child(env))
        supervisor.start(embedded.beat_child(env))
        supervisor.start(embedded.web_child(port, env))
        self._wait(supervisor, port)
        self._welcome(port, login)
        while True:
            supervisor.check()
            time.sleep(0.5)

    def _wait(self, supervisor: Supervisor, port: int) -> None:
        while not embedded.port_answers(port):
            supervisor.check()
            time.sleep(0.1)

    def _welcome(self, port: int, login: tuple[str, str] | None) -> None:
        known = f"{login[0]} / {login[1]}" if login else "yours (manage.py changepassword)"
        self._say(f"ready: http://127.0.0.1:{port}/")
        self._say(f"staff: http://127.0.0.1:{port}/admin/   login: {known}")
        self._say("       and a code from an authenticator app, set up at the first login")

    def _say(self, sentence: str) -> None:
        self.stdout.write(f"unlist: {sentence}")
        self.stdout.flush()


def _covers_anything() -> bool:
    from catalog.models import Dataset  # noqa: PLC0415 - the apps are loaded by now

    return Dataset.objects.exists()


@contextlib.contextmanager
def _sole_server(data_dir: Path) -> Iterator[None]:
    """Hold the folder's lock, so that two servers never share one Redis socket and database."""
    run = data_dir / "run"
    run.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (run / "serve.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(
                f"a server already runs on {data_dir}: stop it, or set UNLIST_DATA_DIR to another"
            ) from None
        yield


@contextlib.contextmanager
def _stopped_by_signal() -> Iterator[None]:
    """Turn SIGTERM and SIGINT into a clean end; a second one while stopping is not heard."""

    def end(_number: int, _frame: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        raise SystemExit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    yield
