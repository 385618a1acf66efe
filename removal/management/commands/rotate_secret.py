"""`manage.py rotate_secret`: give a secret a successor, and destroy it when nothing needs it."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from removal.custody.rotation import NAMES, Progress, secret_rotate
from removal.custody.secrets import SecretUnavailable


class Command(BaseCommand):
    help = (
        "Replace a secret while the service runs: the pepper, the key pair of the reviewers or of "
        "the workers, or the key of the row tags. May be killed at any time and run again: it goes "
        "on where it stopped, and every receipt and every open request keeps working."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
        parser.add_argument(
            "--wait",
            action="store_true",
            help="stay until the old key pair is destroyed, some ten minutes",
        )
        parser.add_argument(
            "--give-up-lost",
            action="store_true",
            help="destroy the old private half although wraps are left whose shred keys are gone "
            "(make sure first that the shred store is the right one)",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        name, give_up_lost = options["name"], options["give_up_lost"]
        try:
            progress = secret_rotate(name, give_up_lost=give_up_lost)
            self._tell(name, progress)
            while options["wait"] and progress.held_until and not progress.needed:
                time.sleep(max(1.0, (progress.held_until - timezone.now()).total_seconds()))
                progress = secret_rotate(name, give_up_lost=give_up_lost)
                self._tell(name, progress)
        except SecretUnavailable as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"The secrets cannot be written: {error}.") from None

    def _tell(self, name: str, progress: Progress) -> None:
        if progress.begun:
            self.stdout.write(f"{name}: a new one is in use.")
        if progress.renewed:
            self.stdout.write(f"{progress.renewed:,} keys of requests were wrapped anew.")
        if progress.lost:
            self.stdout.write(
                f"{progress.lost:,} keys cannot be wrapped anew: their shred keys are not there. "
                "If the shred store is the right one, they were destroyed on purpose."
            )
        self.stdout.write(_what_is_left(name, progress))


def _what_is_left(name: str, progress: Progress) -> str:
    if progress.held_until is None:
        return "The old one is destroyed."
    if name == "pepper":
        return (
            "The old one is kept until the last request made under it is gone, so that its "
            "receipts go on working; retention then destroys it."
        )
    if progress.needed and not progress.lost:
        return (
            "The old one is kept: this process cannot see which public half the site uses. "
            "Run this once with UNLIST_ROLE=all."
        )
    if progress.needed:
        return "The old one is kept for them: --give-up-lost destroys it."
    return (
        f"The old one is kept until {progress.held_until:%H:%M} UTC, for what was being sent just "
        "now; retention then destroys it, or run this again."
    )
