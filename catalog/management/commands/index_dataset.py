"""Index a dataset group by group: see ``catalog.planning`` and ``catalog.indexing``."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from catalog.locks import IndexingElsewhere, indexing_lock
from catalog.models import Dataset, Group
from catalog.planning import Plan, groups_plan, groups_reopen
from catalog.reports import refusal_lines
from catalog.selectors import DatasetUnknown, dataset_get, datasets_covered
from shards import NotADataset, ShardFacts, ShardReader, UnknownFormat, open_dataset

if TYPE_CHECKING:
    from catalog.indexing import GroupIndexed


class Command(BaseCommand):
    help = (
        "Index the groups of a dataset that are not indexed yet. May be stopped or killed at any "
        "time: the next run goes on with the groups not yet done."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="the dataset, as add_dataset named it")
        parser.add_argument(
            "--limit-groups", type=int, metavar="N", help="stop after N groups; go on another time"
        )
        parser.add_argument(
            "--changed",
            action="store_true",
            help="index again the groups whose shards have changed since",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        from indexer.encoder import EncoderUnavailable  # noqa: PLC0415  # torch

        limit = options["limit_groups"]
        if limit is not None and limit < 1:
            raise CommandError(f"--limit-groups is {limit}: give a number from 1.")
        try:
            dataset = dataset_get(options["name"])
            with indexing_lock(dataset.name):
                self._index(dataset, limit, changed=options["changed"])
        except (
            DatasetUnknown,
            EncoderUnavailable,
            IndexingElsewhere,
            NotADataset,
            UnknownFormat,
        ) as error:
            raise CommandError(str(error)) from error

    def _index(self, dataset: Dataset, limit: int | None, *, changed: bool) -> None:
        from catalog.indexing import groups_reopen_lost  # noqa: PLC0415  # torch, faiss

        if lost := groups_reopen_lost(dataset=dataset):
            self.stdout.write(f"{lost:,} groups have lost their index: they are built again.")
        reader = open_dataset(dataset.path, dataset.format)
        shards = reader.shards()
        plan = groups_plan(dataset=dataset, shards=shards)
        if changed and plan.stale:
            groups_reopen(dataset=dataset, numbers=plan.stale)
            groups_plan(dataset=dataset, shards=shards)
        self._tell_plan(dataset, plan, reopened=changed)
        pending = dataset.groups.exclude(state=Group.State.READY).select_related("dataset")
        todo = list(pending.order_by("number")[:limit])
        failed = self._build(reader, shards, todo) if todo else 0
        self._tell_coverage(dataset)
        if failed:
            raise CommandError(f"{failed:,} groups failed: run doctor to see why, then this again.")

    def _build(
        self, reader: ShardReader, shards: Sequence[ShardFacts], todo: Sequence[Group]
    ) -> int:
        """Index the groups one by one; returns how many failed."""
        from catalog.indexing import groups_index  # noqa: PLC0415  # torch, faiss

        with tqdm(total=sum(group.rows for group in todo), unit="row") as bar:
            outcomes = list(
                groups_index(groups=todo, reader=reader, shards=shards, progress=bar.update)
            )
        done = [outcome for outcome in outcomes if outcome is not None]
        self._tell_done(done)
        return len(outcomes) - len(done)

    def _tell_plan(self, dataset: Dataset, plan: Plan, *, reopened: bool) -> None:
        if plan.new_groups:
            self.stdout.write(f"Planned {plan.new_groups:,} new groups.")
        for what, names in (("have changed", plan.changed), ("are gone", plan.gone)):
            if names:
                shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
                self.stdout.write(f"{len(names):,} shards {what} since planning: {shown}.")
        if plan.stale and not reopened:
            self.stdout.write(
                f"{len(plan.stale):,} groups were indexed from other shards than are there now: "
                f"run index_dataset {dataset} --changed to index them again."
            )

    def _tell_done(self, done: "Sequence[GroupIndexed]") -> None:
        refused: Counter[str] = Counter()
        for group in done:
            refused.update(group.refused)
        adopted = sum(group.adopted for group in done)
        if adopted:
            self.stdout.write(
                f"{adopted:,} groups were complete on disk already: taken as they are."
            )
        self.stdout.write(f"rows indexed: {sum(group.rows for group in done):,}")
        for line in refusal_lines(refused):
            self.stdout.write(line)

    def _tell_coverage(self, dataset: Dataset) -> None:
        one = next(one for one in datasets_covered() if one.name == dataset.name)
        self.stdout.write(
            f"{one.name}: {one.rows_indexed:,} of {one.rows:,} rows can be searched, "
            f"{one.groups_ready:,} of {one.groups:,} groups are ready."
        )
