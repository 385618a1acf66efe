"""`make_release_keys`: one signing key per role, where there is none yet."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from releases.signing import SigningRefused, keys_create


class Command(BaseCommand):
    help = "Make the signing keys that are missing. A key that is there is never replaced."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        try:
            made = keys_create()
        except SigningRefused as refusal:
            raise CommandError(str(refusal)) from None
        if made:
            self.stdout.write(f"Made the signing keys of: {', '.join(made)}.")
            self.stdout.write("Keep a copy of root.pem and targets.pem away from this machine.")
        else:
            self.stdout.write("Every signing key is there already.")
