"""Ledger and releases in the admin, to look at: they change by decisions and commands alone."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Model

from catalog.readonly import ReadOnly
from releases.models import ListEntry, Release

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Model]  # generic for the type checker alone
else:
    Base = admin.ModelAdmin


@admin.register(Release)
class ReleaseAdmin(ReadOnly, Base):
    """The releases and how far each has come."""

    list_display = (
        "list_name",
        "number",
        "state",
        "created_on",
        "published_on",
        "entries",
        "added",
    )
    list_filter = ("list_name", "state")


@admin.register(ListEntry)
class ListEntryAdmin(ReadOnly, Base):
    """The ledger: keys, never rows."""

    list_display = ("list_name", "tier", "kind", "key_hex", "added_on")
    list_filter = ("list_name", "tier", "kind", "added_on")
    fields = ("list_name", "tier", "kind", "key_hex", "added_on")

    @admin.display(description="key")
    def key_hex(self, entry: ListEntry) -> str:
        """Show the key as SQL and the proofs write it."""
        return bytes(entry.key).hex()
