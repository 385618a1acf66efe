"""The audit log: a hash chain that shows when an entry was changed, removed or put in later.

Each entry's digest covers its canonical JSON and the digest of the entry before. The head row is
locked last before commit, so that parallel writers make one chain and no deadlock. An entry names
its request by an HMAC under a key of that request, which is destroyed with its last trace; it
holds no content. Acts of the subject are dated by day, acts of staff by time.
"""

import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from removal.custody import shred
from removal.models import AuditEntry, AuditTip, RemovalRequest

_FORM: Final = b"unlist-audit/1\n"
_START: Final = bytes(32)

SUBJECT: Final = "subject"
WORKER: Final = "worker"
RELEASE: Final = "release"
RETENTION: Final = "retention"
_BY_TIME: Final = "staff:"


def staff(user_id: int) -> str:
    """Return the actor's name of a member of staff: a number, no name."""
    return f"{_BY_TIME}{user_id}"


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The chain's head.

    Attributes:
        seq: number of the last entry; 0 before the first.
        digest: its digest in hex.
    """

    seq: int
    digest: str


class AuditBroken(Exception):
    """The chain does not hold; `seq` is the first entry that is wrong."""

    def __init__(self, seq: int, what: str) -> None:
        super().__init__(
            f"Entry {seq} {what}. Entries before it are sound; compare with the heads in "
            "published manifests and with your backups."
        )
        self.seq = seq


def subject_tag(request: RemovalRequest) -> bytes:
    """Return what names a request in the log.

    Raises:
        KeyShredded: the request's audit key was destroyed with its tombstone.
    """
    return hmac.digest(shred.key_read(request.audit_shred), request.pk.bytes, "sha256")


def audit_append(
    *,
    act: str,
    actor: str,
    tag: bytes = b"",
    detail: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Append an entry; call it last in the transaction that does what it tells of.

    Args:
        act: what was done, in snake_case.
        actor: `SUBJECT`, `WORKER`, `RELEASE`, `RETENTION` or `staff(id)`.
        tag: `subject_tag` of the request, or empty.
        detail: counts, codes and states; never content.
    """
    now = timezone.now().replace(microsecond=0)
    tip = _tip_locked()
    entry = AuditEntry(
        seq=tip.seq + 1,
        day=now.date(),
        at=now if actor.startswith(_BY_TIME) else None,
        actor=actor,
        act=act,
        subject=tag,
        detail=dict(detail or {}),
        previous=bytes(tip.digest),
    )
    entry.digest = entry_digest(entry)
    entry.save(force_insert=True)
    AuditTip.objects.filter(pk=tip.pk).update(seq=entry.seq, digest=entry.digest)
    return entry


def entry_digest(entry: AuditEntry) -> bytes:
    """Return the digest that an entry must bear."""
    facts = {
        "seq": entry.seq,
        "day": entry.day.isoformat(),
        "at": entry.at.astimezone(dt.UTC).isoformat() if entry.at else None,
        "actor": entry.actor,
        "act": entry.act,
        "subject": bytes(entry.subject).hex(),
        "detail": entry.detail,
        "previous": bytes(entry.previous).hex(),
    }
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(_FORM + text.encode("ascii")).digest()


def audit_head() -> AuditHead:
    """Return the chain's head as it stands."""
    tip = AuditTip.objects.first()
    return AuditHead(tip.seq, bytes(tip.digest).hex()) if tip else AuditHead(0, _START.hex())


def audit_head_locked() -> AuditHead:
    """Return the head and hold it until the transaction ends: nothing is decided meanwhile."""
    tip = _tip_locked()
    return AuditHead(tip.seq, bytes(tip.digest).hex())


def audit_verify() -> AuditHead:
    """Check every entry and the head.

    Raises:
        AuditBroken: at the first entry that is wrong.
    """
    with transaction.atomic():  # one snapshot: entries and head belong together
        head = audit_head_locked()
        previous, seq = _START, 0
        for entry in AuditEntry.objects.order_by("seq").iterator(chunk_size=1000):
            seq += 1
            _entry_check(entry, seq, previous)
            previous = bytes(entry.digest)
    if head.seq > seq:
        raise AuditBroken(seq + 1, "is missing at the end of the log")
    if head.seq < seq or head.digest != previous.hex():
        raise AuditBroken(seq, "is not the one that the head names")
    return head


def _entry_check(entry: AuditEntry, seq: int, previous: bytes) -> None:
    if entry.seq != seq:
        raise AuditBroken(seq, "is missing")
    if bytes(entry.previous) != previous:
        raise AuditBroken(seq, "does not follow from the entry before it")
    if bytes(entry.digest) != entry_digest(entry):
        raise AuditBroken(seq, "was changed after it was written")


def _tip_locked() -> AuditTip:
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("The audit head is held in a transaction.")
    locked = AuditTip.objects.select_for_update()
    tip = locked.filter(pk=1).first()
    if tip is None:
        AuditTip.objects.get_or_create(pk=1)
        tip = locked.get(pk=1)
    return tip
