"""From shards to complete index directories, then to ``ready`` in the database, group by group.

A group is indexed under a lease, by an operator's command or by a worker on any host, and by one
of them at a time. A directory appears by one rename and only then does the database say
``ready``. A process that is killed in between leaves either no directory (the group is built
again) or a complete one that the database does not know yet (it is adopted). For workers and
operator commands only: this module loads the index and encoder libraries.
"""

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from django.db.models import QuerySet
from django.utils import timezone

from catalog.leases import LEASE, lease_claim, lease_free, lease_kept
from catalog.marking import group_mark_failed, group_mark_ready
from catalog.models import Dataset, Group
from catalog.planning import groups_reopen
from catalog.source import REFUSALS, Source
from indexer.group.build import build_group
from indexer.group.index import IndexGroup
from indexer.prepare.batches import prepare
from indexer.storage.manifest import EncoderFacts, GroupManifest, GroupUnreadable
from shards import ShardFacts


class LeaseLost(RuntimeError):
    """Another process was given the group, as this one was not heard of for too long."""


@dataclass(frozen=True)
class GroupOutcome:
    """What became of one group.

    Attributes:
        number: the group's.
        state: ``indexed``; ``adopted`` where a finished directory was found; ``failed``, with the
            reason on the group; ``held`` where another process is indexing it, or has done so.
        rows: that can now be searched.
        refused: by reason, what was left out.
    """

    number: int
    state: Literal["indexed", "adopted", "failed", "held"]
    rows: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def group_index(*, group: Group, source: Source, progress: Callable[[int], object]) -> GroupOutcome:
    """Index one group if it is free: build its directory, or adopt the one that is there.

    Args:
        group: with its dataset; not ready.
        source: the dataset.
        progress: called with the number of rows done since the last call.
    """
    token = uuid.uuid4()
    undone = Group.objects.filter(pk=group.pk).exclude(state=Group.State.READY)
    if not lease_claim(undone.filter(lease_free()), token):
        return GroupOutcome(group.number, "held")
    held = Group.objects.filter(pk=group.pk, lease_token=token)
    try:
        return _index(group, source, held, progress)
    except LeaseLost:
        return GroupOutcome(group.number, "held")
    except REFUSALS as error:
        group_mark_failed(group=group, error=error, held=held)
        return GroupOutcome(group.number, "failed")
    except Exception as error:  # a fault of ours: told, not tried for ever
        group_mark_failed(group=group, error=error, held=held)
        raise
    except BaseException:  # stopped: whoever asked for it finds it as it was
        held.update(lease_token=None, lease_until=group.lease_until, rows_indexed=0)
        raise


def groups_reopen_lost(*, dataset: Dataset) -> int:
    """Let groups whose index directory is gone or unusable be built again; returns how many."""
    ready = dataset.groups.filter(state=Group.State.READY).select_related("dataset")
    lost = [group.number for group in ready if not _opens(group)]
    groups_reopen(dataset=dataset, numbers=lost)
    return len(lost)


class _Told:
    """Counts the rows done, for the operator and for the database, and stops with the lease."""

    def __init__(self, planned: int, progress: Callable[[int], object]) -> None:
        self.done = 0
        self._planned = planned
        self._progress = progress

    def __call__(self, rows: int) -> None:
        self.done += rows
        self._progress(rows)

    def finish(self) -> None:
        """End at the planned rows, whatever was refused on the way."""
        self._progress(self._planned - self.done)


def _index(
    group: Group, source: Source, held: QuerySet[Group], progress: Callable[[int], object]
) -> GroupOutcome:
    told = _Told(group.rows, progress)
    with lease_kept(partial(_renew, held, told)) as lost:

        def advance(rows: int) -> None:
            if lost.is_set():
                raise LeaseLost
            told(rows)

        shards = source.shards_of(group)
        found = _adoptable(group)
        manifest = found or _built(group, source, shards, advance)
        told.finish()
        if not group_mark_ready(manifest=manifest, held=held):
            raise LeaseLost
    state: Literal["adopted", "indexed"] = "indexed" if found is None else "adopted"
    return GroupOutcome(group.number, state, manifest.rows, Counter(manifest.refused))


def _renew(held: QuerySet[Group], told: _Told) -> int:
    """Renew the lease and say how far the group is."""
    return held.exclude(state=Group.State.READY).update(
        lease_until=timezone.now() + LEASE, rows_indexed=told.done
    )


def _built(
    group: Group,
    source: Source,
    shards: list[ShardFacts],
    progress: Callable[[int], None],
) -> GroupManifest:
    refused: Counter[str] = Counter()
    encoder = source.encoder
    facts = EncoderFacts(encoder.name, encoder.preprocessing, encoder.dim)
    build_group(
        group.path,
        prepare(source.batches(shards, refused), encoder=encoder, facts=facts),
        encoder=facts,
        dataset=group.dataset.name,
        group=group.number,
        shards=group.shards,
        refused=refused,
        progress=progress,
    )
    return IndexGroup.open(group.path).manifest


def _adoptable(group: Group) -> GroupManifest | None:
    """The manifest of a finished directory that was built from the shards as they are now."""
    try:
        opened = IndexGroup.open(group.path)
        opened.verify()
    except GroupUnreadable:
        return None
    manifest = opened.manifest
    same = (
        manifest.dataset == group.dataset.name
        and manifest.group == group.number
        and manifest.encoder.name == group.dataset.encoder
        and list(manifest.shards) == group.shards
    )
    return manifest if same else None


def _opens(group: Group) -> bool:
    try:
        IndexGroup.open(group.path)
    except GroupUnreadable:
        return False
    return True
