"""A group that failed and answers again is taken back, whatever mended it: a mount, a repair."""

import logging

from catalog.models import Group

_log = logging.getLogger(__name__)


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
