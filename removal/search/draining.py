"""One group, all requests that wait for it: units are claimed in batches and answered together.

Who waits in person goes before a batch, then the oldest. A request is not concluded without any
of its units (see `queues`).
"""

import uuid
from typing import Final

from django.db.models import QuerySet

from catalog.models import Group
from removal.models import SearchUnit, State, today
from removal.search.groupsearch import units_search
from removal.search.groupverify import units_verify
from removal.search.leases import lease_free
from removal.search.queues import UNDONE, Answers, UnitQueue
from removal.search.searching import CatalogSearcher, Searcher

_BATCH: Final = {SearchUnit.Stage.SEARCH: 64, SearchUnit.Stage.VERIFY: 8}


def group_drain(group_id: int, *, searcher: Searcher | None = None) -> list[uuid.UUID]:
    """Answer what waits for a group now; return the requests that were advanced.

    What comes in meanwhile, and all but the first batch of what nobody waits for in person, is
    left to another message, so that no group keeps a worker from the others.
    """
    return _SEARCHES.drain(group_id, searcher or CatalogSearcher())


def units_waiting() -> QuerySet[SearchUnit]:
    """Return the units that somebody may take now.

    A group that failed is tried again with the others, at the pace of its units' pauses: it may
    be mended. One that is being indexed anew is waited for.
    """
    return SearchUnit.objects.filter(
        lease_free(),
        state__in=UNDONE,
        request__state=State.SEARCHING,
        request__photos_deleted_on__isnull=True,
        group__state__in=(Group.State.READY, Group.State.FAILED),
    ).exclude(error=SearchUnit.Fault.ENCODER_MISSING)


def units_release() -> int:
    """Let go on at once what waited for a group that is ready again; return how many units."""
    return _SEARCHES.release()


def _answer(group: Group, units: list[SearchUnit], searcher: Searcher) -> Answers[SearchUnit]:
    searching = units[0].stage == SearchUnit.Stage.SEARCH
    answers = (units_search if searching else units_verify)(group, units, searcher)
    for fields in answers.done.values():
        fields["searched_on"] = today()
    return answers


def _batch(unit: SearchUnit) -> int:
    return _BATCH[SearchUnit.Stage(unit.stage)]


def _goes_on(unit: SearchUnit) -> bool:
    return unit.priority <= SearchUnit.Priority.PERSON


_SEARCHES: Final = UnitQueue[SearchUnit](
    SearchUnit.objects.all,
    waiting=units_waiting,
    order=("priority", "attempts", "pk"),
    alike=("priority", "stage"),
    batch=_batch,
    sealed=("hits_sealed", "rows_sealed"),
    owner="request",
    answer=_answer,
    goes_on=_goes_on,
)
