"""What load costs, when it is too much, and that nobody can tell from it who sent."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from django.conf import settings as live

from catalog.checks_machine import broker_check
from removal.checks.load import counts_check
from removal.intake import counters as counting
from removal.intake import load
from removal.intake.counters import Counters, MemoryCounters, RedisCounters, SharedCounters
from removal.intake.load import Gate, Overloaded, admit, closed_for, cost_factor, release

START = 1_790_000_400.0 - 1_790_000_400.0 % load.WINDOW_SECONDS
NETWORK = "203.0.113.0/24"


class Clock:
    """The time, as the test wants it, and what was counted in it."""

    def __init__(self) -> None:
        self.now = START
        self.counters = MemoryCounters(self)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("removal.intake.load.time.time", clock)
    monkeypatch.setattr("removal.intake.load.counters", lambda: clock.counters)
    return clock


@pytest.fixture(autouse=True)
def _bounds(settings: Any) -> None:
    """Take 100 by work and 50 by ticket in ten minutes."""
    settings.UNLIST = live.UNLIST.model_copy(
        update={"requests_per_hour": 900, "ticket_share_percent": 34}
    )


def filled(gate: Gate, count: int, network: str | None = None) -> None:
    for _ in range(count):
        admit(gate, network)


def bound_of(gate: Gate) -> int:
    return load._buckets(gate, None)[0].bound


@pytest.mark.parametrize(
    ("share", "factor"),
    [(0.0, 1), (0.49, 1), (0.51, 2), (0.61, 4), (0.71, 8), (0.81, 16), (0.91, 32), (1.0, 32)],
)
@pytest.mark.usefixtures("clock")
def test_the_cost_doubles_with_each_tenth_past_half(share: float, factor: int) -> None:
    filled(Gate.WORK, round(bound_of(Gate.WORK) * share))
    assert cost_factor(Gate.WORK, None) == factor


def test_nothing_is_refused_before_the_bound_and_all_is_past_it(clock: Clock) -> None:
    filled(Gate.WORK, bound_of(Gate.WORK) - 1)
    assert closed_for(Gate.WORK) == 0
    admit(Gate.WORK, None)
    with pytest.raises(Overloaded) as full:
        admit(Gate.WORK, None)
    assert 0 < full.value.seconds <= 2 * load.WINDOW_SECONDS
    assert closed_for(Gate.WORK) == full.value.seconds
    clock.now += full.value.seconds
    admit(Gate.WORK, None)


@pytest.mark.parametrize("late", [0, 1, 300, 599])
def test_who_comes_back_as_told_is_taken(clock: Clock, late: int) -> None:
    filled(Gate.TICKET, bound_of(Gate.TICKET) // 2)
    clock.now += load.WINDOW_SECONDS + late
    for _ in range(2 * bound_of(Gate.TICKET)):
        try:
            admit(Gate.TICKET, None)
        except Overloaded as full:
            clock.now += full.seconds
            admit(Gate.TICKET, None)
            return
    pytest.fail("the bound was never reached")


@pytest.mark.usefixtures("clock")
def test_a_flood_of_one_way_leaves_the_other_open() -> None:
    filled(Gate.WORK, bound_of(Gate.WORK))
    with pytest.raises(Overloaded):
        admit(Gate.WORK, None)
    assert cost_factor(Gate.TICKET, None) == 1
    filled(Gate.TICKET, bound_of(Gate.TICKET))


@pytest.mark.usefixtures("clock")
def test_one_network_cannot_fill_a_share() -> None:
    own = bound_of(Gate.TICKET) // load.NETWORK_PART
    filled(Gate.TICKET, own, NETWORK)
    assert cost_factor(Gate.TICKET, NETWORK) == 32
    with pytest.raises(Overloaded):
        admit(Gate.TICKET, NETWORK)
    assert cost_factor(Gate.TICKET, "198.51.100.0/24") == 1
    admit(Gate.TICKET, "198.51.100.0/24")
    admit(Gate.TICKET, None)


@pytest.mark.usefixtures("clock")
def test_one_circuit_of_an_onion_service_fills_next_to_nothing(settings: Any) -> None:
    """Behind an onion address, one sender without script could fill the whole share."""
    settings.UNLIST = live.UNLIST.model_copy(update={"requests_per_hour": 12_000})
    own = bound_of(Gate.TICKET) // load.CIRCUIT_PART
    assert 5 <= own <= 20, "enough for a person"
    circuits = [f"fc00:dead:beef:4dad::{n:x}/128" for n in range(3)]
    for circuit in circuits[:2]:
        filled(Gate.TICKET, own, circuit)
        assert cost_factor(Gate.TICKET, circuit) == 32
        with pytest.raises(Overloaded):
            admit(Gate.TICKET, circuit)
    assert cost_factor(Gate.TICKET, circuits[2]) == cost_factor(Gate.TICKET, None) == 1
    admit(Gate.TICKET, circuits[2])


@pytest.mark.usefixtures("clock")
def test_refused_and_released_requests_do_not_count() -> None:
    for _ in range(3 * bound_of(Gate.WORK)):
        admit(Gate.WORK, NETWORK)
        release(Gate.WORK, NETWORK)
    assert cost_factor(Gate.WORK, NETWORK) == 1


@pytest.mark.usefixtures("clock")
def test_without_a_bound_cost_never_rises(settings: Any) -> None:
    settings.UNLIST = live.UNLIST.model_copy(update={"requests_per_hour": 0})
    for _ in range(500):
        admit(Gate.WORK, NETWORK)
    assert cost_factor(Gate.WORK, NETWORK) == 1


def test_a_network_is_counted_under_a_name_that_changes_daily(clock: Clock) -> None:
    own = clock.counters
    admit(Gate.WORK, NETWORK)
    first = {name for name in own._counts if name.startswith("net.")}
    assert not any("203.0.113" in name for name in own._counts)
    tag = load._network_tag(NETWORK)
    assert tag == load._network_tag(NETWORK) != load._network_tag("203.0.114.0/24")
    clock.now += 2 * 86_400
    admit(Gate.WORK, NETWORK)
    assert tag != load._network_tag(NETWORK)
    assert first.isdisjoint(own._counts), "yesterday's counts are still there"
    assert len(own._secrets) == 1, "yesterday's key is still there"


def test_the_key_needs_both_halves(clock: Clock, settings: Any) -> None:
    before = load._network_tag(NETWORK)
    settings.SECRET_KEY = "another service's key"
    assert load._network_tag(NETWORK) != before
    assert clock.now == START


# --- where counts are kept -------------------------------------------------------------------


@pytest.fixture(params=["memory", "redis", "shared"])
def counters(request: pytest.FixtureRequest) -> Counters:
    if request.param == "memory":
        return MemoryCounters()
    shared = RedisCounters(request.getfixturevalue("redis_server"))
    return shared if request.param == "redis" else SharedCounters(shared, MemoryCounters())


def test_every_store_counts_alike(counters: Counters) -> None:
    assert counters.read(["a", "b"]) == [0, 0]
    assert counters.add("a", 1, 60) == 1
    assert counters.add("a", 1, 60) == 2
    assert counters.add("b", 1, 60) == 1
    assert counters.add("a", -1, 60) == 1
    assert counters.read(["a", "b", "c"]) == [1, 1, 0]
    secret = counters.secret("key", 60)
    assert len(secret) == 32
    assert counters.secret("key", 60) == secret != counters.secret("other", 60)


def test_processes_that_share_a_redis_agree(redis_server: redis.Redis) -> None:
    one, other = RedisCounters(redis_server), RedisCounters(redis_server)
    one.add("a", 3, 60)
    assert other.add("a", 1, 60) == 4
    assert one.secret("key", 60) == other.secret("key", 60)
    names = redis_server.scan_iter()
    assert all(0 < redis_server.ttl(name) <= 60 for name in names)


def test_without_redis_each_process_counts_for_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone = RedisCounters(redis.Redis(unix_socket_path=str(tmp_path / "none.sock")))
    alone = SharedCounters(gone, MemoryCounters())
    assert alone.add("a", 1, 60) == 1
    assert alone.read(["a"]) == [1]
    assert len(alone.secret("key", 60)) == 32
    assert "by this process alone" in caplog.text


def test_a_redis_that_hangs_is_waited_for_once_in_a_while(
    redis_server: redis.Redis, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Each count waited half a second, and a submission makes ten of them."""
    path = redis_server.connection_pool.connection_kwargs["path"]
    settings.CELERY_BROKER_URL = f"redis+socket://{path}"
    client, process, now = counting.broker_redis(), int(redis_server.info()["process_id"]), [0.0]
    assert client
    counters = SharedCounters(RedisCounters(client), MemoryCounters(), lambda: now[0])
    assert counters.add("a", 5, 60) == 5
    os.kill(process, signal.SIGSTOP)
    try:
        began = time.monotonic()
        counts = [counters.add("a", 1, 60) for _ in range(50)]
        assert time.monotonic() - began < 2
        assert counts == list(range(1, 51))
    finally:
        os.kill(process, signal.SIGCONT)
    assert counters.add("a", 1, 60) == 51
    now[0] += counting.ALONE_SECONDS
    assert counters.add("a", 1, 60) > 5, "what all have counted"
    assert counters.read(["a"]) == [int(redis_server.get("unlist.gate.a") or 0)]
    redis_server.shutdown(nosave=True)
    assert counters.add("a", 1, 60) == 52
    assert "by this process alone" in caplog.text
    client.close()


def test_doctor_says_that_redis_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts alone goes on in silence but for the log: this is where an operator looks."""
    away = Celery(broker=f"redis+socket://{tmp_path}/none.sock", set_as_current=False)
    monkeypatch.setattr("catalog.checks_machine.current_app", away)
    assert [one.id for one in broker_check(None)] == ["unlist.W002"]


def test_one_thread_asks_a_redis_that_is_away_again() -> None:
    """All of them waited for it, each time anew."""
    now, asked = [0.0], []

    class Away(MemoryCounters):
        def add(self, name: str, by: int, seconds: int) -> int:
            asked.append(name)
            if len(asked) == 2:  # while one waits, the others are not held up
                both.add("meanwhile", by, seconds)
            raise redis.TimeoutError

    both = SharedCounters(Away(), MemoryCounters(), lambda: now[0])
    both.add("first", 1, 60)
    both.add("at once", 1, 60)
    now[0] += counting.ALONE_SECONDS
    both.add("later", 1, 60)
    assert asked == ["first", "later"]


def test_a_connection_that_the_server_closed_is_made_anew(
    redis_server: redis.Redis, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    path = redis_server.connection_pool.connection_kwargs["path"]
    settings.CELERY_BROKER_URL = f"redis+socket://{path}"
    client = counting.broker_redis()
    assert client
    counters = SharedCounters(RedisCounters(client), MemoryCounters())
    counters.add("a", 1, 60)
    redis_server.client_kill_filter(_type="normal", skipme=True)
    assert counters.add("a", 1, 60) == 2
    assert not caplog.records
    client.close()


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("memory://", MemoryCounters),
        ("redis://127.0.0.1:1/0", SharedCounters),
        ("redis+socket:///nowhere/redis.sock", SharedCounters),
    ],
)
def test_the_brokers_redis_keeps_the_counts(url: str, kind: type, settings: Any) -> None:
    settings.CELERY_BROKER_URL = url
    counting.counters.cache_clear()
    try:
        assert isinstance(counting.counters(), kind)
    finally:
        counting.counters.cache_clear()


def test_doctor_warns_of_a_redis_that_saves(redis_server: redis.Redis, settings: Any) -> None:
    path = redis_server.connection_pool.connection_kwargs["path"]
    settings.CELERY_BROKER_URL = f"redis+socket://{path}"
    assert counts_check() == []
    redis_server.config_set("save", "900 1")
    [warning] = counts_check()
    assert "(save)" in warning.msg
    assert warning.hint
    redis_server.shutdown(nosave=True)
    assert counts_check() == []
