"""`manage.py reset_second_factor`: let somebody of the staff back in who lost phone and codes."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from removal import audit
from removal.life.second_factor import second_factor_reset


class Command(BaseCommand):
    help = (
        "Forget the second factor of a member of staff and end their sessions, so that they set "
        "up a new one when they next sign in. Make sure first that it is really them who ask. "
        "It stands in the audit log."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="the name they sign in with")

    def handle(self, *_args: Any, name: str, **_options: Any) -> None:
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"Nobody of the staff signs in as {name!r}: check the name.")
        if not second_factor_reset(user=user, actor=audit.OPERATOR):
            raise CommandError(f"{name} has no second factor: it is set up at the next sign-in.")
        self.stdout.write(f"{name} sets up a new second factor at the next sign-in.")
