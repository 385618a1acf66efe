"""How much is arriving, what that costs a sender, and when it is too much.

Two ways in, each with its own share of `UNLIST_REQUESTS_PER_HOUR`, so that a flood of the one
leaves the other open: proof of work, and the tickets of those who run no script. Requests are
counted over ten minutes, in all and by network. Past half of a share the cost doubles with every
tenth of it; nothing is refused before the share is full. A network may fill a quarter of one, a
circuit of Tor's a fiftieth.

What always holds: a network is counted under an HMAC whose key is random, changes every day and
lives in memory alone (`counters.py`); it is mixed with this service's own key, so that a copy of
that memory does not tell who sent either. No count outlives twenty minutes.
"""

import hashlib
import hmac
import math
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.conf import settings
from django.utils.crypto import salted_hmac

from removal.intake.counters import counters
from removal.intake.network import is_circuit

WINDOW_SECONDS: Final = 600
_DAY_SECONDS: Final = 86_400
_FREE_SHARE: Final = 0.5
_STEP: Final = 0.1
NETWORK_PART: Final = 4
"""One network may fill one part in so many of a share."""
CIRCUIT_PART: Final = 50
"""One circuit of Tor's, which a single person has to themselves, one in so many."""


class Gate(StrEnum):
    """The two ways in."""

    WORK = "work"
    TICKET = "ticket"


class Overloaded(Exception):  # a refusal, no error
    """A share is full; `seconds` until there is room again."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"come back in {seconds} seconds")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class _Bucket:
    """What is counted under one name, and how much of it there may be in one window."""

    name: str
    bound: int

    def filled(self, now: float) -> tuple[float, int, int]:
        """Return how much of the bound is used, and the counts of this window and the last."""
        at = int(now // WINDOW_SECONDS)
        this, last = counters().read([self._named(at), self._named(at - 1)])
        passed = now % WINDOW_SECONDS / WINDOW_SECONDS
        return (this + last * (1 - passed)) / self.bound, this, last

    def add(self, now: float, by: int) -> None:
        """Count one more, or one less."""
        counters().add(self._named(int(now // WINDOW_SECONDS)), by, 2 * WINDOW_SECONDS)

    def room_in(self, now: float) -> int:
        """Return after how many seconds one more fits, if nothing else comes."""
        _, this, last = self.filled(now)
        left = WINDOW_SECONDS - now % WINDOW_SECONDS
        room = self.bound - 1
        if this > room:  # when this window is the last one, and has faded enough
            return math.ceil(left + WINDOW_SECONDS * (1 - room / this)) + 1
        return max(1, math.ceil(left - WINDOW_SECONDS * (room - this) / last) + 1) if last else 1

    def _named(self, window: int) -> str:
        return f"{self.name}.{window}"


def cost_factor(gate: Gate, network: str | None) -> int:
    """Return by how much a sender's cost is raised now: 1, 2, 4 ... 32."""
    now = time.time()
    level = max((bucket.filled(now)[0] for bucket in _buckets(gate, network)), default=0.0)
    if level < _FREE_SHARE:
        return 1
    steps = 1 + int((min(level, 0.99) - _FREE_SHARE) / _STEP + 1e-9)
    return int(2**steps)


def admit(gate: Gate, network: str | None) -> None:
    """Count one request.

    Raises:
        Overloaded: there is no room for it; it was not counted.
    """
    now = time.time()
    buckets = _buckets(gate, network)
    for bucket in buckets:
        bucket.add(now, 1)
    if any(bucket.filled(now)[0] > 1 for bucket in buckets):
        release(gate, network)
        raise Overloaded(max(bucket.room_in(now) for bucket in buckets))


def release(gate: Gate, network: str | None) -> None:
    """Take back a count: the request was not taken after all."""
    now = time.time()
    for bucket in _buckets(gate, network):
        bucket.add(now, -1)


def closed_for(gate: Gate) -> int:
    """Return for how many seconds nothing more is taken this way; 0 while it is open."""
    now = time.time()
    full = [bucket for bucket in _buckets(gate, None) if bucket.filled(now)[0] >= 1]
    return max((bucket.room_in(now) for bucket in full), default=0)


def _buckets(gate: Gate, network: str | None) -> list[_Bucket]:
    """Return what a request counts towards; nothing where no bound is set."""
    hourly: int = settings.UNLIST.requests_per_hour
    if not hourly:
        return []
    percent: int = settings.UNLIST.ticket_share_percent
    share = percent if gate is Gate.TICKET else 100 - percent
    bound = max(1, hourly * share * WINDOW_SECONDS // (3600 * 100))
    buckets = [_Bucket(f"all.{gate}", bound)]
    if network is not None:
        own = max(1, bound // (CIRCUIT_PART if is_circuit(network) else NETWORK_PART))
        buckets.append(_Bucket(f"net.{gate}.{_network_tag(network)}", own))
    return buckets


def _network_tag(network: str) -> str:
    """Return the name that a network is counted under today."""
    day = int(time.time() // _DAY_SECONDS)
    shared = counters().secret(f"key.{day}", _DAY_SECONDS + 2 * WINDOW_SECONDS)
    own = salted_hmac("removal.intake.load.network", "day", algorithm="sha256").digest()
    key = hmac.digest(own, shared, hashlib.sha256)
    return hmac.digest(key, network.encode(), hashlib.sha256)[:16].hex()
