"""`manage.py verify_audit`: check the hash chain of the audit log."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from removal.audit import AuditBroken, audit_verify


class Command(BaseCommand):
    help = "Check every entry of the audit log. Prints the head digest, or the first broken entry."

    def handle(self, *_args: Any, **_options: Any) -> None:
        try:
            head = audit_verify()
        except AuditBroken as broken:
            raise CommandError(str(broken)) from None
        self.stdout.write(head.digest)
        self.stderr.write(f"{head.seq} entries, each follows from the one before.")
