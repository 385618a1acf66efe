"""Ledger and releases in the admin, to look at: they change by decisions and commands alone.

Beside the ledger stands the page for taking rows off it, which takes two approvers (`unlisting`).
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Model
from django.http import HttpResponse
from django.urls import URLPattern, path

from catalog.readonly import ReadOnly
from releases import unlist_page
from releases.models import ListEntry, Release
from removal.admin import sited

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

    def get_urls(self) -> list[URLPattern]:
        """Put the page for taking rows off before Django's own, which would take its address."""
        wrap, one = self.admin_site.admin_view, "unlist/<uuid:proposal_id>/"
        with_site = partial(sited, self.admin_site)
        views: tuple[tuple[str, Callable[..., HttpResponse], str], ...] = (
            ("unlist/", with_site(unlist_page.unlist), "releases_unlist"),
            ("unlist/propose/", with_site(unlist_page.propose), "releases_unlist_propose"),
            (
                "unlist/request/<uuid:request_id>/",
                with_site(unlist_page.from_request),
                "releases_unlist_rows",
            ),
            (f"{one}confirm/", unlist_page.confirm, "releases_unlist_confirm"),
            (f"{one}refuse/", unlist_page.refuse, "releases_unlist_refuse"),
            (f"{one}undo/", unlist_page.undo, "releases_unlist_undo"),
        )
        own = [path(route, wrap(view), name=name) for route, view, name in views]
        return [*own, *super().get_urls()]
