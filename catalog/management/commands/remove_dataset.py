"""Take a dataset out: see ``catalog.leaving``."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from catalog.leaving import DatasetInUse, dataset_remove
from catalog.locks import IndexingElsewhere
from catalog.selectors import DatasetUnknown


class Command(BaseCommand):
    help = (
        "Take a dataset out of the catalog and delete its indexes. Its own files are left alone, "
        "and so are decisions and releases. Refused while open requests are searched in it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="the dataset, as add_dataset named it")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            groups = dataset_remove(name=options["name"])
        except (DatasetInUse, DatasetUnknown, IndexingElsewhere) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Took out {options['name']}: {groups:,} groups and their indexes.")
