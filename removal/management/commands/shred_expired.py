"""`manage.py shred_expired`: retention now."""

from typing import Any

from django.core.management.base import BaseCommand

from removal import retention


class Command(BaseCommand):
    help = "Delete what is due (photos, cases, tombstones, sessions, orphaned keys), keys first."

    def handle(self, *_args: Any, **_options: Any) -> None:
        for what, count in retention.retention_run().items():
            self.stdout.write(f"{what.replace('_', ' ')}: {count}")
