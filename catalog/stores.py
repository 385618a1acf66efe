"""Stores: the disks, mounts and buckets that hold datasets, their queues, and who serves them.

What needs a dataset's files or its indexes goes through the queues of its store, so that only
workers that reach them take it, and their memory maps stay warm. A worker says every few seconds
which stores it serves. It says so in the database, which every process reads, rather than to the
broker, which forgets. Nothing here tells which worker it was, or where it runs.
"""

import datetime as dt
from collections.abc import Collection, Iterable
from typing import Final

from django.utils import timezone

from catalog.models import WorkerStore

REST: Final = "default"
"""The queue of all that needs no store: fingerprints, conclusions, retention. Whoever serves the
store of that name, whether or not a dataset lies there, serves the queue too."""
STAFF: Final = "staff"
"""The queue of what needs the reviewers' private key; workers of the staff role take from it."""
PERSON: Final = 0
"""Message priority of what a person waits for; the lowest number is taken first."""
BATCH: Final = 6
INDEXING: Final = 9
ANNOUNCE_SECONDS: Final = 15.0
_SILENT: Final = dt.timedelta(seconds=60)  # after so long without a word nobody serves a store


def search_queue(store: str) -> str:
    """The queue of searching and verifying in a store's groups."""
    return f"search.{store}"


def index_queue(store: str) -> str:
    """The queue of indexing a store's groups."""
    return f"index.{store}"


def worker_queues(stores: Iterable[str]) -> list[str]:
    """The queues that a worker of these stores takes from."""
    queues = [name(store) for name in (search_queue, index_queue) for store in stores]
    return [REST, *queues] if REST in stores else queues


def stores_announce(stores: Collection[str]) -> None:
    """Say that this process serves the stores now."""
    now = timezone.now()
    if WorkerStore.objects.filter(store__in=stores).update(seen_at=now) < len(set(stores)):
        WorkerStore.objects.bulk_create(
            [WorkerStore(store=store, seen_at=now) for store in stores], ignore_conflicts=True
        )


def stores_served() -> set[str]:
    """The stores that a worker vouched for within the last minute; `REST` among them."""
    alive = WorkerStore.objects.filter(seen_at__gt=timezone.now() - _SILENT)
    return set(alive.values_list("store", flat=True))
