"""`manage.py unlock_staff`: open an account that wrong tries have locked."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from removal import audit
from removal.life.locks import account_unlock


class Command(BaseCommand):
    help = (
        "Open the account of a member of staff that wrong tries have locked, and begin to count "
        "anew. It stands in the audit log."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="the name they sign in with")

    def handle(self, *_args: Any, name: str, **_options: Any) -> None:
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"Nobody of the staff signs in as {name!r}: check the name.")
        if not account_unlock(user=user, actor=audit.OPERATOR):
            raise CommandError(f"{name} is not locked, and no wrong try is counted.")
        self.stdout.write(f"{name} can sign in again.")
