"""How things are destroyed: the key first, then what it opened, then the row that names it.

Every function is idempotent: one that dies halfway is completed by the next call. Keys whose files
a rotation renewed meanwhile are destroyed after the commit that forgets them, so that no wrap
slips through. When something is due is said in `retention`.

A request under a legal hold keeps what it has: each function takes the request's row where no hold
lies on it, before a key is destroyed, so that a hold comes wholly before that or finds it gone.
"""

import datetime as dt
import uuid
from collections.abc import Iterable
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet

from removal import audit
from removal.custody import blobs, shred
from removal.models import (
    Candidate,
    Claim,
    DataKey,
    Errand,
    Flag,
    Message,
    Photo,
    Proposal,
    Purpose,
    Question,
    Recipient,
    RemovalRequest,
    SearchUnit,
    State,
    SubjectSession,
    Wrap,
    today,
)

# Stands as closing day while a request is purged: a purge that dies is completed by the next run.
PURGING: Final = dt.date(1970, 1, 1)
_PHOTO_KEYS: Final = (Purpose.PHOTO, Purpose.PRINT)
_CASE_KEYS: Final = (Purpose.CASE, Purpose.ERRAND)
_CASE_ROWS: Final = (
    Errand,
    Question,
    Message,
    Candidate,
    SearchUnit,
    Photo,
    Proposal,
    Flag,
    Claim,
)


class RequestHeld(Exception):
    """A legal hold lies on the request: nothing of it is destroyed before the hold has ended."""

    def __init__(self) -> None:
        super().__init__(
            "A legal hold lies on this request, so nothing of it is erased. Once the escalation "
            "role has ended the hold, erase it again."
        )


def photos_destroy(request_id: uuid.UUID) -> bool:
    """Destroy photos and fingerprints of a request; tell whether any were left."""
    day = today()
    with transaction.atomic():
        if not _unheld(request_id):
            return False
        shred.keys_destroy(_shreds(_wraps(request_id, _PHOTO_KEYS)))
        taken = RemovalRequest.objects.filter(pk=request_id, photos_deleted_on__isnull=True).update(
            photos_deleted_on=day, links_sealed=b""
        )
        if not taken:
            return False
        request = RemovalRequest.objects.get(pk=request_id)
        names = list(request.photos.values_list("blob", flat=True))
        _wraps_forget(_wraps(request_id, _PHOTO_KEYS))
        request.photos.update(
            state=Photo.State.DELETED, deleted_on=day, fingerprint_sealed=b"", probe_sealed=b""
        )
        SearchUnit.objects.filter(request_id=request_id).update(hits_sealed=b"", rows_sealed=b"")
        transaction.on_commit(lambda: blobs.blobs_delete(names), robust=True)
        audit.audit_append(
            act="photos_destroyed",
            actor=audit.RETENTION,
            tag=_tag_left(request),
            detail={"photos": len(names)},
        )
    return True


def case_destroy(request_id: uuid.UUID, *, where: Q | None = None) -> bool:
    """Destroy words and rows of a closed request; its tombstone stays.

    The case is taken before a key is destroyed: an appeal comes wholly before that, or is refused.

    Args:
        request_id: whose case.
        where: what must (still) hold of the request, else nothing is destroyed.
    """
    with transaction.atomic():
        free = RemovalRequest.objects.filter(where or Q(), pk=request_id, held_on__isnull=True)
        taken = free.filter(case_deleted_on__isnull=True).update(
            case_deleted_on=today(), **_EMPTIED
        )
        if not taken:
            return False
        photos_destroy(request_id)
        shred.keys_destroy(_shreds(_wraps(request_id, _CASE_KEYS)))
        request = RemovalRequest.objects.get(pk=request_id)
        _wraps_forget(_wraps(request_id, _CASE_KEYS))
        for model in _CASE_ROWS:
            model.objects.filter(request_id=request_id).delete()
        audit.audit_append(act="case_destroyed", actor=audit.RETENTION, tag=_tag_left(request))
    return True


# What a tombstone says no more: docs/privacy.md "Clocks" names what it still says.
_EMPTIED: Final = {
    "category": "",
    "language": "",
    "tier": "",
    "encoders": [],
    "link_count": 0,
    "attempts": 0,
    "content_sealed": b"",
    "extension_sealed": b"",
    "statement_sealed": b"",
    "appeal_sealed": b"",
    "extended_on": None,
    "searched_on": None,
    "appealed_on": None,
    "answer_due_on": None,
    "escalated_on": None,
}


def request_purge(request_id: uuid.UUID, *, act: str, actor: str) -> bool:
    """Destroy every trace of a request but its audit entries, which then name nobody."""
    request = RemovalRequest.objects.filter(pk=request_id).first()
    free = RemovalRequest.objects.filter(pk=request_id, held_on__isnull=True)
    if request is None or not free.update(closed_on=PURGING):
        return False
    names = list(request.photos.values_list("blob", flat=True))
    tag, every = _tag_left(request), _wraps(request_id, tuple(Purpose))
    sessions = SubjectSession.objects.filter(request_id=request_id)
    shred.keys_destroy([*_shreds(every), *_shreds(sessions), request.audit_shred])
    with transaction.atomic():
        free.select_for_update().first()  # before what is its own: no two lock crosswise
        _wraps_forget(every)
        sessions_forget(sessions)
        deleted, _ = RemovalRequest.objects.filter(pk=request_id).delete()
        if not deleted:
            return False
        transaction.on_commit(lambda: blobs.blobs_delete(names), robust=True)
        audit.audit_append(act=act, actor=actor, tag=tag)
    return True


def request_erase(request_id: uuid.UUID) -> bool:
    """Erase a request at its subject's own wish, tombstone included; tell whether there was one.

    Raises:
        RequestHeld: a legal hold lies on it.
    """
    if RemovalRequest.objects.filter(pk=request_id, held_on__isnull=False).exists():
        raise RequestHeld
    return request_purge(request_id, act="erased", actor=audit.SUBJECT)


def worker_keys_destroy(request_ids: Iterable[uuid.UUID] | None = None) -> int:
    """Destroy the worker's wraps of requests whose search is over; return how many there were."""
    over = Wrap.objects.filter(recipient=Recipient.WORKER, key__request__isnull=False).exclude(
        key__request__state__in=(State.RECEIVED, State.SEARCHING)
    )
    if request_ids is not None:
        over = over.filter(key__request_id__in=request_ids)
    names = _shreds(over)
    shred.keys_destroy(names)
    Wrap.objects.filter(shred__in=names).delete()
    return len(names)


def sessions_forget(sessions: QuerySet[SubjectSession]) -> int:
    """Destroy the keys of sessions, then their rows; return how many there were."""
    names = _shreds(sessions)
    shred.keys_destroy(names)
    SubjectSession.objects.filter(shred__in=names).delete()
    return len(names)


def _unheld(request_id: uuid.UUID) -> bool:
    """Lock the request's row; tell whether it is there and no hold lies on it."""
    free = RemovalRequest.objects.filter(pk=request_id, held_on__isnull=True)
    return free.select_for_update().first() is not None


def _wraps_forget(wraps: QuerySet[Wrap]) -> None:
    """Delete wraps, and once that is committed what key files a rotation gave them meanwhile."""
    held = list(wraps.select_for_update().values_list("pk", "shred"))
    Wrap.objects.filter(pk__in=[pk for pk, _ in held]).delete()
    names = [name for _, name in held]
    transaction.on_commit(lambda: _keys_gone(names), robust=True)


def _keys_gone(names: list[uuid.UUID]) -> None:
    shred.keys_destroy(names)


def _wraps(request_id: uuid.UUID, purposes: tuple[Purpose, ...]) -> QuerySet[Wrap]:
    """Return the wraps of a request for some purposes, and with `ERRAND` those of its errands."""
    owner = Q(request=request_id) | Q(errand__request=request_id)
    # A subquery: PostgreSQL locks no row of an outer join.
    return Wrap.objects.filter(key__in=DataKey.objects.filter(owner, purpose__in=purposes))


def _shreds(rows: QuerySet[Wrap] | QuerySet[SubjectSession]) -> list[uuid.UUID]:
    return list(rows.values_list("shred", flat=True))


def _tag_left(request: RemovalRequest) -> bytes:
    """Return what names a request in the log; nothing once a purge destroyed its audit key."""
    try:
        return audit.subject_tag(request)
    except shred.KeyShredded:
        return b""
