"""What the audit log's page reads: entries by act, actor, days and request, the newest first.

A request is named by its id, from which its tag is made here; the tag stands in no address.
"""

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import User
from django.db.models import QuerySet

from removal import audit
from removal.custody.shred import KeyShredded
from removal.models import AuditEntry, RemovalRequest

ANY_STAFF: Final = "staff"


class HistoryGone(LookupError):
    """The entries of a request can be told apart no longer, or there is no such request."""


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which entries to show; what is empty narrows nothing.

    Attributes:
        act: an act's code.
        actor: an actor's name, or `ANY_STAFF`.
        first, last: days, both included.
        request: the id of the request whose own history is asked for.
    """

    act: str = ""
    actor: str = ""
    first: dt.date | None = None
    last: dt.date | None = None
    request: uuid.UUID | None = None


def log_entries(which: LogFilter) -> QuerySet[AuditEntry]:
    """Return the entries that a filter lets through, the newest first.

    Raises:
        HistoryGone: the request's entries cannot be told apart.
    """
    entries = AuditEntry.objects.order_by("-seq")
    if which.act:
        entries = entries.filter(act=which.act)
    if which.actor == ANY_STAFF:
        entries = entries.filter(actor__startswith=audit.STAFF)
    elif which.actor:
        entries = entries.filter(actor=which.actor)
    if which.first:
        entries = entries.filter(day__gte=which.first)
    if which.last:
        entries = entries.filter(day__lte=which.last)
    return entries.filter(subject=_tag(which.request)) if which.request else entries


def log_page(which: LogFilter, *, before: int | None, most: int) -> tuple[list[AuditEntry], bool]:
    """Return a page of entries and whether there are older ones; no count of all is needed."""
    entries = log_entries(which)
    if before is not None:
        entries = entries.filter(seq__lt=before)
    page = list(entries[: most + 1])
    return page[:most], len(page) > most


def staff_names() -> dict[str, str]:
    """Return the names of staff by the actor's name under which their acts stand."""
    known = User.objects.order_by("username")  # those who left, too: their acts stay
    return {audit.staff(pk): name for pk, name in known.values_list("pk", "username")}


def entry_facts(entry: AuditEntry) -> dict[str, Any]:
    """Return every column of an entry as text and numbers: enough to check the chain elsewhere."""
    return {**audit.entry_facts(entry), "digest": bytes(entry.digest).hex()}


def entries_facts(which: LogFilter, *, upto: int) -> Iterator[dict[str, Any]]:
    """Yield the facts of every entry of a filter up to a number, the oldest first."""
    entries = log_entries(which).filter(seq__lte=upto).order_by("seq")
    yield from map(entry_facts, entries.iterator(chunk_size=1000))


def _tag(request_id: uuid.UUID) -> bytes:
    request = RemovalRequest.objects.filter(pk=request_id).first()
    if request is None:
        raise HistoryGone("There is no such request, or nothing of it is left.")
    try:
        return audit.subject_tag(request)
    except KeyShredded:
        raise HistoryGone(
            "The key by which this request is named in the log was destroyed with its tombstone: "
            "nobody can tell its entries from others any more."
        ) from None
