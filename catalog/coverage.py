"""Taking a dataset in: looked at where it lies, recorded, not yet indexed."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import Final

from django.db import IntegrityError, transaction

from catalog.models import Dataset
from shards import DatasetFacts, open_dataset

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9])?")


class DatasetNameUnusable(ValueError):
    """The name cannot stand in a path or an address."""

    def __init__(self) -> None:
        super().__init__(
            "A dataset's name is 1 to 100 letters, digits, hyphens and underscores, and begins "
            "and ends with a letter or digit: choose such a name."
        )


class EncoderNameUnusable(ValueError):
    """The encoder is not named by model and pretrained tag."""

    def __init__(self) -> None:
        super().__init__(
            'An encoder is named "model/pretrained tag", as in "ViT-L-14/openai": name one so.'
        )


class DatasetExists(ValueError):
    """A dataset has that name already."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is a dataset {name!r} already. If shards were added to it, run "
            f"index_dataset {name}; add another revision under a name of its own."
        )


def dataset_add(
    *,
    name: str,
    format: str,  # noqa: A002  # the word of the trade
    path: str,
    title: str,
    revision: str,
    encoder: str,
) -> tuple[Dataset, DatasetFacts]:
    """Look at a dataset and record it.

    Args:
        name: a slug, unique in the catalog.
        format: one of ``shards.readable_formats()``.
        path: a folder (made absolute) or an fsspec URL.
        title: for people; the name where it is empty.
        revision: which edition of the dataset this is; may be empty.
        encoder: open_clip model name and pretrained tag.

    Raises:
        DatasetNameUnusable, EncoderNameUnusable, DatasetExists: see there.
        UnknownFormat, NotADataset: see ``shards.open_dataset``.
    """
    _check_names(name, encoder)
    path = path if "://" in path or "::" in path else str(Path(path).absolute())
    facts = open_dataset(path, format).describe()
    try:
        with transaction.atomic():
            dataset = Dataset.objects.create(
                name=name,
                title=title or name,
                format=format,
                path=path,
                revision=revision,
                encoder=encoder,
                rows=facts.rows,
                facts=asdict(facts),
            )
    except IntegrityError:
        raise DatasetExists(name) from None
    return dataset, facts


def _check_names(name: str, encoder: str) -> None:
    if not _NAME.fullmatch(name):
        raise DatasetNameUnusable
    model, _, tag = encoder.partition("/")
    if not model or not tag:
        raise EncoderNameUnusable
    if Dataset.objects.filter(name=name).exists():
        raise DatasetExists(name)
