"""What may be asked of the catalog: coverage, groups to search, encoders they need."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Q, QuerySet, Sum

from catalog.models import Dataset, Group


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


def encoders_in_use(datasets: Collection[str] | None = None) -> list[str]:
    """The encoders by which a photo must be embedded to search those groups, by name."""
    names = groups_ready(datasets).order_by("dataset__encoder")
    return list(names.values_list("dataset__encoder", flat=True).distinct())
