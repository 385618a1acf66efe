"""Which shards make up which group, and what has changed since that was planned.

A group, once ready, keeps its shards: its index is immutable. New shards make new groups; a
pending group follows its shards' present state; changes under a ready group are reported.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.db import transaction

from catalog.models import Dataset, Group
from shards import ShardFacts

ShardRecord = Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """What planning found.

    Attributes:
        new_groups: groups planned now.
        changed: names of the shards whose files differ from those of their planned group.
        gone: names of the shards that are no longer there.
        stale: the ready groups that hold such shards, by number.
    """

    new_groups: int
    changed: tuple[str, ...]
    gone: tuple[str, ...]
    stale: tuple[int, ...]


@transaction.atomic
def groups_plan(*, dataset: Dataset, shards: Sequence[ShardFacts]) -> Plan:
    """Bring a dataset's groups in line with its shards as they are now."""
    present = {shard.name: shard_record(shard) for shard in shards}
    groups = list(dataset.groups.order_by("number"))
    planned = {record["name"]: record for group in groups for record in group.shards}
    changed = {name for name in planned.keys() & present.keys() if planned[name] != present[name]}
    gone = planned.keys() - present.keys()
    stale = [group for group in groups if changed | gone & _names(group)]
    _pending_groups_follow(stale, present)
    new = [record for name, record in present.items() if name not in planned]
    made = _groups_append(dataset, new, 1 + max((group.number for group in groups), default=-1))
    Dataset.objects.filter(pk=dataset.pk).update(rows=sum(shard.rows for shard in shards))
    return Plan(
        new_groups=made,
        changed=tuple(sorted(changed)),
        gone=tuple(sorted(gone)),
        stale=tuple(group.number for group in stale if group.state == Group.State.READY),
    )


def groups_reopen(*, dataset: Dataset, numbers: Iterable[int]) -> None:
    """Let ready groups whose shards have changed be indexed again."""
    dataset.groups.filter(number__in=tuple(numbers), state=Group.State.READY).update(
        state=Group.State.PENDING
    )


def shard_record(shard: ShardFacts) -> dict[str, Any]:
    """A shard's facts as the catalog and the index keep them."""
    return asdict(shard)


def _names(group: Group) -> set[str]:
    return {record["name"] for record in group.shards}


def _pending_groups_follow(groups: Iterable[Group], present: Mapping[str, ShardRecord]) -> None:
    for group in groups:
        if group.state == Group.State.READY:
            continue
        group.shards = [present[name] for name in sorted(_names(group) & present.keys())]
        group.rows = sum(record["rows"] for record in group.shards)
        if group.shards:
            group.save(update_fields=["shards", "rows"])
        else:
            group.delete()


def _groups_append(dataset: Dataset, records: Iterable[ShardRecord], first: int) -> int:
    runs = list(_runs(records, settings.UNLIST.group_rows))
    Group.objects.bulk_create(
        Group(
            dataset=dataset,
            number=first + offset,
            shards=run,
            rows=sum(record["rows"] for record in run),
        )
        for offset, run in enumerate(runs)
    )
    return len(runs)


def _runs(records: Iterable[ShardRecord], most: int) -> Iterator[list[ShardRecord]]:
    """Consecutive shards of at most ``most`` rows together; a larger shard stands alone."""
    run: list[ShardRecord] = []
    rows = 0
    for record in records:
        if run and rows + record["rows"] > most:
            yield run
            run, rows = [], 0
        run.append(record)
        rows += record["rows"]
    if run:
        yield run
