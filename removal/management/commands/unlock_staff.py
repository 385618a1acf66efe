"""`manage.py unlock_staff`: open an account that wrong tries have locked."""

from django.contrib.auth.models import User
from django.core.management.base import CommandError

from removal import audit
from removal.life.locks import account_unlock
from removal.management.staff import StaffCommand


class Command(StaffCommand):
    help = (
        "Open the account of a member of staff that wrong tries have locked, and begin to count "
        "anew. It stands in the audit log."
    )

    def act(self, user: User) -> str:
        if not account_unlock(user=user, actor=audit.OPERATOR):
            raise CommandError(f"{user.username} is not locked, and no wrong try is counted.")
        return f"{user.username} can sign in again."
