"""Coverage as staff see it: to look at, not to touch; datasets change by command alone."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from catalog.models import Dataset, Group

if TYPE_CHECKING:
    _DatasetBase = admin.ModelAdmin[Dataset]
    _GroupBase = admin.ModelAdmin[Group]
else:
    _DatasetBase = _GroupBase = admin.ModelAdmin


class ReadOnly:
    """No adding, changing or deleting."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Datasets are added by ``add_dataset``."""
        return False

    def has_change_permission(
        self,
        request: HttpRequest,  # noqa: ARG002
        obj: Model | None = None,  # noqa: ARG002
    ) -> bool:
        """Groups follow their index directories."""
        return False

    def has_delete_permission(
        self,
        request: HttpRequest,  # noqa: ARG002
        obj: Model | None = None,  # noqa: ARG002
    ) -> bool:
        """Requests refer to what was searched."""
        return False


@admin.register(Dataset)
class DatasetAdmin(ReadOnly, _DatasetBase):
    """The datasets that are covered."""

    list_display = ("name", "title", "format", "revision", "rows", "encoder", "added_on")
    search_fields = ("name", "title")


@admin.register(Group)
class GroupAdmin(ReadOnly, _GroupBase):
    """How each group's index stands."""

    list_display = ("dataset", "number", "state", "rows", "rows_indexed", "indexed_on", "error")
    list_filter = ("state", "dataset")
    list_select_related = ("dataset",)
