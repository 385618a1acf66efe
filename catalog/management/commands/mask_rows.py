"""Keep removed rows out of every search: see ``catalog.masking``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError, CommandParser

from catalog.selectors import DatasetUnknown, dataset_get, groups_ready
from unlist.cache import ListCache
from unlist.keyfile import KeyFileInvalid, keyfile_read
from unlist.keys import KEY_BYTES, Keys
from unlist.keyset import sorted_unique
from unlist.refusals import ListUnavailable

if TYPE_CHECKING:
    from catalog.models import Dataset


class Command(BaseCommand):
    help = (
        "Keep rows that were removed from a dataset out of every search from now on, without "
        "indexing again. Run it on every host that holds the dataset's index."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="the dataset, as add_dataset named it")
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument(
            "--keys",
            type=Path,
            metavar="FILE",
            help="a key file of a release, or text with one row key of 32 hex digits a line",
        )
        source.add_argument(
            "--pulled",
            type=Path,
            metavar="FOLDER",
            help="the cache folder into which `unlist pull` put a list: its rows",
        )
        parser.add_argument(
            "--list", default="public", metavar="LIST", help="which of the pulled lists"
        )
        parser.add_argument(
            "--unmask", action="store_true", help="let these rows be found again instead"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        from catalog.masking import keys_mask, keys_unmask  # noqa: PLC0415  # faiss
        from indexer.storage.manifest import GroupUnreadable  # noqa: PLC0415

        change = keys_unmask if options["unmask"] else keys_mask
        try:
            dataset = dataset_get(options["name"])
            masked = change(dataset=dataset, keys=_wanted(options))
            self._tell(dataset, masked)
        except (DatasetUnknown, GroupUnreadable, KeyFileInvalid, ListUnavailable, OSError) as error:
            raise CommandError(str(error)) from error

    def _tell(self, dataset: "Dataset", masked: int) -> None:
        from catalog.masking import rows_masked  # noqa: PLC0415  # faiss
        from indexer.group.index import IndexGroup  # noqa: PLC0415

        groups = list(groups_ready([dataset.name]))
        rows = sum(len(rows_masked(group, IndexGroup.open(group.path))) for group in groups)
        self.stdout.write(
            f"{masked:,} row keys are masked; they hide {rows:,} rows in {len(groups):,} groups."
        )


def _wanted(options: dict[str, Any]) -> Keys:
    """The keys that were named.

    Raises:
        KeyFileInvalid, ListUnavailable, OSError: they cannot be read.
    """
    if options["pulled"] is not None:
        cached = ListCache(options["pulled"], options["list"]).open()
        return np.concatenate([np.empty(0, "V16"), *cached.keys.values()])
    path: Path = options["keys"]
    return keyfile_read(path) if path.suffix == ".parquet" else _text_keys(path)


def _text_keys(path: Path) -> Keys:
    """Keys from text, one a line; empty lines count for nothing."""
    lines = path.read_text("ascii", "replace").split()
    keys = [_text_key(path, line) for line in lines]
    return sorted_unique(np.frombuffer(b"".join(keys), "V16"))


def _text_key(path: Path, line: str) -> bytes:
    try:
        key = bytes.fromhex(line)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyFileInvalid(f"{path.name} has a line that is no row key of 32 hex digits.")
    return key
