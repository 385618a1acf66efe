"""Approved rows become entries of a list, in the transaction of the approval itself.

The entry is the row's key, never the row: nothing here leads back to a request. What cannot be
listed as the approver chose stops the approval, for an approval that no release carries would be
a promise broken silently.

An entry leaves the list by a withdrawal alone (`unlisting`), which names entries by their numbers.
A key that is approved again while it is listed keeps its day and gets a new number: so a withdrawal
proposed before that approval finds the entry no more, and nobody loses what was just approved.
"""

import uuid
from collections import Counter
from collections.abc import Collection, Iterable
from datetime import date
from typing import Any, Protocol

from django.db import transaction
from django.db.models import F, QuerySet

from releases.models import ListEntry, RowsListed
from releases.places import PUBLIC_LIST, list_name_check
from removal.signals import rows_approved
from unlist.keys import Kind, row_key


class EntryRefused(Exception):
    """A row cannot be put on a list as asked."""


class Row(Protocol):
    """What the ledger reads of an approved row."""

    @property
    def url(self) -> str | None:
        """The URL exactly as the dataset stores it."""

    @property
    def sha256(self) -> str | None:
        """The digest that the dataset records, in hex."""

    @property
    def md5(self) -> str | None:
        """Likewise."""


def row_keys_of(row: Row) -> dict[Kind, bytes]:
    """Return the 16-byte key of a row for each kind that its dataset records."""
    values: dict[Kind, str] = {
        "url": row.url or "",
        "sha256": (row.sha256 or "").lower(),
        "md5": (row.md5 or "").lower(),
    }
    return {kind: row_key(kind, value) for kind, value in values.items() if value}


def entries_add(*, rows: Iterable[Row], tier: str, on: date, list_name: str = PUBLIC_LIST) -> None:
    """Put rows on a list; a key that is there already stays, under a new number.

    Raises:
        EntryRefused: the tier is not one that can be released, or a row has neither URL nor
            digest, so that no list could name it. Nothing is written then.
    """
    if tier not in ListEntry.Tier.values:
        raise EntryRefused(
            f"Rows cannot be listed in the tier {tier!r}: "
            f"choose one of {', '.join(ListEntry.Tier.values)}."
        )
    list_name_check(list_name)
    pairs: set[tuple[Kind, bytes]] = set()
    for row in rows:
        keys = row_keys_of(row)
        if not keys:
            raise EntryRefused(
                "A row has neither a URL nor a recorded digest, so no list can name it: "
                "leave it out of the approval and have it removed from the dataset by hand."
            )
        pairs.update(keys.items())
    # Sorted by key: the order in the table then says nothing of the order of the rows.
    entries = [
        ListEntry(list_name=list_name, tier=tier, kind=kind, key=key, added_on=on)
        for kind, key in sorted(pairs)
    ]
    with transaction.atomic():
        _renumber(list_name, pairs)
        ListEntry.objects.bulk_create(entries, ignore_conflicts=True, batch_size=500)


def _renumber(list_name: str, pairs: set[tuple[Kind, bytes]]) -> None:
    """Give the entries of some keys new numbers, for they are approved anew."""
    there = ListEntry.objects.filter(list_name=list_name, key__in={key for _, key in pairs})
    for entry in entries_locked(there):
        if (entry.kind, bytes(entry.key)) in pairs:
            ListEntry.objects.filter(pk=entry.pk).update(id=uuid.uuid4())


def entries_locked(entries: QuerySet[ListEntry]) -> list[ListEntry]:
    """Lock entries in the one order in which all do, so that no two wait in a ring."""
    return list(entries.select_for_update().order_by("kind", "key"))


class DatasetRow(Row, Protocol):
    """An approved row as an approval tells it."""

    @property
    def dataset(self) -> str:
        """The name of its dataset."""


def rows_count(*, rows: Collection[DatasetRow], on: date, list_name: str = PUBLIC_LIST) -> None:
    """Count, by dataset and month, the rows none of whose keys is listed yet; call it first."""
    keys = {key for row in rows for key in row_keys_of(row).values()}
    entries = ListEntry.objects.filter(list_name=list_name, key__in=keys)
    listed = {bytes(key) for key in entries.values_list("key", flat=True)}
    new = Counter(row.dataset for row in rows if listed.isdisjoint(row_keys_of(row).values()))
    for dataset, number in sorted(new.items()):  # in one order, so that no two wait in a ring
        RowsListed.objects.update_or_create(
            month=on.replace(day=1),
            dataset=dataset,
            defaults={"rows": F("rows") + number},
            create_defaults={"rows": number},
        )


def _on_rows_approved(
    sender: object,  # noqa: ARG001 - Django's signature
    *,
    rows: Collection[DatasetRow],
    tier: str,
    on: date,
    **_extra: Any,
) -> None:
    """Hear an approval; an exception here undoes it."""
    rows_count(rows=rows, on=on)
    entries_add(rows=rows, tier=tier, on=on)


def connect() -> None:
    """Hear approvals from now on; connecting twice is connecting once."""
    rows_approved.connect(_on_rows_approved, dispatch_uid="releases.ledger")
