"""Coverage as staff see it: to look at, not to touch; datasets change by command alone."""

from typing import TYPE_CHECKING

from django.contrib import admin

from catalog.models import Dataset, Group
from catalog.readonly import ReadOnly

if TYPE_CHECKING:
    _DatasetBase = admin.ModelAdmin[Dataset]
    _GroupBase = admin.ModelAdmin[Group]
else:
    _DatasetBase = _GroupBase = admin.ModelAdmin


@admin.register(Dataset)
class DatasetAdmin(ReadOnly, _DatasetBase):
    """The datasets that are covered."""

    list_display = ("name", "title", "format", "revision", "store", "rows", "encoder", "added_on")
    search_fields = ("name", "title")


@admin.register(Group)
class GroupAdmin(ReadOnly, _GroupBase):
    """How each group's index stands."""

    list_display = (
        "dataset",
        "number",
        "state",
        "rows",
        "rows_indexed",
        "indexed_on",
        "failed_at",
        "error",
    )
    list_filter = ("state", "dataset", "dataset__store")
    list_select_related = ("dataset",)
