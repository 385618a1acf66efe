"""How a group stands: ready, failed and why, or answering again."""

import logging

import pyarrow as pa
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from catalog.models import Group
from catalog.source import REFUSALS
from indexer.storage.manifest import GroupManifest

_log = logging.getLogger(__name__)


def group_mark_ready(*, manifest: GroupManifest, held: QuerySet[Group]) -> bool:
    """Record that a group's index directory is complete; tells whether the lease still held.

    Args:
        manifest: of its directory.
        held: the group's row, for as long as this process has it on lease.
    """
    recorded = held.update(
        state=Group.State.READY,
        error="",
        failed_at=None,
        attempts=0,
        lease_token=None,
        lease_until=None,
        encoder=manifest.encoder.name,
        rows_indexed=manifest.rows,
        refused=dict(manifest.refused),
        manifest_sha256=manifest.sha256,
        indexed_on=timezone.now(),
    )
    return bool(recorded)


def group_mark_failed(
    *, group: Group, error: Exception, held: QuerySet[Group] | None = None
) -> None:
    """Take a group out of the search and keep the reason for ``doctor``.

    Args:
        group: the group.
        error: the reason.
        held: the group's row while this process has it on lease, where it was indexing it.
    """
    reason = _reason(error)
    _log.error("index group %s failed: %s", group, reason)
    # Where a search failed and the group is being indexed anew, the new index is waited for; where
    # that is done already, what failed was the old one.
    searched = Group.objects.filter(pk=group.pk, manifest_sha256=group.manifest_sha256).exclude(
        state=Group.State.PENDING
    )
    rows = searched if held is None else held
    rows.update(
        state=Group.State.FAILED,
        lease_token=None,
        lease_until=None,
        error=reason,
        failed_at=Coalesce(F("failed_at"), timezone.now()),
    )


def group_mark_mended(*, group: Group) -> bool:
    """Take a failed group back after its recorded index answered; tells whether this call did it.

    A group that was indexed again meanwhile has another digest and is left as it is.
    """
    mended = Group.objects.filter(
        pk=group.pk, state=Group.State.FAILED, manifest_sha256=group.manifest_sha256
    ).update(state=Group.State.READY, error="", failed_at=None)
    if mended:
        _log.warning("index group %s answers again", group)
    return bool(mended)


def _reason(error: Exception) -> str:
    """What may be kept and logged of an error: libraries quote rows and name people's files."""
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    foreseen = isinstance(error, REFUSALS) and not isinstance(error, pa.ArrowException)
    return str(error) if foreseen else type(error).__name__
