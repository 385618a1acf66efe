"""Watching workers index: progress from the database, and a word where nothing can come of it."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from catalog.distributing import Progress, groups_progress, groups_waiting
from catalog.models import Dataset, Group
from catalog.stores import stores_served
from catalog.tasks import groups_hint

LOOK_SECONDS = 1.0
HINT_SECONDS = 15.0
PATIENCE_SECONDS = 60.0


class NobodyIndexes(RuntimeError):
    """No worker serves the dataset's store."""

    def __init__(self, store: str) -> None:
        super().__init__(
            f"No worker serves the store {store!r}, so nobody indexes: start one where the "
            f"dataset can be reached, with UNLIST_STORES={store} in its environment (`celery -A "
            "config worker --pool threads`). The groups stay asked for; run this command again "
            "to watch."
        )


@dataclass
class Watch:
    """Waits for groups that were asked for.

    Attributes:
        dataset: whose groups.
        numbers: which.
        clock, sleep: seconds, and how to let them pass.
    """

    dataset: Dataset
    numbers: Collection[int]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def run(self) -> Progress:
        """Show progress until every group is ready or failed.

        Raises:
            NobodyIndexes: none of them has been taken, and for a minute no worker served the store.
        """
        groups = self.dataset.groups.filter(number__in=self.numbers)
        total = sum(groups.values_list("rows", flat=True))
        with tqdm(total=total, unit="row", unit_scale=True) as bar:
            return self._watched(bar)

    def _watched(self, bar: "tqdm[Any]") -> Progress:
        hinted = served = self.clock()
        groups_hint(groups_waiting([self.dataset.store]))
        while True:
            progress = groups_progress(dataset=self.dataset, numbers=self.numbers)
            _show(bar, progress)
            if progress.over:
                return progress
            now = self.clock()
            if progress.running or self.dataset.store in stores_served():
                served = now
            elif now - served > PATIENCE_SECONDS:
                raise NobodyIndexes(self.dataset.store)
            if now - hinted > HINT_SECONDS:  # the scheduler's sweep does so too, where one runs
                groups_hint(groups_waiting([self.dataset.store]))
                hinted = now
            self.sleep(LOOK_SECONDS)


def failures(dataset: Dataset, numbers: Collection[int]) -> list[tuple[str, list[int]]]:
    """Why groups failed: each reason with the numbers of its groups."""
    failed = dataset.groups.filter(number__in=numbers, state=Group.State.FAILED)
    reasons: dict[str, list[int]] = {}
    for number, error in failed.order_by("number").values_list("number", "error"):
        reasons.setdefault(error, []).append(number)
    return list(reasons.items())


def _show(bar: "tqdm[Any]", progress: Progress) -> None:
    bar.set_postfix_str(
        f"{progress.running} groups in work, {progress.waiting} waiting, {progress.ready} ready, "
        f"{progress.failed} failed",
        refresh=False,
    )
    bar.update(progress.rows - bar.n)
    bar.refresh()
