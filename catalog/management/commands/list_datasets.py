"""Coverage, for eyes or for programs."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from catalog.selectors import DatasetCoverage, datasets_covered


class Command(BaseCommand):
    help = "List the datasets and how much of each can be searched."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON array instead of a table")

    def handle(self, *_args: Any, **options: Any) -> None:
        datasets = datasets_covered()
        if options["json"]:
            rows = [asdict(one) for one in datasets]
            self.stdout.write(json.dumps(rows, indent=2, cls=DjangoJSONEncoder))
        elif not datasets:
            self.stdout.write("There is no dataset yet: add one with add_dataset.")
        else:
            self._table(datasets)

    def _table(self, datasets: list[DatasetCoverage]) -> None:
        self.stdout.write(
            f"{'name':<24} {'revision':<12} {'store':<12} "
            f"{'rows indexed':>24} {'groups':>9}  latest"
        )
        for one in datasets:
            rows = f"{one.rows_indexed:,} of {one.rows:,}"
            groups = f"{one.groups_ready}/{one.groups}"
            latest = f"{one.indexed_on:%Y-%m-%d %H:%M} UTC" if one.indexed_on else "never"
            self.stdout.write(
                f"{one.name:<24} {one.revision:<12} {one.store:<12} "
                f"{rows:>24} {groups:>9}  {latest}"
            )
