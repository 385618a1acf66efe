"""Ledger and releases in the admin, to look at: they change by decisions and commands alone."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from releases.models import ListEntry, Release

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Model]  # generic for the type checker alone
else:
    Base = admin.ModelAdmin


class ReadOnlyAdmin(Base):
    """Shows, and lets nobody add, change or delete."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        """Nobody adds."""
        return False

    def has_change_permission(
        self,
        request: HttpRequest,  # noqa: ARG002 - Django's signature
        obj: Model | None = None,  # noqa: ARG002 - Django's signature
    ) -> bool:
        """Nobody changes."""
        return False

    def has_delete_permission(
        self,
        request: HttpRequest,  # noqa: ARG002 - Django's signature
        obj: Model | None = None,  # noqa: ARG002 - Django's signature
    ) -> bool:
        """Nobody deletes."""
        return False


@admin.register(Release)
class ReleaseAdmin(ReadOnlyAdmin):
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
class ListEntryAdmin(ReadOnlyAdmin):
    """The ledger: keys, never rows."""

    list_display = ("list_name", "tier", "kind", "key_hex", "added_on")
    list_filter = ("list_name", "tier", "kind", "added_on")
    fields = ("list_name", "tier", "kind", "key_hex", "added_on")

    @admin.display(description="key")
    def key_hex(self, entry: ListEntry) -> str:
        """Show the key as SQL and the proofs write it."""
        return bytes(entry.key).hex()
