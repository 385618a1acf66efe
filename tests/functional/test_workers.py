"""A worker's queues: those of its stores, those of stores that come later, and who serves what."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from kombu import Connection, Queue

from catalog.stores import BATCH, INDEXING, PERSON, worker_queues
from config.environ import BASE_DIR
from config.settings import CELERY_BROKER_TRANSPORT_OPTIONS
from scripts.redis_server import private_redis

_OURS = ("UNLIST_", "DJANGO_", "DATABASE_URL")
DATASET = (
    "INSERT INTO catalog_dataset (name, title, format, path, revision, encoder, rows, facts,"
    " added_on, store) VALUES (?, '', 'images', '', '', 'a/b', 0, '{}', '2026-01-01', ?)"
)


class Workers:
    """A database, a broker, and workers that are started on them."""

    def __init__(self, folder: Path, broker: str) -> None:
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith(_OURS)},
            "UNLIST_DATA_DIR": str(folder / "data"),
            "UNLIST_SECRET_DIR": str(folder / "secrets"),
            "REDIS_URL": broker,
        }
        self.broker = broker
        self.database = folder / "data" / "db.sqlite3"
        self.control = Celery(broker=broker).control
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, check=True, cwd=BASE_DIR, env=self.env)

    @contextmanager
    def running(self, stores: str = "") -> Iterator[None]:
        """Run a worker as `serve` does."""
        command = [*(sys.executable, "-m", "celery", "--app", "config", "--quiet", "worker")]
        command += ["--pool", "threads", "--concurrency", "2", "--without-mingle"]
        env = {**self.env, "UNLIST_STORES": stores}
        with subprocess.Popen(command, cwd=BASE_DIR, env=env, stderr=subprocess.PIPE) as process:
            try:
                yield
            finally:
                process.terminate()
                process.communicate(timeout=30)

    def dataset_add(self, name: str, store: str) -> None:
        with closing(sqlite3.connect(self.database, timeout=20)) as database, database:
            database.execute(DATASET, (name, store))

    def served(self) -> set[str]:
        with closing(sqlite3.connect(self.database, timeout=20)) as database:
            return {store for (store,) in database.execute("SELECT store FROM catalog_workerstore")}

    def queues(self) -> list[str]:
        found: Any = self.control.inspect(timeout=1).active_queues() or {}
        return [queue["name"] for queues in found.values() for queue in queues]


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    with private_redis() as socket:
        yield Workers(tmp_path, f"redis+socket://{socket}")


def queues_of(*stores: str) -> set[str]:
    own = {f"{what}.{store}" for what in ("search", "index") for store in stores}
    return own | {"default"} if "default" in stores else own


def until(done: Callable[[], bool], *, seconds: float = 40) -> None:
    ends = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < ends, "it did not come about in time"
        time.sleep(0.2)


def test_a_worker_that_is_told_nothing_serves_every_store_and_takes_up_new_ones(
    workers: Workers,
) -> None:
    workers.dataset_add("first", "disk-1")
    with workers.running():
        until(lambda: set(workers.queues()) == queues_of("default", "disk-1", "local") | {"staff"})
        until(lambda: workers.served() == {"default", "disk-1", "local"})
        workers.dataset_add("second", "disk-2")
        until(lambda: workers.served() == {"default", "disk-1", "disk-2", "local"})
        until(lambda: {"search.disk-2", "index.disk-2"} <= set(workers.queues()))


def test_a_worker_of_the_staff_role_takes_from_its_own_queue_alone(workers: Workers) -> None:
    workers.dataset_add("first", "disk-1")
    workers.env["UNLIST_ROLE"] = "staff"
    with workers.running():
        until(lambda: workers.queues() == ["staff"])
    assert workers.served() == set()


def test_what_a_person_waits_for_is_taken_before_what_came_earlier(workers: Workers) -> None:
    """Whichever queue it lies in: first by priority, then in the order that queues are taken."""
    order = worker_queues(["default", "local"])
    sent = [("index.local", INDEXING), ("search.local", BATCH), ("search.local", PERSON)]
    sent += [("default", PERSON)]
    seen: list[tuple[str, int]] = []
    with Connection(workers.broker, transport_options=CELERY_BROKER_TRANSPORT_OPTIONS) as broker:
        producer = broker.Producer()
        for queue, priority in sent:
            body = {"queue": queue, "priority": priority}
            producer.publish(body, routing_key=queue, priority=priority, declare=[Queue(queue)])

        def take(body: dict[str, Any], message: Any) -> None:
            seen.append((body["queue"], body["priority"]))
            message.ack()

        queues = [Queue(name) for name in order]
        with broker.Consumer(queues, callbacks=[take], prefetch_count=1):
            while len(seen) < len(sent):
                broker.drain_events(timeout=10)
    assert seen == [
        ("default", PERSON),
        ("search.local", PERSON),
        ("search.local", BATCH),
        ("index.local", INDEXING),
    ]


def test_a_worker_serves_the_stores_it_is_told_and_no_other(workers: Workers) -> None:
    workers.dataset_add("first", "disk-1")
    with workers.running("disk-2,disk-3"):
        until(lambda: workers.served() == {"disk-2", "disk-3"})
        assert set(workers.queues()) == queues_of("disk-2", "disk-3") | {"staff"}
