"""Celery tasks of the releases: no ids at all, work elsewhere, idempotent. Messages are hints."""

from typing import Final

from celery import shared_task

from catalog.stores import STAFF
from releases import months, proofs
from removal.selectors.proofs import proofs_due

_EVERY_SECONDS: Final = 600  # as config.celery schedules the sweep: what is older is worthless


@shared_task(acks_late=True, ignore_result=True)
def proofs_sweep() -> None:
    """Tell the workers of the staff role of closed requests without proofs, where there are any."""
    if proofs_due():
        seal_proofs.apply_async(queue=STAFF, expires=_EVERY_SECONDS, retry=False)


@shared_task(acks_late=True, ignore_result=True)
def seal_proofs() -> None:
    """Seal to their subjects the proofs of requests that were closed (queue `staff`)."""
    proofs.proofs_seal_due()


@shared_task(acks_late=True, ignore_result=True)
def months_close() -> None:
    """Store what may be told of each month that is over."""
    months.months_close()
