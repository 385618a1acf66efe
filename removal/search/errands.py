"""Errands on their way through the workers: begun, asked of groups, concluded. The database queues.

An errand goes step by step: while none of its units waits for a group, `errand_advance` asks its
kind what is to be asked next, and where that is nothing any more, has it concluded. Steps and units
are leased, handed in by one transaction that asks whether the lease still holds, and found again by
`tasks.sweep`: a message is a hint.

To put a kind on it, write a class with the four methods of `ErrandWork` and register one of it,
`errands.work_register(ErrandKind.SWEEP, Sweeping())`, in `removal/apps.py`. Then:

- `errand_ask` (life) stores the errand; `tasks.errand_hint(errand.pk)` after it saves the wait for
  the sweep.
- `begin` is called once, on a worker of the queue `default`: what needs no group, such as to
  fingerprint an upload or to embed a text. What it returns takes the order's place, sealed.
- `units` says which groups are asked next, stage by stage; `opened.asked(stage)` says which stages
  were, `opened.results(stage)` what came of them. It returns nothing when all is asked.
- `answer` answers for one group and stage, on a worker of the group's store: several errands at
  once. What it returns is sealed to each errand's key. It raises what `Searcher` raises; such units
  are tried again.
- `conclude` does the work on what all groups answered, and returns what stores its outcome: that is
  called in the transaction which ends the errand.

`begin`, `units` and `conclude` may raise `ErrandRefused(code)`: the errand then ends as failed,
with that code.
"""

import datetime as dt
import logging
import uuid
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from catalog.models import Group
from removal.custody import content
from removal.custody.sealing import NotReadable
from removal.custody.shred import KeyShredded
from removal.life.errands import ERRAND_OPEN, PARTIAL, errand_end, request_of_errand_locked
from removal.models import Errand, ErrandState, ErrandUnit, SearchUnit
from removal.search.errand_kinds import (
    Asked,
    ErrandOpened,
    ErrandRefused,
    ErrandWork,
    Stage,
    errand_open,
    kinds_known,
    work_of,
    work_register,
)
from removal.search.leases import lease_claim, lease_free, lease_kept, lease_renew
from removal.search.queues import UNDONE, Answers, GroupWaiting, UnitQueue
from removal.search.searching import CatalogSearcher, Searcher

__all__ = [
    "Asked",
    "ErrandOpened",
    "ErrandRefused",
    "ErrandWork",
    "Stage",
    "errand_advance",
    "errand_open",
    "errands_answered",
    "errands_drain",
    "errands_idle",
    "groups_waiting",
    "units_release",
    "work_register",
]

KEY_GONE: Final = "key_gone"

log = logging.getLogger(__name__)

_GIVEN_UP: Final = "given_up"
PATIENCE_DAYS: Final = 7
"""For so long a group is waited for; an errand as a whole is given up after `errands.DAYS_MOST`."""


# --- the steps ---------------------------------------------------------------------------------


def errands_idle() -> QuerySet[Errand]:
    """Return the errands that nobody is at and that no group must answer: a step can be taken."""
    open_units = ErrandUnit.objects.filter(errand=OuterRef("pk"), group__isnull=False).exclude(
        state=ErrandUnit.State.DONE
    )
    return Errand.objects.filter(
        ~Exists(open_units), lease_free(), kind__in=kinds_known(), state__in=ERRAND_OPEN
    )


def errand_advance(errand_id: str | uuid.UUID, *, searcher: Searcher | None = None) -> bool:
    """Take an errand one step on; tell whether this call took it.

    It does nothing while a group has not answered or another worker is at it.
    """
    name = uuid.UUID(str(errand_id))
    claimed = _errand_claim(name)
    if claimed is None:
        return False
    with lease_kept(partial(lease_renew, claimed)):
        try:
            opened = errand_open(claimed.get())
            return _stepped(opened, claimed, searcher or CatalogSearcher())
        except ErrandRefused as refusal:
            log.warning("errand %s: %s", name, refusal.code)
            return errand_end(name, ErrandState.FAILED, fault=refusal.code)
        except Errand.DoesNotExist:
            log.info("errand %s: ended while a worker began a step of it", name)
            return False
        except (NotReadable, KeyShredded):
            log.info("errand %s: its keys, or its request's, were destroyed", name)
            return errand_end(name, ErrandState.FAILED, fault=KEY_GONE)


def _errand_claim(errand_id: uuid.UUID) -> QuerySet[Errand] | None:
    """Lease an errand whose next step can be taken; return the errand while the lease holds."""
    token = uuid.uuid4()
    if not errands_idle().filter(pk=errand_id).exists():
        return None
    # No join here, for the reason that `queues` gives; so units may have come in between.
    free = Errand.objects.filter(lease_free(), pk=errand_id, state__in=ERRAND_OPEN)
    if not lease_claim(free, token):
        return None
    claimed = Errand.objects.filter(pk=errand_id, lease_token=token, state__in=ERRAND_OPEN)
    waited_for = ErrandUnit.objects.filter(errand=errand_id, group__isnull=False)
    if waited_for.exclude(state=ErrandUnit.State.DONE).exists():
        claimed.update(lease_token=None, lease_until=None)
        return None
    return claimed


def _stepped(opened: ErrandOpened, claimed: QuerySet[Errand], searcher: Searcher) -> bool:
    """Begin it, have the next groups asked, or conclude it."""
    work = work_of(opened.errand.kind)
    if opened.errand.state == ErrandState.ASKED:
        opened = replace(opened, order=work.begin(opened, searcher))
    if asked := work.units(opened):
        return _asked(opened, claimed, asked)
    store = work.conclude(opened, searcher)
    with transaction.atomic():
        request_of_errand_locked(opened.errand.pk)
        if claimed.select_for_update().first() is None:
            return False
        store()
        missed = opened.errand.units.filter(error=_GIVEN_UP).exists()
        fault = PARTIAL if missed else ""
        return errand_end(opened.errand.pk, ErrandState.DONE, fault=fault)


def _asked(opened: ErrandOpened, claimed: QuerySet[Errand], asked: Collection[Asked]) -> bool:
    """Store the units of the next stage, unless the lease was lost."""
    name = opened.errand.pk
    with transaction.atomic():
        if not claimed.update(
            state=ErrandState.SEARCHING,
            order_sealed=opened.sealed(content.ORDER, opened.order),
            attempts=0,
            lease_token=None,
            lease_until=None,
        ):
            return False
        ErrandUnit.objects.bulk_create(
            ErrandUnit(errand_id=name, stage=stage, group_id=group) for stage, group in asked
        )
    return True


def errands_answered(errand_ids: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    """Return those of the errands that a step can be taken with."""
    return list(errands_idle().filter(pk__in=errand_ids).values_list("pk", flat=True))


# --- the groups --------------------------------------------------------------------------------


def errands_drain(group_id: int, *, searcher: Searcher | None = None) -> list[uuid.UUID]:
    """Answer one batch of what waits for a group; return the errands that were advanced."""
    return _ERRANDS.drain(group_id, searcher or CatalogSearcher())


def groups_waiting(**which: object) -> list[GroupWaiting]:
    """Return the groups that units wait for: nobody waits for an errand in person."""
    units = units_waiting().filter(**which).order_by("group")
    facts = units.values_list("group", "group__dataset__store").distinct()
    return [GroupWaiting(group, store, SearchUnit.Priority.BATCH) for group, store in facts]


def units_waiting() -> QuerySet[ErrandUnit]:
    """Return the units that somebody may take now."""
    return ErrandUnit.objects.filter(
        lease_free(),
        state__in=UNDONE,
        errand__state=ErrandState.SEARCHING,
        errand__kind__in=kinds_known(),
        group__state__in=(Group.State.READY, Group.State.FAILED),
    )


def units_release() -> int:
    """Let go on at once what waited for a group that is ready again; return how many units."""
    return _ERRANDS.release()


def units_give_up() -> int:
    """Wait no longer for groups that could not answer for so long; return how many units.

    They count as gone: what the other groups found is concluded, and the errand says that it is
    not all (`PARTIAL`).
    """
    late = ErrandUnit.objects.filter(
        lease_free(),
        state__in=UNDONE,
        group__isnull=False,
        errand__state=ErrandState.SEARCHING,
        errand__asked_at__lt=timezone.now() - dt.timedelta(days=PATIENCE_DAYS),
    )
    names = list(late.values_list("pk", flat=True))
    return ErrandUnit.objects.filter(pk__in=names, state__in=UNDONE).update(
        group=None, error=_GIVEN_UP
    )


def _answer(group: Group, units: list[ErrandUnit], searcher: Searcher) -> Answers[ErrandUnit]:
    """Open each unit's errand, and have the kind that they share answer for those that open."""
    answers: Answers[ErrandUnit] = Answers()
    opened: list[tuple[ErrandUnit, ErrandOpened]] = []
    for unit in units:
        try:
            one = replace(errand_open(unit.errand), tries=unit.attempts)
            opened.append((unit, one))
        except (NotReadable, KeyShredded):
            answers.refused[SearchUnit.Fault.KEY_GONE].append(unit)
    if not opened:
        return answers
    work, stage = work_of(units[0].errand.kind), Stage(units[0].stage)
    found = work.answer(group, stage, [errand for _, errand in opened], searcher)
    for (unit, errand), result in zip(opened, found, strict=True):
        sealed = errand.sealed(content.errand_unit_item(unit.pk), result)
        answers.done[unit.pk] = {"result_sealed": sealed}
    return answers


def _batch(unit: ErrandUnit) -> int:
    return work_of(unit.errand.kind).batch[unit.stage]


def _goes_on(_: ErrandUnit) -> bool:
    return False


_ERRANDS: Final = UnitQueue[ErrandUnit](
    ErrandUnit.objects.all,
    waiting=units_waiting,
    order=("attempts", "pk"),
    alike=("errand__kind", "stage"),
    batch=_batch,
    sealed=("result_sealed",),
    owner="errand",
    answer=_answer,
    goes_on=_goes_on,
)
