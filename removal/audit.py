"""The audit log: a hash chain that shows when an entry was changed, removed or put in later.

Each entry's digest covers its canonical JSON and the digest of the entry before. The head row is
locked last before commit, so that parallel writers make one chain and no deadlock. An entry names
its request by an HMAC under a key of that request, which is destroyed with its last trace; it
holds no content. Acts of the subject are dated by day, acts of staff by time.
"""

import datetime as dt
import hashlib
import hmac
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from removal.custody import shred
from removal.models import AuditEntry, AuditTip, RemovalRequest

_FORM: Final = b"unlist-audit/1\n"
_CODE: Final = re.compile(r"[A-Za-z0-9_.:-]{0,64}")
_PART: Final = 1000
_UNREADABLE: Final = (ValueError, TypeError, AttributeError)
"""How columns that hold something else than they are for fail to be read."""

SUBJECT: Final = "subject"
WORKER: Final = "worker"
RELEASE: Final = "release"
RETENTION: Final = "retention"
RULE: Final = "rule"
"""A rule that the operator turned on, and no person: `life.rules`."""
OPERATOR: Final = "operator"
"""Whoever runs commands on the server."""
STAFF: Final = "staff:"
"""How the actors' names of staff begin."""


def staff(user_id: int) -> str:
    """Return the actor's name of a member of staff: a number, no name."""
    return f"{STAFF}{user_id}"


def staff_id(actor: str) -> int | None:
    """Return the number of the member of staff whom an actor's name stands for, if it does."""
    return int(actor.removeprefix(STAFF)) if actor.startswith(STAFF) else None


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The chain's head.

    Attributes:
        seq: number of the last entry; 0 before the first.
        digest: its digest in hex.
    """

    seq: int
    digest: str


START: Final = AuditHead(0, bytes(32).hex())
"""The head of a log without entries."""


class AuditBroken(Exception):
    """The chain does not hold; `seq` is the first entry that is wrong."""

    def __init__(self, seq: int, what: str) -> None:
        super().__init__(
            f"Entry {seq} {what}. Entries before it are sound; compare with the heads in "
            "published manifests and with your backups."
        )
        self.seq = seq


class ContentRefused(ValueError):
    """The audit log holds counts, codes and states alone; anything else was about to go in."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The detail {name[:64]!r} holds neither a number nor a code of at most 64 letters, "
            "digits and hyphens: put content under a key of the request, and its code here."
        )


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
        actor: `SUBJECT`, `WORKER`, `RELEASE`, `RETENTION`, `RULE`, `OPERATOR` or `staff(id)`.
        tag: `subject_tag` of the request, or empty.
        detail: counts, codes and states; never content.

    Raises:
        ContentRefused: the detail holds anything but counts, codes and states.
    """
    now = timezone.now().replace(microsecond=0)
    tip = _tip_locked()
    entry = AuditEntry(
        seq=tip.seq + 1,
        day=now.date(),
        at=now if actor == OPERATOR or actor.startswith(STAFF) else None,
        actor=actor,
        act=act,
        subject=tag,
        detail=_codes(detail or {}),
        previous=bytes(tip.digest),
    )
    entry.digest = entry_digest(entry)
    entry.save(force_insert=True)
    AuditTip.objects.filter(pk=tip.pk).update(seq=entry.seq, digest=entry.digest)
    return entry


def _codes(detail: Mapping[str, Any]) -> dict[str, Any]:
    """Return a detail in which there is no room for content."""
    for name, value in detail.items():
        values = value if isinstance(value, list | tuple) else [value]
        if not all(_is_code(one) for one in (name, *values)):
            raise ContentRefused(name)
    return dict(detail)


def _is_code(value: object) -> bool:
    if isinstance(value, str):
        return bool(_CODE.fullmatch(value))
    return value is None or isinstance(value, bool | int)


def entry_facts(entry: AuditEntry) -> dict[str, Any]:
    """Return what an entry's digest covers, as text and numbers."""
    return {
        "seq": entry.seq,
        "day": entry.day.isoformat(),
        "at": entry.at.astimezone(dt.UTC).isoformat() if entry.at else None,
        "actor": entry.actor,
        "act": entry.act,
        "subject": bytes(entry.subject).hex(),
        "detail": entry.detail,
        "previous": bytes(entry.previous).hex(),
    }


def entry_digest(entry: AuditEntry) -> bytes:
    """Return the digest that an entry must bear."""
    text = json.dumps(entry_facts(entry), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(_FORM + text.encode("ascii")).digest()


def audit_head() -> AuditHead:
    """Return the chain's head as it stands."""
    tip = AuditTip.objects.first()
    return AuditHead(tip.seq, bytes(tip.digest).hex()) if tip else START


def audit_head_locked() -> AuditHead:
    """Return the head and hold it until the transaction ends: nothing is decided meanwhile."""
    tip = _tip_locked()
    return AuditHead(tip.seq, bytes(tip.digest).hex())


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """What was checked of the chain.

    Attributes:
        reached: the last entry checked; all up to here are sound.
        head: the chain's head at that time.
    """

    reached: AuditHead
    head: AuditHead

    @property
    def whole(self) -> bool:
        """Whether the check came to the head."""
        return self.reached.seq == self.head.seq


def audit_verify() -> AuditHead:
    """Check every entry and the head.

    Raises:
        AuditBroken: at the first entry that is wrong.
    """
    return audit_check().head


def audit_check(*, after: AuditHead = START, most: int | None = None) -> AuditCheck:
    """Check the entries after one that was found sound, at most so many, and at the end the head.

    Raises:
        AuditBroken: at the first entry that is wrong.
    """
    with transaction.atomic():  # one snapshot: entries and head belong together
        head = audit_head_locked()
        reached, asked = after, _resumed(after)
        for entry in _readable(asked, most):
            reached = _entry_check(entry, reached)
        if most is not None and reached.seq >= asked + most and reached.seq < head.seq:
            return AuditCheck(reached, head)
    if head.seq > reached.seq:
        raise AuditBroken(reached.seq + 1, "is missing at the end of the log")
    if head != reached:
        raise AuditBroken(reached.seq, "is not the one that the head names")
    return AuditCheck(reached, head)


def _resumed(after: AuditHead) -> int:
    """Return where a check goes on, after seeing that its last entry is still as it was."""
    if after == START:
        return 0
    entry = AuditEntry.objects.filter(seq=after.seq).values_list("digest", flat=True).first()
    if entry is None or bytes(entry).hex() != after.digest:
        raise AuditBroken(after.seq, "was changed while the log was being checked")
    return after.seq


def _readable(after: int, most: int | None) -> Iterator[AuditEntry]:
    """Yield the entries of a part of the chain, in order.

    Raises:
        AuditBroken: an entry does not even hold what its columns are for.
    """
    entries = AuditEntry.objects.order_by("seq")
    if after:
        entries = entries.filter(seq__gt=after)
    numbers = entries.values_list("seq", flat=True)[:most].iterator(chunk_size=_PART)
    while part := list(itertools.islice(numbers, _PART)):
        try:
            yield from list(entries.filter(seq__gte=part[0], seq__lte=part[-1]))
        except _UNREADABLE:
            yield from map(_read_alone, part)


def _read_alone(seq: int) -> AuditEntry:
    try:
        return AuditEntry.objects.get(seq=seq)
    except _UNREADABLE:
        raise AuditBroken(seq, "was changed after it was written") from None


def _entry_check(entry: AuditEntry, before: AuditHead) -> AuditHead:
    """Return the entry as the head of the chain so far, if it follows from the one before."""
    seq = before.seq + 1
    if entry.seq > seq:
        raise AuditBroken(seq, "is missing")
    if entry.seq < seq:
        raise AuditBroken(entry.seq, "was put in later")
    try:
        follows = bytes(entry.previous).hex() == before.digest
        sound = bytes(entry.digest) == entry_digest(entry)
    except _UNREADABLE:
        follows, sound = True, False
    if not follows:
        raise AuditBroken(seq, "does not follow from the entry before it")
    if not sound:
        raise AuditBroken(seq, "was changed after it was written")
    return AuditHead(seq, bytes(entry.digest).hex())


def _tip_locked() -> AuditTip:
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("The audit head is held in a transaction.")
    locked = AuditTip.objects.select_for_update()
    tip = locked.filter(pk=1).first()
    if tip is None:
        AuditTip.objects.get_or_create(pk=1)
        tip = locked.get(pk=1)
    return tip
