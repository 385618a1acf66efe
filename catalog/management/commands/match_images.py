"""Search many photos without a request: see ``catalog.batch``."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from catalog.batch import InputUnusable, match_records, photo_files, written_when_complete
from catalog.selectors import DatasetUnknown, dataset_get, groups_ready


class Command(BaseCommand):
    help = (
        "Search a dataset for each photo in a folder and write one JSON line per file. "
        "No request is created."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dataset", required=True, metavar="NAME", help="the one to search")
        parser.add_argument(
            "--input", required=True, type=Path, metavar="DIR", help="the folder with the photos"
        )
        parser.add_argument(
            "--output", required=True, type=Path, metavar="FILE.jsonl", help="where lines go"
        )
        parser.add_argument(
            "--top", type=int, default=20, metavar="N", help="most matches per photo (20)"
        )
        parser.add_argument(
            "--workers", type=int, default=1, metavar="N", help="processes to search with (1)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        from indexer.encoder.load import EncoderUnavailable  # noqa: PLC0415  # torch
        from indexer.storage.manifest import GroupUnreadable  # noqa: PLC0415  # faiss

        folder, output = options["input"], options["output"].resolve()
        try:
            self._check(options)
            names = photo_files(folder, but=output)
            rejected = self._run(folder, names, output, options)
        except (DatasetUnknown, InputUnusable, EncoderUnavailable, GroupUnreadable) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{output} cannot be written: {error.strerror}.") from error
        self.stdout.write(f"{len(names):,} files: {rejected:,} rejected. Written to {output}.")

    def _check(self, options: dict[str, Any]) -> None:
        for name in ("top", "workers"):
            if options[name] < 1:
                raise CommandError(f"--{name} is {options[name]}: give a number from 1.")
        if options["output"].is_dir():
            raise CommandError(f"{options['output']} is a folder: name the file to write in it.")
        dataset = dataset_get(options["dataset"])
        ready, planned = groups_ready([dataset.name]).count(), dataset.groups.count()
        if not ready:
            raise CommandError(
                f"Nothing of {dataset} is indexed: run index_dataset {dataset} first."
            )
        if ready < planned:
            self.stderr.write(f"Only {ready} of {planned} groups of {dataset} are indexed.")

    def _run(self, folder: Path, names: list[str], output: Path, options: dict[str, Any]) -> int:
        records = match_records(
            folder,
            names,
            dataset=options["dataset"],
            top=options["top"],
            workers=options["workers"],
        )
        rejected = 0
        with written_when_complete(output) as out:
            for record in tqdm(records, total=len(names), unit="photo"):
                out.write(json.dumps(record) + "\n")
                rejected += record["status"] == "rejected"
        return rejected
