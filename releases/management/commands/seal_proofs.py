"""Seal the proofs of closed requests to their subjects, now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from releases.proofs import proofs_seal_due
from removal.custody.secrets import SecretUnavailable
from removal.selectors.proofs import proofs_late


class Command(BaseCommand):
    help = (
        "Seal to their subjects the proofs of removal of requests that were closed, so that their "
        "receipts still yield them when the rows are deleted. The scheduler does so by itself "
        "where a worker of the staff role runs."
    )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        try:
            sealed = proofs_seal_due()
        except SecretUnavailable as missing:
            raise CommandError(str(missing)) from None
        left = proofs_late(days=-1)
        self.stdout.write(f"Proofs sealed for {sealed} requests.")
        if left:
            raise CommandError(
                f"The proofs of {left} requests cannot be made: the log says why. Restore the "
                "folder releases/ of the data from a backup."
            )
