"""What commands about a member of staff have in common: a name, which must be somebody's."""

import abc
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser


class StaffCommand(BaseCommand, abc.ABC):
    """A command about one person; a subclass says in `act` what it does to them."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the name."""
        parser.add_argument("name", metavar="NAME", help="the name they sign in with")

    def handle(self, *_args: Any, name: str, **_options: Any) -> None:
        """Find the person and act."""
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"Nobody of the staff signs in as {name!r}: check the name.")
        self.stdout.write(self.act(user))

    @abc.abstractmethod
    def act(self, user: User) -> str:
        """Do it; return what to tell the operator.

        Raises:
            CommandError: there is nothing to do.
        """
