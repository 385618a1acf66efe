"""Leases on requests, errands and units: those of `catalog.leases`, and their renewal."""

from typing import TypeVar

from django.db.models import Q, QuerySet
from django.utils import timezone

from catalog.leases import FRAIL, LEASE, lease_claim, lease_free, lease_kept
from removal.models import Errand, ErrandUnit, RemovalRequest, SearchUnit

__all__ = ["FRAIL", "lease_claim", "lease_free", "lease_kept", "lease_renew", "stuck"]

_Leased = TypeVar("_Leased", RemovalRequest, SearchUnit, Errand, ErrandUnit)


def lease_renew(rows: QuerySet[_Leased]) -> int:
    """Renew a lease on rows (restrict them by their token); return how many still hold it."""
    return rows.update(lease_until=timezone.now() + LEASE)


def stuck() -> Q:
    """The condition that a unit failed when it was last tried, or outlived too many workers."""
    return Q(state=SearchUnit.State.FAILED) | Q(attempts__gte=FRAIL)
