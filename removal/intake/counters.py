"""Counts that all web processes share, and that live in memory alone.

What always holds: nothing here is ever written to disk, every count dies by itself, and a name
holds no address. Redis keeps them, because it is there already (the broker), answers in a
fraction of a millisecond and forgets by itself; the database would write each to disk and its
backups. Where Redis is away each process counts for itself: the bounds then hold per process, and
the site goes on. It asks again once in `ALONE_SECONDS`, not at each count: a server that hangs
would keep everybody waiting.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, Protocol, TypeVar

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

ALONE_SECONDS: Final = 30.0
"""For how long a process counts for itself before it asks Redis again."""
_PREFIX: Final = "unlist.gate."
_TIMEOUT_SECONDS: Final = 0.5
_SECRET_BYTES: Final = 32

T = TypeVar("T")

log = logging.getLogger(__name__)


class Counters(Protocol):
    """Named counts and random values that expire."""

    def add(self, name: str, by: int, seconds: int) -> int:
        """Change a count, have it die after `seconds`, and return it."""
        ...

    def read(self, names: Sequence[str]) -> list[int]:
        """Return counts; what was never counted, or died, is 0."""
        ...

    def secret(self, name: str, seconds: int) -> bytes:
        """Return a random value, the same to all who ask by this name until it dies."""
        ...


class MemoryCounters:
    """The counts of one process."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, float]] = {}
        self._secrets: dict[str, tuple[bytes, float]] = {}

    def add(self, name: str, by: int, seconds: int) -> int:
        """See `Counters`."""
        with self._lock:
            self._forget()
            count = self._counts.get(name, (0, 0.0))[0] + by
            self._counts[name] = count, self._clock() + seconds
            return count

    def read(self, names: Sequence[str]) -> list[int]:
        """See `Counters`."""
        with self._lock:
            self._forget()
            return [self._counts.get(name, (0, 0.0))[0] for name in names]

    def secret(self, name: str, seconds: int) -> bytes:
        """See `Counters`."""
        with self._lock:
            self._forget()
            new = secrets.token_bytes(_SECRET_BYTES), self._clock() + seconds
            return self._secrets.setdefault(name, new)[0]

    def _forget(self) -> None:
        now = self._clock()
        self._counts = {name: one for name, one in self._counts.items() if one[1] > now}
        self._secrets = {name: one for name, one in self._secrets.items() if one[1] > now}


class RedisCounters:
    """The counts of all processes that share a Redis."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def add(self, name: str, by: int, seconds: int) -> int:
        """See `Counters`."""
        with self._redis.pipeline() as pipe:
            pipe.incrby(_PREFIX + name, by)
            pipe.expire(_PREFIX + name, seconds)
            return int(pipe.execute()[0])

    def read(self, names: Sequence[str]) -> list[int]:
        """See `Counters`."""
        found = self._redis.mget([_PREFIX + name for name in names])
        return [int(count or 0) for count in found]

    def secret(self, name: str, seconds: int) -> bytes:
        """See `Counters`."""
        new = secrets.token_hex(_SECRET_BYTES)
        self._redis.set(_PREFIX + name, new, nx=True, ex=seconds)
        kept = self._redis.get(_PREFIX + name)
        return bytes.fromhex(kept.decode() if isinstance(kept, bytes) else new)


class SharedCounters:
    """Counts with all others while they can be reached, and alone while they cannot."""

    def __init__(
        self, shared: Counters, alone: Counters, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._shared, self._alone, self._clock = shared, alone, clock
        self._lock = threading.Lock()
        self._alone_until: float | None = None

    def add(self, name: str, by: int, seconds: int) -> int:
        """See `Counters`."""
        return self._tried(lambda counters: counters.add(name, by, seconds))

    def read(self, names: Sequence[str]) -> list[int]:
        """See `Counters`."""
        return self._tried(lambda counters: counters.read(names))

    def secret(self, name: str, seconds: int) -> bytes:
        """See `Counters`."""
        return self._tried(lambda counters: counters.secret(name, seconds))

    def _tried(self, ask: Callable[[Counters], T]) -> T:
        if not self._worth_asking():
            return ask(self._alone)
        try:
            told = ask(self._shared)
        except redis.RedisError as error:
            self._alone_until = self._clock() + ALONE_SECONDS
            log.warning("load is counted by this process alone: %s", type(error).__name__)
            return ask(self._alone)
        self._alone_until = None
        return told

    def _worth_asking(self) -> bool:
        """Tell whether to ask; when it is time to ask again, one thread is told so."""
        with self._lock:
            if self._alone_until is None:
                return True
            now = self._clock()
            if now < self._alone_until:
                return False
            self._alone_until = now + ALONE_SECONDS
            return True


def broker_redis() -> redis.Redis | None:
    """Return a client of the broker's Redis, or None where the broker is something else."""
    url = settings.CELERY_BROKER_URL.replace("redis+socket://", "unix://")
    if not url.startswith(("redis://", "rediss://", "unix://")):
        return None
    return redis.Redis.from_url(
        url,
        socket_timeout=_TIMEOUT_SECONDS,
        socket_connect_timeout=_TIMEOUT_SECONDS,
        # Once, for a connection that the server closed meanwhile; never after a wait in vain.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )


@lru_cache(maxsize=1)
def counters() -> Counters:
    """Return the counts of this service: in the broker's Redis, where that is one."""
    client = broker_redis()
    if client is None:
        return MemoryCounters()
    return SharedCounters(RedisCounters(client), MemoryCounters())
