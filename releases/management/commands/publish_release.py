"""`publish_release`: sign what was built and switch clients to it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from releases.locks import AlreadyRunning
from releases.publish import ReleaseAltered, releases_publish
from releases.repository import RepositoryRefused
from releases.signing import KeyUnusable, SigningRefused


class Command(BaseCommand):
    help = (
        "Publish every built release, in order, and renew the signatures that near their end. "
        "Run it daily: with nothing to publish it keeps the list fresh."
    )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        try:
            outcome = releases_publish()
        except (
            SigningRefused,
            KeyUnusable,
            RepositoryRefused,
            ReleaseAltered,
            AlreadyRunning,
        ) as refusal:
            raise CommandError(str(refusal)) from None
        for number in outcome.releases:
            self.stdout.write(f"Published release {number}.")
        if not outcome.releases:
            self.stdout.write("No release was waiting; the signatures were renewed.")
        if outcome.requests_told:
            self.stdout.write(f"Requests told that they are released: {outcome.requests_told:,}.")
        self.stdout.write(
            f"Clients accept the list until {outcome.fresh_until:%Y-%m-%d %H:%M} UTC."
        )
