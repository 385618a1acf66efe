"""The dashboard's panels about the house: what can be searched, and whether it is being done."""

from datetime import datetime
from typing import Final

from django.db.models import Count, Min, Q
from django.utils import timezone

from catalog.models import WorkerStore
from catalog.selectors import datasets_covered, stores_known
from catalog.stores import REST, stores_served
from removal.desk.charts import Chart, Series
from removal.desk.dashboard import Panel, panel_register
from removal.life.retention import retention_late
from removal.models import RemovalRequest, RetentionRun, SearchUnit, State
from removal.permissions import COVERAGE, HEALTH
from removal.search.leases import stuck
from removal.selectors.queue import UNDERWAY
from removal.templatetags.unlist_text import day, grouped

DATASETS_MOST: Final = 12


def _coverage() -> Panel:
    datasets = sorted(datasets_covered(), key=lambda one: -one.rows)
    shown = datasets[:DATASETS_MOST]
    parts = [100 * one.rows_indexed / one.rows if one.rows else 0.0 for one in shown]
    chart = Chart(
        title="Rows that can be searched, of a hundred",
        head="Dataset",
        labels=[one.name for one in shown],
        series=[
            Series(
                "Searchable",
                parts,
                [
                    f"{part:.0f} % ({grouped(one.rows_indexed)} of {grouped(one.rows)})"
                    for part, one in zip(parts, shown, strict=True)
                ],
            )
        ],
        shape="bars",
        full=100,
    )
    groups = sum(one.groups for one in datasets)
    ready = sum(one.groups_ready for one in datasets)
    return Panel(
        "Index coverage",
        chart if shown else None,
        facts=[("Datasets", grouped(len(datasets))), ("Groups ready", f"{ready} of {groups}")],
        bad=[] if datasets else ["No dataset is covered: add one with add_dataset."],
        link=("admin:catalog_dataset_changelist", "All datasets"),
    )


def _workers() -> Panel:
    seen = dict(WorkerStore.objects.values_list("store", "seen_at"))
    stores, served = sorted({REST, *stores_known()}), stores_served()
    units = _units()
    since = RemovalRequest.objects.filter(state__in=UNDERWAY).aggregate(day=Min("received_on"))
    run = RetentionRun.objects.first()
    late = retention_late()
    away = [store for store in stores if store not in served]
    return Panel(
        "Workers and retention",
        facts=[
            *((f"Store {store}, last heartbeat", _heard(seen.get(store))) for store in stores),
            ("Units of search waiting", grouped(units["waiting"])),
            ("Units being searched", grouped(units["running"])),
            ("Units that keep failing", grouped(units["stuck"])),
            ("Oldest request being searched", day(since["day"]) or "none"),
            ("Retention last ran", _heard(run.ran_at if run else None)),
        ],
        bad=[
            *(f"No worker serves the store {store}: see that one runs." for store in away),
            *(["Some units keep failing: `doctor` says which and why."] if units["stuck"] else []),
            *([f"Retention is late: it {late}. See that the scheduler runs."] if late else []),
        ],
    )


def _units() -> dict[str, int]:
    """Count what workers have before them, as `/metrics` does."""
    running = Q(lease_token__isnull=False, lease_until__gt=timezone.now())
    units = SearchUnit.objects.filter(request__state=State.SEARCHING, group__isnull=False)
    counts: dict[str, int] = units.exclude(state=SearchUnit.State.DONE).aggregate(
        waiting=Count("pk", filter=~stuck() & ~running),
        running=Count("pk", filter=~stuck() & running),
        stuck=Count("pk", filter=stuck()),
    )
    return counts


def _heard(at: datetime | None) -> str:
    return "never" if at is None else f"{day(at.date())}, {at:%H:%M} UTC"


def register() -> None:
    """Put the panels on the dashboard."""
    panel_register("coverage", _coverage, rights=(HEALTH, *sorted(COVERAGE)))
    panel_register("workers", _workers, rights=(HEALTH,))
