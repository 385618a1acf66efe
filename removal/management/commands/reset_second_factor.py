"""`manage.py reset_second_factor`: let somebody of the staff back in who lost phone and codes."""

from django.contrib.auth.models import User
from django.core.management.base import CommandError

from removal import audit
from removal.life.second_factor import second_factor_reset
from removal.management.staff import StaffCommand


class Command(StaffCommand):
    help = (
        "Forget the second factor of a member of staff and end their sessions, so that they set "
        "up a new one when they next sign in. Make sure first that it is really them who ask. "
        "It stands in the audit log."
    )

    def act(self, user: User) -> str:
        if not second_factor_reset(user=user, actor=audit.OPERATOR):
            raise CommandError(
                f"{user.username} has no second factor: it is set up at the next sign-in."
            )
        return f"{user.username} sets up a new second factor at the next sign-in."
