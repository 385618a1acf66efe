"""What the settings ask of the broker's library, against a real server that stops answering."""

import os
import signal
import time
from collections.abc import Iterator

import kombu
import pytest
import redis
from celery import Celery
from django.conf import settings

from catalog.checks_machine import broker_check
from scripts.redis_server import private_redis

PATIENCE = float(str(settings.CELERY_BROKER_TRANSPORT_OPTIONS["socket_timeout"]))


@pytest.fixture
def hanging() -> Iterator[Celery]:
    """A client of a server that accepts connections and says nothing."""
    with private_redis() as socket:
        app = Celery(broker=f"redis+socket://{socket}", set_as_current=False)
        app.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
        app.send_task("a hint", retry=False)
        process = int(redis.Redis(unix_socket_path=str(socket)).info()["process_id"])
        os.kill(process, signal.SIGSTOP)
        try:
            yield app
        finally:
            os.kill(process, signal.SIGCONT)


def test_a_hint_to_a_broker_that_hangs_is_given_up(hanging: Celery) -> None:
    """A submission would wait for ever: the work is in the database, the hint can go."""
    began = time.monotonic()
    with pytest.raises(kombu.exceptions.OperationalError):
        hanging.send_task("a hint", retry=False)
    assert time.monotonic() - began < 3 * PATIENCE


def test_doctor_does_not_hang_with_the_broker(
    hanging: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.checks_machine.current_app", hanging)
    began = time.monotonic()
    assert [one.id for one in broker_check(None)] == ["unlist.W002"]
    assert time.monotonic() - began < 4 * PATIENCE
