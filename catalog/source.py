"""A dataset where it lies, read to be indexed: its shards must be those that were planned.

For workers and operator commands only: its pictures are decoded, its encoder is looked up.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property

import pyarrow as pa

from catalog.models import Dataset, Group
from catalog.planning import shard_record
from indexer.encoder.known import DeferredEncoder, EncoderUnavailable
from indexer.storage.manifest import GroupUnreadable
from shards import NotADataset, ShardFacts, ShardReader, UnknownFormat, open_dataset

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

    def batches(self, shards: list[ShardFacts], refused: Counter[str]) -> Iterator[pa.RecordBatch]:
        """The rows of shards, in order; what is left out is counted by reason.

        Raises:
            ShardsDiffer: a file that reads as damaged is no longer as it was planned.
            StorageUnsteady: it reads otherwise the second time.
        """
        for shard in shards:
            own: Counter[str] = Counter()
            yield from self.reader.batches(shard, refused=own)
            if any(reason.endswith(_UNREADABLE) for reason in own):
                _check_damage(self.reader, shard, own)
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
