"""Groups of one dataset, indexed one after the other by this process."""

import time
from collections.abc import Callable, Iterable, Sequence

from django.utils import timezone

from catalog.indexing import GroupOutcome, group_index
from catalog.leases import LEASE
from catalog.models import Group
from catalog.source import Source


def groups_index(
    *,
    groups: Sequence[Group],
    source: Source,
    progress: Callable[[int], object],
    sleep: Callable[[float], None] = time.sleep,
) -> list[GroupOutcome]:
    """Index groups, in their order.

    A run that was killed leaves a lease behind, and so does one that goes on elsewhere: the
    groups held are tried once more when their leases would have run out.

    Args:
        groups: of one dataset, not ready.
        source: the dataset.
        progress: called with the number of rows done since the last call.
        sleep: lets seconds pass.
    """

    def tried(some: Iterable[Group]) -> dict[int, GroupOutcome]:
        return {
            group.pk: group_index(group=group, source=source, progress=progress) for group in some
        }

    outcomes = tried(groups)
    held = [group for group in groups if outcomes[group.pk].state == "held"]
    if held:
        sleep(_seconds_left(held))
        outcomes |= tried(held)
    return list(outcomes.values())


def _seconds_left(groups: Iterable[Group]) -> float:
    """Until the leases on groups have run out, should nobody renew them."""
    pks = [group.pk for group in groups]
    ends = Group.objects.filter(pk__in=pks, lease_until__isnull=False)
    now = timezone.now()
    left = [end - now for end in ends.values_list("lease_until", flat=True) if end is not None]
    longest = max((one.total_seconds() for one in left), default=0.0)
    return min(max(longest, 0.0), LEASE.total_seconds()) + 0.1
