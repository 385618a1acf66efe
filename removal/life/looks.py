"""Who opened a request to read it: noted in the audit log, once while they work on it."""

import datetime as dt
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from removal import audit
from removal.models import AuditEntry, RemovalRequest

ONE_SITTING: Final = dt.timedelta(minutes=30)
"""Pages opened again within this time are the same look, and make no new entry."""


def case_open_note(*, request: RemovalRequest, reviewer: User) -> None:
    """Note that somebody reads a request: its words, its rows, and not yet a picture."""
    act, actor, tag = "case_opened", audit.staff(reviewer.pk), audit.subject_tag(request)
    before = AuditEntry.objects.filter(subject=tag, actor=actor, act=act)
    if before.filter(at__gte=timezone.now() - ONE_SITTING).exists():
        return
    with transaction.atomic():
        audit.audit_append(act=act, actor=actor, tag=tag)
