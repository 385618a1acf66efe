"""Which column of a dataset's table says what, whatever its spelling.

The same column is ``URL`` in LAION, ``url`` after img2dataset and ``image_url`` elsewhere, in any
case.  Matching uses *every* column that can hold an identity (``columns_for``), so that no row is
kept because a table names its address twice; readers want one (``find_columns``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Final

COLUMN_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "url": ("url", "image_url", "img_url", "imageurl"),
    "caption": ("caption", "text", "txt", "alt_text"),
    "sha256": ("sha256", "sha256hash", "sha256_hash"),
    "md5": ("md5", "md5hash", "md5_hash"),
    "key": ("key",),
    "status": ("status",),
    "error": ("error_message",),
}
"""Role -> lower-case column names that play it, the preferred one first."""


@dataclass(frozen=True)
class Columns:
    """The column of a table that plays each role, as the table spells it; ``None`` for none."""

    url: str | None = None
    caption: str | None = None
    sha256: str | None = None
    md5: str | None = None
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
