"""Take a dataset in: see ``catalog.coverage``."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from catalog.coverage import (
    DatasetExists,
    DatasetNameUnusable,
    EncoderNameUnusable,
    dataset_add,
)
from catalog.reports import facts_lines
from shards import NotADataset, UnknownFormat, readable_formats


class Command(BaseCommand):
    help = (
        "Record a dataset and say what was found in it: shards, rows, columns, what can be "
        "matched and what cannot. Nothing is indexed yet."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="a short name, for ever")
        parser.add_argument(
            "--format",
            required=True,
            metavar="F",
            help=f"what wrote the files: {', '.join(readable_formats())}",
        )
        parser.add_argument(
            "--path", required=True, metavar="P", help="the folder, or any fsspec URL of one"
        )
        parser.add_argument("--title", default="", metavar="T", help="what people call it")
        parser.add_argument("--revision", default="", metavar="R", help="which edition it is")
        parser.add_argument(
            "--encoder",
            default="",
            metavar="E",
            help="open_clip model/pretrained tag (UNLIST_ENCODER where it is not given)",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            dataset, facts = dataset_add(
                name=options["name"],
                format=options["format"],
                path=options["path"],
                title=options["title"],
                revision=options["revision"],
                encoder=options["encoder"] or settings.UNLIST.encoder,
            )
        except (
            DatasetExists,
            DatasetNameUnusable,
            EncoderNameUnusable,
            NotADataset,
            UnknownFormat,
        ) as error:
            raise CommandError(str(error)) from error
        for line in facts_lines(facts):
            self.stdout.write(line)
        self.stdout.write(f"Added {dataset.name}. Next: python manage.py index_dataset {dataset}")
