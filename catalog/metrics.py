"""How much can be searched, and who serves it, for the operator's monitoring (`config.metrics`)."""

from collections.abc import Iterator

from django.db.models import Count
from prometheus_client.core import GaugeMetricFamily, Metric

from catalog.models import Dataset, Group, WorkerStore
from catalog.selectors import datasets_covered
from catalog.stores import REST


def catalog_metrics() -> Iterator[Metric]:
    """Yield the figures of the catalog as the database has them now."""
    yield from _rows()
    yield _groups()
    yield _stores()


def _rows() -> Iterator[Metric]:
    known = GaugeMetricFamily("unlist_dataset_rows", "Rows of a dataset.", labels=["dataset"])
    covered = GaugeMetricFamily(
        "unlist_dataset_rows_covered",
        "Rows of a dataset that can be searched now.",
        labels=["dataset"],
    )
    for one in datasets_covered():
        known.add_metric([one.name], one.rows)
        covered.add_metric([one.name], one.rows_indexed)
    yield known
    yield covered


def _groups() -> Metric:
    """Count the groups of each dataset: `ready` ones open, `failed` ones could not be opened."""
    counted = Group.objects.order_by().values_list("dataset__name", "state")
    counts = {(name, state): n for name, state, n in counted.annotate(n=Count("pk"))}
    groups = GaugeMetricFamily(
        "unlist_groups",
        "Index groups of a dataset: ready ones can be searched, failed ones cannot be opened.",
        labels=["dataset", "state"],
    )
    for name in Dataset.objects.values_list("name", flat=True):
        for state in Group.State.values:
            groups.add_metric([name, state], counts.get((name, state), 0))
    return groups


def _stores() -> Metric:
    """Say when each store that holds a dataset was last vouched for, and the rest likewise."""
    seen = dict(WorkerStore.objects.values_list("store", "seen_at"))
    stores = GaugeMetricFamily(
        "unlist_store_seen_timestamp_seconds",
        f"When a worker last said that it serves a store; 0 for never. The store {REST} stands "
        "for fingerprints, conclusions and retention.",
        labels=["store"],
    )
    held = Dataset.objects.order_by().values_list("store", flat=True).distinct()
    for store in sorted({REST, *held}):
        stores.add_metric([store], seen[store].timestamp() if store in seen else 0)
    return stores
