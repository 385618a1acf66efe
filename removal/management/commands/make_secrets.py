"""`manage.py make_secrets`: make the key files that are missing."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from removal.custody import secrets, shred


class Command(BaseCommand):
    help = (
        "Make the secrets that are missing (pepper, key pairs of reviewers and workers, key of "
        "the row tags) in UNLIST_SECRET_DIR. What exists is left alone: rotate_secret replaces it."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        made = []
        try:
            for path in secrets.secrets_make():
                made.append(path)
                self.stdout.write(f"made {path}")
        except secrets.SecretUnavailable as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"The secrets cannot be written: {error}.") from None
        shred.folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        if not made:
            self.stdout.write("All secrets are there; nothing was changed.")
