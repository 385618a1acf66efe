"""One group, everything that waits for it: units are claimed in batches and answered together.

Who waits in person goes before a batch, then the oldest. A unit that fails is put back with a
pause, never dropped: its request is not concluded without it.
"""

import datetime as dt
import logging
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.db import transaction
from django.db.models import F, Max, QuerySet
from django.utils import timezone

from catalog.marking import group_mark_mended
from catalog.models import Group
from removal.models import SearchUnit, State, today
from removal.search.groupsearch import units_search
from removal.search.groupverify import units_verify
from removal.search.leases import lease_claim, lease_free, lease_kept, lease_renew
from removal.search.searching import (
    CatalogSearcher,
    EncoderMissing,
    GroupUnavailable,
    PicturesUnavailable,
    Searcher,
)

_BATCH: Final = {SearchUnit.Stage.SEARCH: 64, SearchUnit.Stage.VERIFY: 8}
_UNDONE: Final = (SearchUnit.State.PENDING, SearchUnit.State.FAILED)
_Fault = SearchUnit.Fault
_PAUSE_LEAST: Final = dt.timedelta(seconds=60)
_PAUSE_MOST: Final = dt.timedelta(hours=1)
_FAULTS: Final = {
    EncoderMissing: _Fault.ENCODER_MISSING,
    PicturesUnavailable: _Fault.PICTURES_UNAVAILABLE,
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A batch of one stage and priority, under one lease."""

    token: uuid.UUID
    stage: SearchUnit.Stage
    priority: int

    def held(self) -> QuerySet[SearchUnit]:
        return SearchUnit.objects.filter(lease_token=self.token)


def group_drain(group_id: int, *, searcher: Searcher | None = None) -> list[uuid.UUID]:
    """Answer what waits for a group now; return the requests that were advanced.

    What comes in meanwhile, and all but the first batch of what nobody waits for in person, is
    left to another message, so that no group keeps a worker from the others.
    """
    searcher = searcher or CatalogSearcher()
    advanced: list[uuid.UUID] = []
    last = units_waiting().filter(group_id=group_id).aggregate(last=Max("pk"))["last"]
    while last is not None and (claimed := _batch_claim(group_id, last)) is not None:
        with lease_kept(partial(lease_renew, claimed.held())):
            advanced += _batch_answer(group_id, claimed, searcher)
        if claimed.priority > SearchUnit.Priority.PERSON:
            break
    return advanced


def units_waiting() -> QuerySet[SearchUnit]:
    """Return the units that somebody may take now.

    A group that failed is tried again with the others, at the pace of its units' pauses: it may
    be mended. One that is being indexed anew is waited for.
    """
    return SearchUnit.objects.filter(
        lease_free(),
        state__in=_UNDONE,
        request__state=State.SEARCHING,
        request__photos_deleted_on__isnull=True,
        group__state__in=(Group.State.READY, Group.State.FAILED),
    ).exclude(error=_Fault.ENCODER_MISSING)


def units_release() -> int:
    """Let go on at once what waited for a group that is ready again; return how many units."""
    stuck = SearchUnit.objects.filter(
        state=SearchUnit.State.FAILED,
        error=_Fault.GROUP_UNAVAILABLE,
        lease_token__isnull=True,
        group__state=Group.State.READY,
    ).values_list("pk", flat=True)
    free = SearchUnit.objects.filter(pk__in=list(stuck), lease_token__isnull=True)
    return free.filter(error=_Fault.GROUP_UNAVAILABLE).update(
        state=SearchUnit.State.PENDING, error="", lease_until=None
    )


def _batch_claim(group_id: int, last: int) -> _Claimed | None:
    """Lease a batch of the units up to `last`; None when nothing waits.

    A unit that was tried before goes alone: should it be what killed its worker, the others of
    its batch are not held up with it.
    """
    token = uuid.uuid4()
    while first := _first(group_id, last):
        stage = SearchUnit.Stage(first.stage)
        chosen = [first.pk]
        if not first.attempts:
            alike = _waiting(group_id, last).filter(
                priority=first.priority, stage=stage, attempts=0
            )
            chosen = list(alike.values_list("pk", flat=True)[: _BATCH[stage]])
        # No join here: PostgreSQL checks a row again that another worker took meanwhile, but not
        # the subquery that a join would become.
        free = SearchUnit.objects.filter(lease_free(), state__in=_UNDONE, pk__in=chosen)
        if lease_claim(free, token):
            return _Claimed(token, stage, first.priority)
    return None


def _first(group_id: int, last: int) -> SearchUnit | None:
    fields = ("priority", "stage", "attempts")
    return _waiting(group_id, last).only(*fields).first()


def _waiting(group_id: int, last: int) -> QuerySet[SearchUnit]:
    mine = units_waiting().filter(group_id=group_id, pk__lte=last)
    return mine.order_by("priority", "attempts", "pk")


def _batch_answer(group_id: int, claimed: _Claimed, searcher: Searcher) -> list[uuid.UUID]:
    group = Group.objects.select_related("dataset").filter(pk=group_id).first()
    units = list(claimed.held().select_related("request").order_by("pk"))
    if group is None:  # taken out of the catalog meanwhile: its units are gone with it
        return []
    answer = units_search if claimed.stage == SearchUnit.Stage.SEARCH else units_verify
    try:
        answers = answer(group, units, searcher)
    except GroupUnavailable as error:
        log.error("group %s cannot be searched: %s", group, error)  # noqa: TRY400  # foreseen
        _group_put_back(group, claimed)
        return []
    except (EncoderMissing, PicturesUnavailable) as error:
        log.warning("group %s: %s", group, error)
        _units_put_back(claimed, units, _FAULTS[type(error)])
        return []
    if group.state == Group.State.FAILED and claimed.stage == SearchUnit.Stage.SEARCH:
        group_mark_mended(group=group)
    for fault, refused in answers.refused.items():
        _units_put_back(claimed, refused, fault)
    return _units_done(claimed, units, answers.done)


def _units_done(
    claimed: _Claimed, units: Iterable[SearchUnit], answers: dict[int, dict[str, Any]]
) -> list[uuid.UUID]:
    """Hand in what a batch found, each unit only if its lease still holds."""
    day = today()
    with transaction.atomic():
        return [
            unit.request_id
            for unit in units
            if unit.pk in answers
            and claimed.held()
            .filter(pk=unit.pk)
            .update(
                state=SearchUnit.State.DONE,
                error="",
                searched_on=day,
                lease_token=None,
                lease_until=None,
                **answers[unit.pk],
            )
        ]


def _units_put_back(claimed: _Claimed, units: Sequence[SearchUnit], fault: str) -> None:
    """Put units back for another try, after a pause that doubles with each."""
    tried = max(unit.attempts for unit in units)
    claimed.held().filter(pk__in=[unit.pk for unit in units]).update(
        state=SearchUnit.State.FAILED,
        error=fault,
        lease_token=None,
        lease_until=timezone.now() + min(_PAUSE_LEAST * 2 ** min(tried - 1, 10), _PAUSE_MOST),
    )


def _group_put_back(group: Group, claimed: _Claimed) -> None:
    """Put back what waits for a group that cannot be opened: all of it, and for longer each time.

    The fault is the group's: its units are not counted as tried.
    """
    again = timezone.now() + _pause(group)
    put: dict[str, Any] = {
        "state": SearchUnit.State.FAILED,
        "error": _Fault.GROUP_UNAVAILABLE,
        "lease_until": again,
    }
    claimed.held().update(**put, lease_token=None, attempts=F("attempts") - 1)
    others = SearchUnit.objects.filter(
        lease_free(), state__in=_UNDONE, group_id=group.pk, stage=SearchUnit.Stage.SEARCH
    )
    others.exclude(error=_Fault.ENCODER_MISSING).update(**put)


def _pause(group: Group) -> dt.timedelta:
    """Return how long to leave a failing group alone: a quarter of the time that it has failed."""
    group.refresh_from_db(fields=["failed_at"])
    failing = timezone.now() - group.failed_at if group.failed_at else dt.timedelta()
    return min(max(failing / 4, _PAUSE_LEAST), _PAUSE_MOST)
