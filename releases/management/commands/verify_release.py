"""`verify_release`: make a release again from its frozen input and compare."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from releases.places import PUBLIC_LIST, ListUnknown
from releases.verify import ReleaseUnknown, release_verify


class Command(BaseCommand):
    help = (
        "Make release N again from its frozen input and compare: every byte with the same writer "
        "versions, the keys and roots with others. Exit 1 says what differs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("number", type=int, metavar="N", help="the release's number")
        parser.add_argument("--list", default=PUBLIC_LIST, help="the list (default: public)")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        number = options["number"]
        try:
            report = release_verify(number=number, list_name=options["list"])
        except (ReleaseUnknown, ListUnknown) as refusal:
            raise CommandError(str(refusal)) from None
        if not report.differences:
            self.stdout.write(
                f"Release {number} is what its frozen input gives: {report.compared}."
            )
            return
        self.stderr.write(f"Release {number} differs from its frozen input:")
        for difference in report.differences:
            self.stderr.write(f"  - {difference}")
        sys.exit(1)
