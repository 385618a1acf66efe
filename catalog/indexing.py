"""From shards to complete index directories, then to ``ready`` in the database, group by group.

A group is indexed under a lease, by an operator's command or by a worker on any host, and by one
of them at a time. A directory appears by one rename and only then does the database say
``ready``. A process that is killed in between leaves either no directory (the group is built
again) or a complete one that the database does not know yet (it is adopted). For workers and
operator commands only: this module loads the index and encoder libraries.
"""

import logging
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Literal

import pyarrow as pa
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from catalog.leases import LEASE, lease_claim, lease_free, lease_kept
from catalog.models import Dataset, Group
from catalog.planning import groups_reopen, shard_record
from indexer.encoder.known import DeferredEncoder, EncoderUnavailable
from indexer.group.build import build_group
from indexer.group.index import IndexGroup
from indexer.prepare.batches import prepare
from indexer.storage.manifest import EncoderFacts, GroupManifest, GroupUnreadable
from shards import NotADataset, ShardFacts, ShardReader, UnknownFormat, open_dataset

_log = logging.getLogger(__name__)

_UNREADABLE = ("_unreadable", "_cut_short")  # the ends of the reasons for which storage may be why


class ShardsDiffer(RuntimeError):
    """The shards that a process reaches are not those of the plan."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(
            f"{len(names):,} shards are not here as they were planned, {names[0]!r} for one: "
            "mount the dataset here, or run index_dataset again to plan with what is there."
        )


class StorageUnsteady(RuntimeError):
    """A shard reads otherwise than a moment ago: the storage failed, not the file."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Shard {name!r} could not be read to its end, and reads otherwise the second time: "
            "see that its disk or bucket answers, then run index_dataset again."
        )


class LeaseLost(RuntimeError):
    """Another process was given the group, as this one was not heard of for too long."""


REFUSALS = (
    GroupUnreadable,
    ShardsDiffer,
    StorageUnsteady,
    EncoderUnavailable,
    NotADataset,
    UnknownFormat,
    OSError,
    pa.ArrowException,
)
"""Why a group cannot be indexed here: told to the operator, and no reason to stop the others."""


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


class Source:
    """A dataset where it lies: opened, listed and its encoder looked up once, when first asked.

    Its properties raise what ``REFUSALS`` names.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    @cached_property
    def reader(self) -> ShardReader:
        """The dataset, opened."""
        dataset = self._dataset
        return open_dataset(dataset.path, dataset.format, encoder=dataset.encoder)

    @cached_property
    def shards(self) -> Mapping[str, ShardFacts]:
        """All its shards by name, as they were when first asked for."""
        return {shard.name: shard for shard in self.reader.shards()}

    @cached_property
    def encoder(self) -> DeferredEncoder:
        """The encoder, whose weights are read when a picture comes that is to be embedded."""
        return DeferredEncoder(self._dataset.encoder)

    def shards_of(self, group: Group) -> list[ShardFacts]:
        """A group's shards.

        Raises:
            ShardsDiffer: they are not all here, or have changed since they were planned.
        """
        differ = [
            record["name"]
            for record in group.shards
            if record["name"] not in self.shards
            or shard_record(self.shards[record["name"]]) != record
        ]
        if differ:
            raise ShardsDiffer(differ)
        return [self.shards[record["name"]] for record in group.shards]


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


def group_mark_ready(*, manifest: GroupManifest, held: QuerySet[Group]) -> bool:
    """Record that a group's index directory is complete; tells whether the lease still held.

    Args:
        manifest: of its directory.
        held: the group's row, for as long as this process has it on lease.
    """
    recorded = held.update(
        state=Group.State.READY,
        error="",
        failed_at=None,
        attempts=0,
        lease_token=None,
        lease_until=None,
        encoder=manifest.encoder.name,
        rows_indexed=manifest.rows,
        refused=dict(manifest.refused),
        manifest_sha256=manifest.sha256,
        indexed_on=timezone.now(),
    )
    return bool(recorded)


def group_mark_failed(
    *, group: Group, error: Exception, held: QuerySet[Group] | None = None
) -> None:
    """Take a group out of the search and keep the reason for ``doctor``.

    Args:
        group: the group.
        error: the reason.
        held: the group's row while this process has it on lease, where it was indexing it.
    """
    reason = _reason(error)
    _log.error("index group %s failed: %s", group, reason)
    # Where a search failed and the group is being indexed anew, the new index is waited for; where
    # that is done already, what failed was the old one.
    searched = Group.objects.filter(pk=group.pk, manifest_sha256=group.manifest_sha256).exclude(
        state=Group.State.PENDING
    )
    rows = searched if held is None else held
    rows.update(
        state=Group.State.FAILED,
        lease_token=None,
        lease_until=None,
        error=reason,
        failed_at=Coalesce(F("failed_at"), timezone.now()),
    )


def _reason(error: Exception) -> str:
    """What may be kept and logged of an error: libraries quote rows and name people's files."""
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    foreseen = isinstance(error, REFUSALS) and not isinstance(error, pa.ArrowException)
    return str(error) if foreseen else type(error).__name__


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
    batches = _batches(source.reader, shards, refused)
    build_group(
        group.path,
        prepare(batches, encoder=encoder, facts=facts),
        encoder=facts,
        dataset=group.dataset.name,
        group=group.number,
        shards=group.shards,
        refused=refused,
        progress=progress,
    )
    return IndexGroup.open(group.path).manifest


def _batches(
    reader: ShardReader, shards: list[ShardFacts], refused: Counter[str]
) -> Iterator[pa.RecordBatch]:
    for shard in shards:
        own: Counter[str] = Counter()
        yield from reader.batches(shard, refused=own)
        if any(reason.endswith(_UNREADABLE) for reason in own):
            _check_damage(reader, shard, own)
        refused.update(own)


def _check_damage(reader: ShardReader, shard: ShardFacts, refused: Counter[str]) -> None:
    """Tell a damaged file, which costs itself only, from a disk or bucket that was away.

    Damage is the same at every reading. What was merely out of reach would be missing from the
    index for good, and requests be answered "not found" over it.

    Raises:
        ShardsDiffer: the files are no longer as they were planned.
        StorageUnsteady: the shard reads otherwise now.
    """
    now = {one.name: one.identity for one in reader.shards()}
    if now.get(shard.name) != shard.identity:
        raise ShardsDiffer([shard.name])
    again: Counter[str] = Counter()
    for _ in reader.batches(shard, refused=again):
        pass
    if again != refused:
        raise StorageUnsteady(shard.name)


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
