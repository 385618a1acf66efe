"""`manage.py shred_expired`: retention now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from removal.life import retention


class Command(BaseCommand):
    help = "Delete what is due (photos, cases, tombstones, sessions, orphaned keys), keys first."

    def handle(self, *_args: Any, **_options: Any) -> None:
        try:
            done = retention.retention_run()
        except retention.RetentionIncomplete as incomplete:
            raise CommandError(str(incomplete)) from None
        for what, count in done.items():
            self.stdout.write(f"{what.replace('_', ' ')}: {count}")
