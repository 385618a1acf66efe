"""Which column of a dataset's table says what, whatever its spelling.

The same column is ``URL`` in LAION, ``url`` after img2dataset and ``image_url`` elsewhere, in any
case.  Matching uses *every* column that can hold an identity (``columns_for``), so that no row is
kept because a table names its address twice; readers want one (``find_columns``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Final

from unlist.formats.listing import DatasetFormat

COLUMN_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "url": ("url", "image_url", "img_url", "imageurl"),
    "caption": ("caption", "text", "txt", "alt_text"),
    "sha256": ("sha256", "sha256hash", "sha256_hash"),
    "md5": ("md5", "md5hash", "md5_hash"),
    "phash": ("phash", "image_phash"),
    "pdq": ("pdq", "pdq_hash", "pdqhash"),
    "key": ("key",),
    "status": ("status",),
    "error": ("error_message",),
}
"""Role -> lower-case column names that play it, the preferred one first."""

NATIVE_KEYS: Final[Mapping[DatasetFormat, tuple[str, ...]]] = {
    "img2dataset": ("key",),
    "laion": ("sample_id", "key", "hash"),
    "clip-retrieval": ("key", "image_path"),
    "datacomp": ("uid",),
    "coyo": ("id",),
    "tsv": (),
    "images": (),
}
"""Format -> lower-case columns by whose value its makers name a row, the preferred one first.

LAION-400M has ``SAMPLE_ID``; LAION-5B's tables are joined by ``hash``, an integer.  A row that none
of them names goes by its place.
"""

IMAGE_COLUMNS: Final = ("jpg", "png", "webp")
"""The column that holds the images in img2dataset's ``parquet`` output: its ``encode_format``."""


@dataclass(frozen=True)
class Columns:
    """The column of a table that plays each role, as the table spells it; ``None`` for none."""

    url: str | None = None
    caption: str | None = None
    sha256: str | None = None
    md5: str | None = None
    phash: str | None = None
    pdq: str | None = None
    key: str | None = None
    status: str | None = None
    error: str | None = None


def columns_for(names: Iterable[str], role: str) -> tuple[str, ...]:
    """Every column of ``names`` that plays ``role``: by alias, exact spelling before other case.

    Raises:
        KeyError: ``role`` is not one of ``COLUMN_ALIASES``.
    """
    aliases = COLUMN_ALIASES[role]
    fitting = [name for name in names if name.lower() in aliases]
    return tuple(
        sorted(fitting, key=lambda name: (aliases.index(name.lower()), name.lower() != name))
    )


def find_columns(schema_names: Iterable[str]) -> Columns:
    """The one column per role, by alias and regardless of case (``URL``, ``Url``, ``url``)."""
    names = tuple(schema_names)
    roles = [field.name for field in fields(Columns)]
    return Columns(**{role: next(iter(columns_for(names, role)), None) for role in roles})


def native_key(schema_names: Iterable[str], format: DatasetFormat) -> str | None:  # noqa: A002
    """The column that names the rows of a dataset of ``format``, as the table spells it."""
    by_lower = {name.lower(): name for name in reversed(tuple(schema_names))}
    return next((by_lower[key] for key in NATIVE_KEYS[format] if key in by_lower), None)


def image_column(schema_names: Iterable[str]) -> str | None:
    """The column that holds the images themselves, as the table spells it."""
    return next((name for name in schema_names if name.lower() in IMAGE_COLUMNS), None)
