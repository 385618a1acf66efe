"""What may be asked of the catalog: coverage, groups to search, encoders they need."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Count, Max, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce, NullIf

from catalog.models import STORE_DEFAULT, Dataset, Group


class DatasetUnknown(LookupError):
    """No dataset has that name; the message names those there are."""

    def __init__(self, name: str) -> None:
        known = ", ".join(Dataset.objects.values_list("name", flat=True))
        mend = f"known are: {known}" if known else "there is none yet, add one with add_dataset"
        super().__init__(f"There is no dataset {name!r}; {mend}.")


@dataclass(frozen=True)
class DatasetCoverage:
    """How far a dataset can be searched; ``indexed_on`` is when its latest group became ready."""

    name: str
    title: str
    revision: str
    store: str
    rows: int
    rows_indexed: int
    groups: int
    groups_ready: int
    indexed_on: datetime | None


def dataset_get(name: str) -> Dataset:
    """The dataset of that name.

    Raises:
        DatasetUnknown: see there.
    """
    try:
        return Dataset.objects.get(name=name)
    except Dataset.DoesNotExist:
        raise DatasetUnknown(name) from None


def datasets_covered() -> list[DatasetCoverage]:
    """Every dataset by name, with how much of it can be searched now."""
    ready = Q(groups__state=Group.State.READY)
    counted = Dataset.objects.annotate(
        groups_all=Count("groups"),
        groups_done=Count("groups", filter=ready),
        rows_done=Sum("groups__rows_indexed", filter=ready, default=0),
        latest=Max("groups__indexed_on", filter=ready),
    )
    return [
        DatasetCoverage(
            name=dataset.name,
            title=dataset.title,
            revision=dataset.revision,
            store=dataset.store,
            rows=dataset.rows,
            rows_indexed=dataset.rows_done,
            groups=dataset.groups_all,
            groups_ready=dataset.groups_done,
            indexed_on=dataset.latest,
        )
        for dataset in counted
    ]


def groups_ready(datasets: Collection[str] | None = None) -> QuerySet[Group]:
    """The groups that can be searched, of the named datasets or of all."""
    ready = Group.objects.filter(state=Group.State.READY).select_related("dataset")
    return ready if datasets is None else ready.filter(dataset__name__in=datasets)


def groups_covered() -> QuerySet[Group]:
    """The groups that a request must be searched in: all that were ever ready.

    One that fails now or is being indexed again is among them: a request waits for it, for to
    leave it out would be to say "not found" of what nobody looked through.
    """
    ever = Q(state=Group.State.READY) | ~Q(manifest_sha256="")
    return Group.objects.filter(ever).select_related("dataset")


def encoders_in_use(datasets: Collection[str] | None = None) -> list[str]:
    """The encoders by which a photo must be embedded to search the ready groups, by name."""
    return groups_encoders(groups_ready(datasets))


def groups_encoders(groups: QuerySet[Group]) -> list[str]:
    """The encoders by which the groups' indexes were made, by name."""
    own = Coalesce(NullIf("encoder", Value("")), "dataset__encoder")
    return sorted(set(groups.order_by().values_list(own, flat=True)))


def datasets_pictured() -> set[str]:
    """The names of the datasets that hold pictures, which geometry can be verified on."""
    return {
        name
        for name, facts in Dataset.objects.values_list("name", "facts")
        for signal in facts.get("signals", ())
        if signal["name"] == "geometry" and signal["available"]
    }


def stores_known() -> list[str]:
    """Every store that holds a dataset, by name; the default one always."""
    held = Dataset.objects.order_by().values_list("store", flat=True).distinct()
    return sorted({STORE_DEFAULT, *held})


def groups_here() -> QuerySet[Group]:
    """The groups whose index directories this process is expected to reach: UNLIST_STORES."""
    groups = Group.objects.select_related("dataset")
    stores = settings.UNLIST.stores
    return groups.filter(dataset__store__in=stores) if stores else groups
