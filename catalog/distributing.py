"""Indexing on many hosts: groups are asked for in the database, workers of their store take them.

A group was asked for while its ``lease_until`` says a time: one that has passed where nobody works
on it, the end of a lease where somebody does. That is all there is to know; messages are hints.
So the command that asked may be interrupted, a broker may forget, and a worker may be killed: the
sweep finds what is waiting. This module loads neither index nor encoder libraries.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Q, Sum
from django.utils import timezone

from catalog.leases import lease_free
from catalog.models import Dataset, Group

_HINTS_PER_STORE = 32
"""A worker that has done a group sends the next hint itself, so more would only pile up."""
_BEGIN = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class GroupWaiting:
    """A group to be indexed, and the store whose workers can."""

    group_id: int
    store: str


@dataclass(frozen=True)
class Progress:
    """How far some groups of a dataset are.

    Attributes:
        rows: planned rows that are done with, those of failed groups too.
        waiting, running, ready, failed: groups by what becomes of them.
    """

    rows: int
    waiting: int
    running: int
    ready: int
    failed: int

    @property
    def over(self) -> bool:
        """Whether nothing is left to wait for."""
        return not (self.waiting or self.running)


def groups_ask(*, dataset: Dataset, numbers: Iterable[int]) -> int:
    """Have groups indexed by workers; returns how many nobody has in work already."""
    groups = dataset.groups.filter(number__in=tuple(numbers)).exclude(state=Group.State.READY)
    held = Q(lease_token__isnull=False, lease_until__gt=timezone.now())
    return groups.exclude(held).update(
        state=Group.State.PENDING,
        error="",
        failed_at=None,
        lease_token=None,
        lease_until=_BEGIN,
        attempts=0,
        rows_indexed=0,
    )


def groups_waiting(stores: Iterable[str]) -> list[GroupWaiting]:
    """The groups asked for that nobody works on: a few of each of the stores, in their order."""
    asked = (
        Group.objects.filter(lease_free(), lease_until__isnull=False, dataset__store__in=stores)
        .exclude(state=Group.State.READY)
        .order_by("attempts", "dataset", "number")
        .values_list("pk", "dataset__store")
    )
    found: defaultdict[str, list[GroupWaiting]] = defaultdict(list)
    for pk, store in asked.iterator(chunk_size=1000):
        if len(found[store]) < _HINTS_PER_STORE:
            found[store].append(GroupWaiting(pk, store))
    return [waiting for groups in found.values() for waiting in groups]


def groups_progress(*, dataset: Dataset, numbers: Iterable[int]) -> Progress:
    """How far the groups are now."""
    groups = dataset.groups.filter(number__in=tuple(numbers))
    ended = Q(state__in=(Group.State.READY, Group.State.FAILED))
    working = ~ended & Q(lease_token__isnull=False, lease_until__gt=timezone.now())
    counted = groups.aggregate(
        done=Sum("rows", filter=ended, default=0),
        under_way=Sum("rows_indexed", filter=~ended, default=0),
        every=Count("pk"),
        running=Count("pk", filter=working),
        ready=Count("pk", filter=Q(state=Group.State.READY)),
        failed=Count("pk", filter=Q(state=Group.State.FAILED)),
    )
    waiting = counted["every"] - counted["running"] - counted["ready"] - counted["failed"]
    return Progress(
        rows=counted["done"] + counted["under_way"],
        waiting=waiting,
        running=counted["running"],
        ready=counted["ready"],
        failed=counted["failed"],
    )
