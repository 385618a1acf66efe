"""The accounts of the staff, for superusers alone: who they are, their roles, a way back in.

Accounts are made and closed, never deleted: the audit log names who acted by their number. Every
change stands in the audit log by its number too. A role's rights are in removal/permissions.py and
are only looked at here.
"""

from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from catalog.readonly import ReadOnly
from removal import audit
from removal.life.locks import account_unlock
from removal.life.second_factor import second_factor_reset

if TYPE_CHECKING:  # generic in the stubs alone
    RoleBase = admin.ModelAdmin[Group]
    AccountBase = UserAdmin[User]
else:
    RoleBase, AccountBase = admin.ModelAdmin, UserAdmin

_FIELDS: Final = ("is_active", "is_staff", "is_superuser", "groups")


class SuperuserOnly:
    """Mixed into a `ModelAdmin` before it: superusers see and change, others see nothing."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show it to superusers."""
        return bool(request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Open it to superusers."""
        del obj
        return bool(request.user.is_superuser)


class StaffAdmin(SuperuserOnly, AccountBase):
    """The accounts of the staff."""

    list_display = ("username", "is_active", "is_superuser", "roles", "second_factor", "locked")
    list_filter = ("is_active", "is_superuser", "groups")
    search_fields = ("username",)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("What they may do", {"fields": _FIELDS}),
    )
    actions = ("unlock", "reset_second_factor")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Bring along what the list says beside the account itself."""
        accounts = super().get_queryset(request).select_related("lock")
        return accounts.prefetch_related("groups", "totpdevice_set")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Superusers make accounts."""
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Superusers change accounts."""
        del obj
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody deletes an account: it is closed by taking away `is_active`."""
        del request, obj
        return False

    @admin.display(description="Roles")
    def roles(self, account: User) -> str:
        """The groups."""
        return ", ".join(sorted(group.name for group in account.groups.all()))

    @admin.display(description="Second factor", boolean=True)
    def second_factor(self, account: Any) -> bool:
        """Whether an app was set up."""
        return any(device.confirmed for device in account.totpdevice_set.all())

    @admin.display(description="Locked", boolean=True)
    def locked(self, account: Any) -> bool:
        """Whether wrong tries locked it for now."""
        lock = getattr(account, "lock", None)
        return bool(lock and lock.locked_until and lock.locked_until > timezone.now())

    @admin.action(description="Unlock the chosen accounts", permissions=["change"])
    def unlock(self, request: HttpRequest, accounts: QuerySet[User]) -> None:
        """Open locked accounts."""
        actor = audit.staff(request.user.pk or 0)
        opened = sum(account_unlock(user=account, actor=actor) for account in accounts)
        messages.success(request, f"{opened} unlocked.")

    @admin.action(
        description="Reset the second factor of the chosen accounts", permissions=["change"]
    )
    def reset_second_factor(self, request: HttpRequest, accounts: QuerySet[User]) -> None:
        """Have people set up a new second factor when they next sign in."""
        actor = audit.staff(request.user.pk or 0)
        reset = sum(second_factor_reset(user=account, actor=actor) for account in accounts)
        messages.success(request, f"{reset} reset: a new one is set up at the next sign-in.")

    def log_addition(self, request: HttpRequest, obj: User, message: Any) -> Any:
        """Note in the audit log too that an account was made."""
        _noted(request, "account_added", obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> Any:
        """Note in the audit log too what of an account was changed, by the fields' names."""
        _noted(request, "account_changed", obj, changed=_fields_changed(message))
        return super().log_change(request, obj, message)


class RoleAdmin(SuperuserOnly, ReadOnly, RoleBase):
    """The roles, to look at."""

    list_display = ("name",)


def staff_register() -> None:
    """Put the pages of this module in the place of Django's and of django-otp's.

    Keys and codes of second factors have no page: nobody looks at them.
    """
    admin.site.unregister([User, Group, TOTPDevice, StaticDevice])
    admin.site.register(User, StaffAdmin)
    admin.site.register(Group, RoleAdmin)


def _fields_changed(message: Any) -> list[str]:
    """Return the names of the fields that Django's own log says were changed."""
    parts = message if isinstance(message, list) else []
    return sorted(
        name.replace(" ", "_").lower()
        for part in parts
        for name in part.get("changed", {}).get("fields", ())
    )


def _noted(
    request: HttpRequest, act: str, account: Model, *, changed: list[str] | None = None
) -> None:
    detail = {"account": account.pk, **({"changed": changed} if changed is not None else {})}
    with transaction.atomic():
        audit.audit_append(act=act, actor=audit.staff(request.user.pk or 0), detail=detail)
