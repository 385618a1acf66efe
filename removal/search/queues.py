"""A queue of units in the database, one group at a time: claimed in batches, answered together.

Both queues of the service are such: the requests' (`draining`) and the errands' (`errands`). A
unit that fails is put back with a pause, never dropped. What a batch found is handed in by one
UPDATE per unit that asks whether the lease still holds.
"""

import datetime as dt
import logging
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Generic, TypeVar

from django.db import transaction
from django.db.models import F, Max, QuerySet
from django.utils import timezone

from catalog.marking import group_mark_mended
from catalog.models import Group
from removal.models import ErrandUnit, SearchUnit
from removal.search.leases import lease_claim, lease_free, lease_kept, lease_renew
from removal.search.searching import (
    EncoderMissing,
    GroupUnavailable,
    PicturesUnavailable,
    Searcher,
)

Unit = TypeVar("Unit", SearchUnit, ErrandUnit)

_Fault = SearchUnit.Fault
UNDONE: Final = (SearchUnit.State.PENDING, SearchUnit.State.FAILED)
_PAUSE_LEAST: Final = dt.timedelta(seconds=60)
_PAUSE_MOST: Final = dt.timedelta(hours=1)
_FAULTS: Final = {
    EncoderMissing: _Fault.ENCODER_MISSING,
    PicturesUnavailable: _Fault.PICTURES_UNAVAILABLE,
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GroupWaiting:
    """A group that units wait for: its store, and the best priority among them."""

    group_id: int
    store: str
    priority: int


@dataclass(slots=True)
class Answers(Generic[Unit]):
    """What a batch came to.

    Attributes:
        done: by unit, what to write to it.
        refused: by reason, the units that could not be answered.
    """

    done: dict[int, dict[str, Any]] = field(default_factory=dict)
    refused: dict[str, list[Unit]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True, slots=True)
class Claimed(Generic[Unit]):
    """A batch under one lease.

    Attributes:
        held: the units whose lease still holds.
        first: its first unit, whom the others are like.
    """

    held: QuerySet[Unit]
    first: Unit


@dataclass(frozen=True)
class UnitQueue(Generic[Unit]):
    """The units of one model, and how they are answered.

    Attributes:
        units: returns all of them.
        waiting: returns the units that somebody may take now.
        order: which goes first.
        alike: fields that the units of a batch have in common.
        batch: tells how many units like this one are answered together.
        sealed: fields that are not needed to choose a batch.
        owner: the foreign key to what a unit is part of.
        answer: answers a batch; raises `GroupUnavailable`, `EncoderMissing` or
            `PicturesUnavailable` where nothing was answered.
        goes_on: tells whether another batch is taken after one of which this was the first unit.
    """

    units: Callable[[], QuerySet[Unit]]
    waiting: Callable[[], QuerySet[Unit]]
    order: tuple[str, ...]
    alike: tuple[str, ...]
    batch: Callable[[Unit], int]
    sealed: tuple[str, ...]
    owner: str
    answer: Callable[[Group, list[Unit], Searcher], Answers[Unit]]
    goes_on: Callable[[Unit], bool]

    def drain(self, group_id: int, searcher: Searcher) -> list[uuid.UUID]:
        """Answer what waits for a group now; return the owners that were advanced.

        What comes in meanwhile is left to another message, so that no group keeps a worker from
        the others.
        """
        advanced: list[uuid.UUID] = []
        last = self.waiting().filter(group_id=group_id).aggregate(last=Max("pk"))["last"]
        while last is not None and (claimed := self._claim(group_id, last)) is not None:
            with lease_kept(partial(lease_renew, claimed.held.all())):
                advanced += self._batch_answer(group_id, claimed, searcher)
            if not self.goes_on(claimed.first):
                break
        return advanced

    def release(self) -> int:
        """Let go on at once what waited for a group that is ready again; return how many units."""
        stuck = (
            self.units()
            .filter(
                state=SearchUnit.State.FAILED,
                error=_Fault.GROUP_UNAVAILABLE,
                lease_token__isnull=True,
                group__state=Group.State.READY,
            )
            .values_list("pk", flat=True)
        )
        free = self.units().filter(pk__in=list(stuck), lease_token__isnull=True)
        return free.filter(error=_Fault.GROUP_UNAVAILABLE).update(
            state=SearchUnit.State.PENDING, error="", lease_until=None
        )

    def _claim(self, group_id: int, last: int) -> Claimed[Unit] | None:
        """Lease a batch of the units up to `last`; None when nothing waits.

        A unit that was tried before goes alone: should it be what killed its worker, the others of
        its batch are not held up with it.
        """
        token = uuid.uuid4()
        while first := self._ordered(group_id, last).first():
            chosen = [first.pk]
            if not first.attempts:
                like = {name: _fact(first, name) for name in self.alike}
                alike = self._ordered(group_id, last).filter(attempts=0, **like)
                chosen = list(alike.values_list("pk", flat=True)[: self.batch(first)])
            # No join here: PostgreSQL checks a row again that another worker took meanwhile, but
            # not the subquery that a join would become.
            free = self.units().filter(lease_free(), state__in=UNDONE, pk__in=chosen)
            if lease_claim(free, token):
                return Claimed(self.units().filter(lease_token=token), first)
        return None

    def _ordered(self, group_id: int, last: int) -> QuerySet[Unit]:
        mine = self.waiting().filter(group_id=group_id, pk__lte=last)
        return mine.defer(*self.sealed).order_by(*self.order)

    def _batch_answer(
        self, group_id: int, claimed: Claimed[Unit], searcher: Searcher
    ) -> list[uuid.UUID]:
        group = Group.objects.select_related("dataset").filter(pk=group_id).first()
        units = list(claimed.held.all().select_related(self.owner).order_by("pk"))
        if group is None:  # taken out of the catalog meanwhile: its units are gone with it
            return []
        try:
            answers = self.answer(group, units, searcher)
        except GroupUnavailable as error:
            log.error("group %s cannot be searched: %s", group, error)  # noqa: TRY400  # foreseen
            self._group_put_back(group, claimed)
            return []
        except (EncoderMissing, PicturesUnavailable) as error:
            log.warning("group %s: %s", group, error)
            _units_put_back(claimed, units, _FAULTS[type(error)])
            return []
        if group.state == Group.State.FAILED and claimed.first.stage == SearchUnit.Stage.SEARCH:
            group_mark_mended(group=group)
        for fault, refused in answers.refused.items():
            _units_put_back(claimed, refused, fault)
        return self._units_done(claimed, units, answers.done)

    def _units_done(
        self, claimed: Claimed[Unit], units: Iterable[Unit], answers: dict[int, dict[str, Any]]
    ) -> list[uuid.UUID]:
        """Hand in what a batch found, each unit only if its lease still holds."""
        done: dict[str, Any] = {
            "state": SearchUnit.State.DONE,
            "error": "",
            "lease_token": None,
            "lease_until": None,
        }
        with transaction.atomic():
            return [
                _fact(unit, f"{self.owner}_id")
                for unit in units
                if unit.pk in answers
                and claimed.held.all().filter(pk=unit.pk).update(**done, **answers[unit.pk])
            ]

    def _group_put_back(self, group: Group, claimed: Claimed[Unit]) -> None:
        """Put back what waits for a group that cannot be opened: all of it, and longer each time.

        The fault is the group's: its units are not counted as tried.
        """
        put: dict[str, Any] = {
            "state": SearchUnit.State.FAILED,
            "error": _Fault.GROUP_UNAVAILABLE,
            "lease_until": timezone.now() + _pause(group),
        }
        claimed.held.all().update(**put, lease_token=None, attempts=F("attempts") - 1)
        others = self.units().filter(
            lease_free(), state__in=UNDONE, group_id=group.pk, stage=SearchUnit.Stage.SEARCH
        )
        others.exclude(error=_Fault.ENCODER_MISSING).update(**put)


def _units_put_back(claimed: Claimed[Unit], units: Sequence[Unit], fault: str) -> None:
    """Put units back for another try, after a pause that doubles with each."""
    tried = max(unit.attempts for unit in units)
    claimed.held.all().filter(pk__in=[unit.pk for unit in units]).update(
        state=SearchUnit.State.FAILED,
        error=fault,
        lease_token=None,
        lease_until=timezone.now() + min(_PAUSE_LEAST * 2 ** min(tried - 1, 10), _PAUSE_MOST),
    )


def _pause(group: Group) -> dt.timedelta:
    """Return how long to leave a failing group alone: a quarter of the time that it has failed."""
    group.refresh_from_db(fields=["failed_at"])
    failing = timezone.now() - group.failed_at if group.failed_at else dt.timedelta()
    return min(max(failing / 4, _PAUSE_LEAST), _PAUSE_MOST)


def _fact(unit: SearchUnit | ErrandUnit, path: str) -> Any:
    """Return what a unit, or what it is part of, has under a name such as `errand__kind`."""
    value: Any = unit
    for name in path.split("__"):
        value = getattr(value, name)
    return value
