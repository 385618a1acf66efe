"""Who opened a request or a sweep to read it: in the audit log, once while they work on it."""

import datetime as dt
import uuid
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
    _noted("case_opened", reviewer, tag=audit.subject_tag(request), detail={})


def sweep_open_note(*, errand_id: uuid.UUID, reviewer: User) -> None:
    """Note that somebody reads what a sweep was asked and what it found, and not yet a picture."""
    _noted("sweep_opened", reviewer, tag=b"", detail={"sweep": str(errand_id)})


def _noted(act: str, reviewer: User, *, tag: bytes, detail: dict[str, str]) -> None:
    actor = audit.staff(reviewer.pk)
    before = AuditEntry.objects.filter(subject=tag, actor=actor, act=act, detail=detail)
    if before.filter(at__gte=timezone.now() - ONE_SITTING).exists():
        return
    with transaction.atomic():
        audit.audit_append(act=act, actor=actor, tag=tag, detail=detail)
