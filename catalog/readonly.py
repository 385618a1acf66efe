"""What the admin shows and nobody edits there: it changes by commands and decisions alone."""

from typing import Any

from django.db.models import Model
from django.http import HttpRequest


class ReadOnly:
    """Mixed into a `ModelAdmin` before it: no adding, changing, deleting, and no bulk actions."""

    actions: Any = None  # the stubs of ModelAdmin have it as settable

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Nobody adds."""
        return False

    def has_change_permission(
        self,
        request: HttpRequest,  # noqa: ARG002
        obj: Model | None = None,  # noqa: ARG002
    ) -> bool:
        """Nobody changes."""
        return False

    def has_delete_permission(
        self,
        request: HttpRequest,  # noqa: ARG002
        obj: Model | None = None,  # noqa: ARG002
    ) -> bool:
        """Nobody deletes."""
        return False
