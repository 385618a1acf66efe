"""Index a dataset group by group: see ``catalog.planning`` and ``catalog.indexing``."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from catalog.distributing import groups_ask
from catalog.locks import IndexingElsewhere, indexing_lock
from catalog.models import Dataset, Group
from catalog.planning import Plan, groups_plan, groups_reopen
from catalog.reports import refusal_lines
from catalog.selectors import DatasetUnknown, dataset_get, datasets_covered
from catalog.source import Source
from catalog.watching import NobodyIndexes, Watch, failures
from indexer.encoder.known import EncoderUnavailable
from shards import NotADataset, UnknownFormat

if TYPE_CHECKING:
    from catalog.indexing import GroupOutcome


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
        parser.add_argument(
            "--distributed",
            action="store_true",
            help="have the workers of the dataset's store index, on as many hosts as there are, "
            "and show how far they are; may be stopped: they go on",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        limit = options["limit_groups"]
        if limit is not None and limit < 1:
            raise CommandError(f"--limit-groups is {limit}: give a number from 1.")
        try:
            dataset = dataset_get(options["name"])
            if options["distributed"]:
                self._distribute(dataset, limit, changed=options["changed"])
            else:
                with indexing_lock(dataset.name):
                    self._index(dataset, limit, changed=options["changed"])
        except (
            DatasetUnknown,
            EncoderUnavailable,
            IndexingElsewhere,
            NobodyIndexes,
            NotADataset,
            UnknownFormat,
        ) as error:
            raise CommandError(str(error)) from error

    def _index(self, dataset: Dataset, limit: int | None, *, changed: bool) -> None:
        from catalog.indexing import groups_reopen_lost  # noqa: PLC0415  # faiss

        if lost := groups_reopen_lost(dataset=dataset):
            self.stdout.write(f"{lost:,} groups have lost their index: they are built again.")
        source, todo = self._planned(dataset, limit, changed=changed)
        outcomes = self._build(source, todo) if todo else []
        self._tell_done(outcomes)
        self._tell_coverage(dataset)
        self._tell_failed(dataset, [one.number for one in outcomes if one.state == "failed"])

    def _distribute(self, dataset: Dataset, limit: int | None, *, changed: bool) -> None:
        with indexing_lock(dataset.name):
            _, todo = self._planned(dataset, limit, changed=changed)
            numbers = [group.number for group in todo]
            asked = groups_ask(dataset=dataset, numbers=numbers)
        self.stdout.write(f"Asked the workers of {dataset.store!r} for {asked:,} groups.")
        try:
            Watch(dataset, numbers).run()
        except KeyboardInterrupt:
            raise CommandError(
                "Stopped watching. The workers go on; run this command again to watch.",
                returncode=130,
            ) from None
        self._tell_coverage(dataset)
        self._tell_failed(dataset, numbers)

    def _planned(
        self, dataset: Dataset, limit: int | None, *, changed: bool
    ) -> tuple[Source, list[Group]]:
        """Bring the groups in line with the shards; the dataset, and its groups to be indexed."""
        source = Source(dataset)
        shards = list(source.shards.values())
        _ = source.encoder  # a name that there is none of is refused before anything is done
        plan = groups_plan(dataset=dataset, shards=shards)
        if changed and plan.stale:
            groups_reopen(dataset=dataset, numbers=plan.stale)
            groups_plan(dataset=dataset, shards=shards)
        self._tell_plan(dataset, plan, reopened=changed)
        pending = dataset.groups.exclude(state=Group.State.READY).select_related("dataset")
        return source, list(pending.order_by("number")[:limit])

    def _build(self, source: Source, todo: Sequence[Group]) -> "list[GroupOutcome]":
        """Index the groups one by one."""
        from catalog.indexing_here import groups_index  # noqa: PLC0415  # faiss

        with tqdm(total=sum(group.rows for group in todo), unit="row") as bar:
            return groups_index(groups=todo, source=source, progress=bar.update)

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

    def _tell_done(self, outcomes: "Sequence[GroupOutcome]") -> None:
        refused: Counter[str] = Counter()
        for outcome in outcomes:
            refused.update(outcome.refused)
        states = Counter(outcome.state for outcome in outcomes)
        if states["adopted"]:
            self.stdout.write(
                f"{states['adopted']:,} groups were complete on disk already: taken as they are."
            )
        if states["held"]:
            self.stdout.write(f"{states['held']:,} groups are being indexed by another process.")
        if outcomes:
            self.stdout.write(f"rows indexed: {sum(outcome.rows for outcome in outcomes):,}")
            for line in refusal_lines(refused):
                self.stdout.write(line)

    def _tell_coverage(self, dataset: Dataset) -> None:
        one = next(one for one in datasets_covered() if one.name == dataset.name)
        self.stdout.write(
            f"{one.name}: {one.rows_indexed:,} of {one.rows:,} rows can be searched, "
            f"{one.groups_ready:,} of {one.groups:,} groups are ready."
        )

    def _tell_failed(self, dataset: Dataset, numbers: Collection[int]) -> None:
        """Name the groups that failed, with the reasons.

        Raises:
            CommandError: there are such.
        """
        reasons = failures(dataset, numbers)
        for reason, failed in reasons:
            shown = ", ".join(map(str, failed[:5])) + (", …" if len(failed) > 5 else "")
            self.stderr.write(f"{len(failed):,} groups failed ({shown}): {reason}")
        if reasons:
            count = sum(len(failed) for _, failed in reasons)
            raise CommandError(f"{count:,} groups failed: mend what is said above, then run again.")
