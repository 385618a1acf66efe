"""Leases on requests and units: those of `catalog.leases`, and their renewal."""

from typing import TypeVar

from django.db.models import QuerySet
from django.utils import timezone

from catalog.leases import FRAIL, LEASE, lease_claim, lease_free, lease_kept
from removal.models import RemovalRequest, SearchUnit

__all__ = ["FRAIL", "lease_claim", "lease_free", "lease_kept", "lease_renew"]

_Leased = TypeVar("_Leased", RemovalRequest, SearchUnit)


def lease_renew(rows: QuerySet[_Leased]) -> int:
    """Renew a lease on rows (restrict them by their token); return how many still hold it."""
    return rows.update(lease_until=timezone.now() + LEASE)
