"""Taking a dataset in: looked at where it lies, recorded, not yet indexed."""

import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from django.db import IntegrityError, transaction

from catalog.models import STORE_DEFAULT, Dataset
from shards import DatasetFacts, EmbeddingFacts, open_dataset

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9])?")
_STORE: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")


class DatasetNameUnusable(ValueError):
    """The name cannot stand in a path or an address."""

    def __init__(self) -> None:
        super().__init__(
            "A dataset's name is 1 to 100 letters, digits, hyphens and underscores, and begins "
            "and ends with a letter or digit: choose such a name."
        )


class StoreNameUnusable(ValueError):
    """The store's name cannot stand in the name of a queue."""

    def __init__(self) -> None:
        super().__init__(
            "A store's name is 1 to 40 letters, digits, hyphens and underscores, as UNLIST_STORES "
            "of the workers that hold it names it: choose such a name."
        )


class EncoderNameUnusable(ValueError):
    """The encoder is not named by model and pretrained tag."""

    def __init__(self) -> None:
        super().__init__(
            'An encoder is named "model/pretrained tag", as in "ViT-L-14/openai": name one so.'
        )


class EncoderNotNamed(ValueError):
    """The dataset publishes embeddings, and nobody said what made them."""

    def __init__(self, published: tuple[EmbeddingFacts, ...]) -> None:
        super().__init__(
            f"The dataset publishes embeddings ({_told(published)}), which only queries by the "
            "same encoder find: name it with --encoder, as open_clip does (LAION's are "
            "ViT-L-14/openai). Where nobody knows it, add the tables alone, with --format laion."
        )


class EncoderMisfit(ValueError):
    """The encoder that was named gives vectors of another length than those published."""

    def __init__(self, encoder: str, dim: int, published: tuple[EmbeddingFacts, ...]) -> None:
        super().__init__(
            f"{encoder} gives {dim:,} numbers for a picture, but the dataset publishes "
            f"{_told(published)}: name the encoder that made them with --encoder."
        )


class NothingToMatch(ValueError):
    """No row of the dataset could ever be found."""

    def __init__(self, facts: DatasetFacts) -> None:
        reasons = "; ".join(f"{signal.name}: {signal.reason}" for signal in facts.signals)
        super().__init__(
            f"No row of it could be found by anything ({reasons}). Point at the folder that the "
            "tool wrote, or name its format with --format."
        )


class DatasetExists(ValueError):
    """A dataset has that name already."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is a dataset {name!r} already. If shards were added to it, run "
            f"index_dataset {name}; add another revision under a name of its own."
        )


REFUSALS: Final = (
    DatasetExists,
    DatasetNameUnusable,
    EncoderMisfit,
    EncoderNameUnusable,
    EncoderNotNamed,
    NothingToMatch,
    StoreNameUnusable,
)
"""Every way in which ``dataset_add`` itself says no."""


def dataset_add(
    *,
    name: str,
    format: str,  # noqa: A002  # the word of the trade
    path: str,
    title: str,
    revision: str,
    encoder: str,
    encoder_default: str,
    encoder_dim: Callable[[str], int],
    store: str = STORE_DEFAULT,
) -> tuple[Dataset, DatasetFacts]:
    """Look at a dataset and record it.

    Args:
        name: a slug, unique in the catalog.
        format: one of ``shards.readable_formats()``.
        path: a folder (made absolute) or an fsspec URL.
        title: for people; the name where it is empty.
        revision: which edition of the dataset this is; may be empty.
        encoder: open_clip model name and pretrained tag; empty where nobody named one.
        encoder_default: the one for datasets whose embeddings are computed here.
        encoder_dim: the length of an encoder's vectors, by name; raises what it likes for a name
            that there is none of.
        store: which disk, mount or bucket holds the dataset.

    Raises:
        DatasetNameUnusable, StoreNameUnusable, EncoderNameUnusable, DatasetExists: see there.
        EncoderNotNamed, EncoderMisfit, NothingToMatch: see there.
        UnknownFormat, NotADataset: see ``shards.open_dataset``.
    """
    _check_names(name, encoder or encoder_default, store)
    path = path if "://" in path or "::" in path else str(Path(path).absolute())
    facts = open_dataset(path, format, encoder=encoder).describe()
    _check_facts(facts, encoder, encoder_dim)
    try:
        with transaction.atomic():
            dataset = Dataset.objects.create(
                name=name,
                title=title or name,
                format=format,
                path=path,
                revision=revision,
                encoder=encoder or encoder_default,
                store=store,
                rows=facts.rows,
                facts=asdict(facts),
            )
    except IntegrityError:
        raise DatasetExists(name) from None
    return dataset, facts


def _check_names(name: str, encoder: str, store: str) -> None:
    if not _NAME.fullmatch(name):
        raise DatasetNameUnusable
    if not _STORE.fullmatch(store):
        raise StoreNameUnusable
    model, _, tag = encoder.rpartition("/")
    if not model or not tag:
        raise EncoderNameUnusable
    if Dataset.objects.filter(name=name).exists():
        raise DatasetExists(name)


def _check_facts(facts: DatasetFacts, encoder: str, encoder_dim: Callable[[str], int]) -> None:
    """The encoder must be one that exists and that made the embeddings there are."""
    if facts.embeddings and not encoder:
        raise EncoderNotNamed(facts.embeddings)
    dim = encoder_dim(encoder) if encoder else 0
    if facts.embeddings and not any(one.used and one.dim == dim for one in facts.embeddings):
        raise EncoderMisfit(encoder, dim, facts.embeddings)
    if not facts.findable:
        raise NothingToMatch(facts)


def _told(published: tuple[EmbeddingFacts, ...]) -> str:
    return " and ".join(
        f"{one.array}, {one.dim:,} numbers each" + (f", by {one.encoder}" if one.encoder else "")
        for one in published
    )
