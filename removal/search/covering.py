"""A dataset that open requests wait for is not taken out of the catalog under them."""

from typing import Any

from django.dispatch import receiver

from catalog.models import Dataset
from catalog.signals import dataset_leaving
from removal.models import SearchUnit, State


@receiver(dataset_leaving)
def searches_object(dataset: Dataset, **_: Any) -> str | None:
    """Object while units of open requests wait for one of the dataset's groups."""
    waiting = SearchUnit.objects.filter(
        group__dataset=dataset, request__state__in=(State.RECEIVED, State.SEARCHING)
    ).exclude(state=SearchUnit.State.DONE)
    requests = waiting.values("request").distinct().count()
    if not requests:
        return None
    return (
        f"{requests:,} open requests are being searched in it; wait until they are done, or run "
        "doctor to see what holds them up."
    )
