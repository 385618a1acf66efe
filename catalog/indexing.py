"""From shards to complete index directories, then to ``ready`` in the database, group by group.

A directory appears by one rename and only then does the database say ``ready``. A process that
is killed in between leaves either no directory (the group is built again) or a complete one that
the database does not know yet (it is adopted). For workers and operator commands only: this
module loads the index and encoder libraries.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from django.utils import timezone

from catalog.models import Dataset, Group
from catalog.planning import groups_reopen
from indexer.build import build_group
from indexer.encoder import Encoder, load_encoder
from indexer.group import IndexGroup
from indexer.manifest import GroupManifest, GroupUnreadable
from shards import ShardFacts, ShardReader

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GroupIndexed:
    """What became of one group; ``adopted`` where a finished directory was found."""

    rows: int
    refused: Counter[str]
    adopted: bool


def groups_index(
    *,
    groups: Sequence[Group],
    reader: ShardReader,
    shards: Sequence[ShardFacts],
    progress: Callable[[int], object],
) -> Iterator[GroupIndexed | None]:
    """Index groups of one dataset in turn; ``None`` for one that failed and was marked so.

    Args:
        groups: pending or failed, of one dataset.
        reader: the dataset, opened.
        shards: all its shards, as ``reader`` gives them now.
        progress: called with the number of rows done since the last call.

    Raises:
        EncoderUnavailable: the dataset's encoder cannot be loaded here.
    """
    by_name = {shard.name: shard for shard in shards}
    encoder = load_encoder(groups[0].dataset.encoder)
    for group in groups:
        own = [by_name[record["name"]] for record in group.shards]
        counted = _Countdown(group.rows, progress)
        try:
            yield group_index(
                group=group, reader=reader, shards=own, encoder=encoder, progress=counted
            )
        except (GroupUnreadable, OSError) as error:
            group_mark_failed(group=group, error=error)
            yield None
        counted.finish()


def group_index(
    *,
    group: Group,
    reader: ShardReader,
    shards: Sequence[ShardFacts],
    encoder: Encoder,
    progress: Callable[[int], None],
) -> GroupIndexed:
    """Build one group's index, or adopt the one that is there, and mark it ready.

    Raises:
        GroupUnreadable: what was built cannot be opened.
        OSError: the disk refuses.
    """
    found = _adoptable(group)
    manifest = found or _built(group, reader, shards, encoder, progress)
    group_mark_ready(group=group, manifest=manifest)
    return GroupIndexed(manifest.rows, Counter(manifest.refused), adopted=found is not None)


def groups_reopen_lost(*, dataset: Dataset) -> int:
    """Let groups whose index directory is gone or unusable be built again; returns how many."""
    ready = dataset.groups.filter(state=Group.State.READY).select_related("dataset")
    lost = [group.number for group in ready if not _opens(group)]
    groups_reopen(dataset=dataset, numbers=lost)
    return len(lost)


def group_mark_ready(*, group: Group, manifest: GroupManifest) -> None:
    """Record that a group's index directory is complete."""
    Group.objects.filter(pk=group.pk).exclude(state=Group.State.READY).update(
        state=Group.State.READY,
        error="",
        rows_indexed=manifest.rows,
        refused=dict(manifest.refused),
        manifest_sha256=manifest.sha256,
        indexed_on=timezone.now(),
    )


def group_mark_failed(*, group: Group, error: Exception) -> None:
    """Take a group out of the search and keep the reason for ``doctor``."""
    _log.error("index group %s failed: %s", group, error)
    Group.objects.filter(pk=group.pk).update(state=Group.State.FAILED, error=str(error))


class _Countdown:
    """Progress of one group, made to end at its planned rows whatever was refused on the way."""

    def __init__(self, rows: int, progress: Callable[[int], object]) -> None:
        self._left = rows
        self._progress = progress

    def __call__(self, done: int) -> None:
        self._left -= done
        self._progress(done)

    def finish(self) -> None:
        self._progress(self._left)


def _built(
    group: Group,
    reader: ShardReader,
    shards: Sequence[ShardFacts],
    encoder: Encoder,
    progress: Callable[[int], None],
) -> GroupManifest:
    refused: Counter[str] = Counter()
    build_group(
        group.path,
        _batches(reader, shards, refused),
        encoder=encoder,
        dataset=group.dataset.name,
        group=group.number,
        shards=group.shards,
        refused=refused,
        progress=progress,
    )
    return IndexGroup.open(group.path).manifest


def _batches(
    reader: ShardReader, shards: Sequence[ShardFacts], refused: Counter[str]
) -> Iterator[pa.RecordBatch]:
    for shard in shards:
        yield from reader.batches(shard, refused=refused)


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
