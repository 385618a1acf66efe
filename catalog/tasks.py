"""Celery tasks of indexing: ids in, work elsewhere, all of it idempotent. Messages are hints."""

from collections.abc import Iterable

from celery import shared_task

from catalog.distributing import GroupWaiting, groups_waiting
from catalog.slots import index_slot
from catalog.stores import INDEXING, index_queue, stores_served

# A hint that no worker took within this time is worthless: the sweep has sent others since.
_HINT_SECONDS = 60


def groups_hint(groups: Iterable[GroupWaiting]) -> None:
    """Tell the workers of the groups' stores."""
    for group in groups:
        index_group.apply_async(
            args=(group.group_id,),
            queue=index_queue(group.store),
            priority=INDEXING,
            expires=_HINT_SECONDS,
            retry=False,
        )


@shared_task(acks_late=True, ignore_result=True)
def index_group(group_id: int) -> None:
    """Index a group that was asked for, then have the next one of its store indexed."""
    from catalog.indexing_asked import group_index_asked  # noqa: PLC0415  # torch, faiss

    with index_slot() as free:
        store = group_index_asked(group_id) if free else None
    if store is not None:
        groups_hint(groups_waiting([store])[:1])


@shared_task(acks_late=True, ignore_result=True)
def index_sweep() -> None:
    """Tell again of groups whose message was lost, or whose worker died.

    Stores that no worker serves are left out: a message would only lie in the broker.
    """
    groups_hint(groups_waiting(stores_served()))
