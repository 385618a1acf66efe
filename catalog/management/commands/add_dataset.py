"""Take a dataset in: see ``catalog.coverage``."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from catalog.coverage import REFUSALS, dataset_add
from catalog.models import STORE_DEFAULT
from catalog.reports import facts_lines
from shards import NotADataset, UnknownFormat, readable_formats


def embedded_tables_make() -> None:
    """Make the tables of a new embedded database, so that this can be the very first command.

    A database that the operator chose by DATABASE_URL is theirs to migrate.
    """
    if not settings.UNLIST.database_url and not connection.introspection.table_names():
        call_command("migrate", verbosity=0, interactive=False)


def _encoder_dim(name: str) -> int:
    """The length of an encoder's vectors."""
    from indexer.encoder.load import EncoderUnavailable, encoder_facts  # noqa: PLC0415  # torch

    try:
        return encoder_facts(name).dim
    except EncoderUnavailable as error:
        raise CommandError(str(error)) from error


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
            help="open_clip model/pretrained tag that made the embeddings it publishes, or that is "
            "to make them (UNLIST_ENCODER where none are published)",
        )
        parser.add_argument(
            "--store",
            default=STORE_DEFAULT,
            metavar="S",
            help="which disk, mount or bucket holds it: workers whose UNLIST_STORES names S work "
            "on it",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        embedded_tables_make()
        try:
            dataset, facts = dataset_add(
                name=options["name"],
                format=options["format"],
                path=options["path"],
                title=options["title"],
                revision=options["revision"],
                encoder=options["encoder"],
                encoder_default=settings.UNLIST.encoder,
                encoder_dim=_encoder_dim,
                store=options["store"],
            )
        except (*REFUSALS, NotADataset, UnknownFormat) as error:
            raise CommandError(str(error)) from error
        for line in facts_lines(facts):
            self.stdout.write(line)
        self.stdout.write(f"Added {dataset.name}. Next: python manage.py index_dataset {dataset}")
