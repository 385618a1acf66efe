"""Whether the search stands still, for want of a worker or for a fault."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.core import checks
from django.core.checks import CheckMessage, Error, register

from catalog.stores import REST, stores_served
from removal.checks.tables import tables_there
from removal.models import RemovalRequest, SearchUnit, State
from removal.search.errands import groups_waiting as errand_groups_waiting
from removal.search.leases import stuck
from removal.search.matching import groups_waiting

_Fault: Final = SearchUnit.Fault
_FAULTS: Final[Mapping[str, str]] = {
    _Fault.GROUP_UNAVAILABLE: "its index cannot be opened",
    _Fault.ENCODER_MISSING: "their photos are fingerprinted again, by its index's encoder",
    _Fault.PICTURES_UNAVAILABLE: "the dataset's pictures cannot be reached to compare them",
    _Fault.KEY_GONE: "the worker cannot open what it is to search by",
    "": "workers died while they searched it",
}
_MENDS: Final[Mapping[str, str]] = {
    _Fault.GROUP_UNAVAILABLE: "Mount its disk, or run python manage.py index_dataset {dataset}; "
    "the searches then go on by themselves.",
    _Fault.ENCODER_MISSING: "It goes on by itself. If it does not, the index was made by another "
    "version of the encoder: run python manage.py index_dataset {dataset} --changed.",
    _Fault.PICTURES_UNAVAILABLE: "Mount its disk. After some tries the rows are judged without.",
    _Fault.KEY_GONE: "Mount the shred store for the worker; a key that was destroyed on purpose "
    "ends its request by itself.",
    "": "Read the worker's log; an index that is damaged is built anew by index_dataset.",
}

_SERVE: Final = (
    "Start a worker where {store} is mounted, with {store} in its UNLIST_STORES, or without "
    "UNLIST_STORES: celery --app config worker --pool threads."
)


@register("unlist", deploy=True)
def search_check(**_: Any) -> list[CheckMessage]:
    """No search stands still, for want of a worker or for a fault."""
    if not tables_there():
        return []
    return [*_unserved(), *_stuck()]


def _unserved() -> Iterator[CheckMessage]:
    """Name the stores that units wait for and no worker serves; likewise the rest."""
    waiting = Counter(group.store for group in groups_waiting())
    errands = Counter(group.store for group in errand_groups_waiting())
    served = stores_served()
    for store in sorted(waiting.keys() - served):
        yield checks.Warning(
            f"Requests wait for {waiting[store]:,} groups of the store {store}, and no worker "
            "serves it.",
            hint=_SERVE.format(store=store),
            id="removal.W010",
        )
    for store in sorted(errands.keys() - served - waiting.keys()):
        yield checks.Warning(
            f"Searches for copies of approved rows, or sweeps, wait for {errands[store]:,} groups "
            f"of the store {store}, and no worker serves it.",
            hint=_SERVE.format(store=store),
            id="removal.W012",
        )
    if REST not in served and RemovalRequest.objects.filter(state=State.RECEIVED).exists():
        yield checks.Warning(
            "Requests wait to be fingerprinted, and no worker does that.",
            hint=f"Start a worker without UNLIST_STORES, or with {REST} among them.",
            id="removal.W011",
        )


def _stuck() -> Iterator[CheckMessage]:
    """Name the groups that units failed in, why, and how many requests wait for each."""
    units = SearchUnit.objects.filter(request__state=State.SEARCHING, group__isnull=False)
    facts = (
        units.filter(stuck())
        .exclude(state=SearchUnit.State.DONE)
        .values_list("group__dataset__name", "group__number", "error")
    )
    for (dataset, number, fault), waiting in sorted(Counter(facts).items()):
        yield Error(
            f"{waiting:,} requests wait for group {dataset}/{number}: "
            f"{_FAULTS.get(fault, _FAULTS[''])}.",
            hint=_MENDS.get(fault, _MENDS[""]).format(dataset=dataset),
            id="removal.E030",
        )
