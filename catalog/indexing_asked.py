"""A group that was asked for, indexed by the worker that took its message."""

import time
from functools import lru_cache

from catalog.indexing import group_index
from catalog.models import Dataset, Group
from catalog.source import Source

# A dataset's listing is read again after so long; to list a large one takes minutes.
_LISTING_SECONDS = 1800


def group_index_asked(group_id: int) -> str | None:
    """Index a group if it is still asked for and nobody has it.

    Returns:
        Its store, where there may be more to do; None where there was nothing to do here.
    """
    asked = Group.objects.filter(pk=group_id, lease_until__isnull=False)
    group = asked.exclude(state=Group.State.READY).select_related("dataset").first()
    if group is None:
        return None
    outcome = group_index(group=group, source=_source(group.dataset), progress=lambda _: None)
    if outcome.state == "failed":
        _listed.cache_clear()  # should the reason lie in what is where, the next try looks again
    return None if outcome.state == "held" else group.dataset.store


def _source(dataset: Dataset) -> Source:
    place = (dataset.pk, dataset.path, dataset.format, dataset.encoder)
    return _listed(place, int(time.monotonic() // _LISTING_SECONDS))


@lru_cache(maxsize=4)
def _listed(place: tuple[int, str, str, str], _half_hour: int) -> Source:
    return Source(Dataset.objects.get(pk=place[0]))
