"""Look over the whole service and say what is missing and how to mend it."""

from typing import Any

from django.core import checks
from django.core.management.base import BaseCommand, CommandError, CommandParser

from catalog.checks import index_findings

_NAMES = {checks.ERROR: "error", checks.WARNING: "warning"}


class Command(BaseCommand):
    help = (
        "Check settings, secrets, database, broker, worker, disk, datasets and indexes; say what "
        "is wrong and how to mend it. Exits 1 where something is an error."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012  # it runs them itself, and goes on

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--deep", action="store_true", help="also check every index file against its digest"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        found = checks.run_checks(tags=["unlist"], include_deployment_checks=True)
        if options["deep"]:
            found += [one for one in index_findings(deep=True) if one not in found]
        for finding in sorted(found, key=lambda one: -one.level):
            self._tell(finding)
        errors = sum(one.level >= checks.ERROR for one in found)
        if errors:
            raise CommandError(f"{errors:,} errors: mend them as said above.")
        self.stdout.write("No error." if found else "All is well.")

    def _tell(self, finding: checks.CheckMessage) -> None:
        name = _NAMES.get(finding.level, "note")
        self.stdout.write(f"{name} {finding.id}: {finding.msg}")
        if finding.hint:
            self.stdout.write(f"  mend: {finding.hint}")
