"""How a sweep ends: its rows are listed, it is dismissed, or its 30 days are over.

However it ends, its key is destroyed and its rows and words are deleted; that it was, and when, by
whom and how it ended, stays as long as a request's tombstone.
"""

import datetime as dt
import uuid
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from removal import audit
from removal.custody import shred
from removal.life.errands import errand_end
from removal.models import (
    PROPOSAL_OPEN,
    Errand,
    ErrandKind,
    ErrandState,
    Proposal,
    ProposalState,
    SweepRow,
    Wrap,
)
from removal.selectors.sweeps import sweeps

DAYS_KEPT: Final = 30
LISTED: Final = "listed"
DISMISSED: Final = "dismissed"
DAYS_OVER: Final = "days_over"


def sweep_end(errand_id: uuid.UUID, how: str) -> bool:
    """End a sweep; tell whether this call did it.

    The key files go once it is committed, so that a transaction that is taken back loses nothing;
    those of a process that dies in between are found by retention.
    """
    with transaction.atomic():
        errand_end(errand_id, ErrandState.FAILED, fault=how)  # where it is still being searched
        kept = Errand.objects.filter(pk=errand_id, kind=ErrandKind.SWEEP).exclude(result_sealed=b"")
        if not kept.update(result_sealed=b"", fault=how):
            return False
        SweepRow.objects.filter(errand_id=errand_id).delete()
        wraps = Wrap.objects.filter(key__errand_id=errand_id)
        held = list(wraps.select_for_update().values_list("pk", "shred"))
        Wrap.objects.filter(pk__in=[pk for pk, _ in held]).delete()
        names = [name for _, name in held]
        transaction.on_commit(lambda: _keys_gone(names), robust=True)
    return True


def _keys_gone(names: list[uuid.UUID]) -> None:
    shred.keys_destroy(names)


def sweeps_end() -> int:
    """End the sweeps that are too old, and forget those that ended long ago; count the former."""
    now = timezone.now()
    late = sweeps().filter(asked_at__lt=now - dt.timedelta(days=DAYS_KEPT))
    names = list(late.exclude(result_sealed=b"").values_list("pk", flat=True))
    count = sum(_days_over(name) for name in names)
    long_ago = now - dt.timedelta(days=settings.UNLIST.keep_tombstone_days)
    sweeps().filter(asked_at__lt=long_ago, result_sealed=b"").delete()
    return count


def _days_over(errand_id: uuid.UUID) -> bool:
    with transaction.atomic():
        Errand.objects.select_for_update().filter(pk=errand_id).first()
        running = Proposal.objects.filter(errand_id=errand_id, state__in=PROPOSAL_OPEN)
        running.update(state=ProposalState.STALE, ended_at=timezone.now())
        if not sweep_end(errand_id, DAYS_OVER):
            return False
        audit.audit_append(act="sweep_days_over", actor=audit.RETENTION)
    return True
