"""The ledger of what is listed, and the releases made of it.

A ledger entry refers to no request and tells no more of when than its day: its primary key is
random, so that no number orders the decisions behind it.
"""

import uuid
from typing import ClassVar

from django.db import models


class ListEntry(models.Model):
    """One key that a list holds from its next release on."""

    class Tier(models.TextChoices):
        """How openly a key is published."""

        EXACT = "exact", "exact"

    class Kind(models.TextChoices):
        """Of what the key is made."""

        URL = "url", "URL"
        SHA256 = "sha256", "SHA-256"
        MD5 = "md5", "MD5"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    list_name = models.CharField("list", max_length=31)
    tier = models.CharField(max_length=16, choices=Tier)
    kind = models.CharField(max_length=16, choices=Kind)
    key = models.BinaryField(max_length=16)
    added_on = models.DateField()

    class Meta:
        """Unique without the tier: an item is in one tier."""

        verbose_name = "list entry"
        verbose_name_plural = "list entries"
        ordering: ClassVar = ["list_name", "kind", "key"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["list_name", "kind", "key"], name="list_entry_is_listed_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.list_name} {self.kind} {bytes(self.key).hex()}"


class Release(models.Model):
    """One release of a list: built once, published once, never changed."""

    class State(models.TextChoices):
        """How far a release has come; `settled` when the requests it serves were told."""

        BUILT = "built", "built"
        PUBLISHED = "published", "published"
        SETTLED = "settled", "published, requests told"

    list_name = models.CharField("list", max_length=31)
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=State, default=State.BUILT)
    created_on = models.DateField()
    published_on = models.DateField(null=True)
    audit_seq = models.PositiveBigIntegerField()
    manifest_sha256 = models.CharField(max_length=64)
    keyset_sha256 = models.CharField(max_length=64)
    tree_root = models.CharField(max_length=64)
    entries = models.PositiveBigIntegerField()
    added = models.PositiveBigIntegerField()
    withdrawn = models.PositiveBigIntegerField()

    class Meta:
        """A number is used once in a list."""

        ordering: ClassVar = ["list_name", "-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["list_name", "number"], name="release_number_is_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.list_name} {self.number}"


class RowsListed(models.Model):
    """How many rows of a dataset approvals newly listed in a month: no row, request or day."""

    month = models.DateField()
    """Its first day."""
    dataset = models.CharField(max_length=100)
    rows = models.PositiveBigIntegerField(default=0)

    class Meta:
        """One count for each dataset and month."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["month", "dataset"], name="rows_listed_once"),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.dataset}"


class MonthTold(models.Model):
    """What the public is told of all months up to one that is over: stored once, never changed."""

    month = models.DateField(primary_key=True)
    """Its first day."""
    tables = models.JSONField()
    """Running totals in tens, by table and cell: `months.tables_empty` names them."""

    class Meta:
        """Months stand in their order."""

        ordering: ClassVar = ["month"]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"
