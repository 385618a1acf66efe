"""Looking up what is listed, by what somebody holds of a row: its address, a digest, or a key.

The ledger holds keys alone, so that a row is found by making its keys again. An address is looked
up in its spellings (docs/adr/0015), for the list names it byte for byte as the dataset stores it.
"""

import logging
import re
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, cast

from releases import places, trees
from releases.ledger import Row
from releases.models import ListEntry, Release
from releases.selectors import releases_published
from removal.search.url_variants import url_variants
from unlist.keyfile import KeyFileInvalid
from unlist.keys import KINDS, Kind, row_key
from unlist.manifest import ManifestInvalid

VALUES_MOST: Final = 300
VALUE_MAX: Final = 4096
_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_DIGEST_KINDS: Final[dict[int, Kind]] = {64: "sha256", 32: "md5"}
"""Which digest has so many hexadecimal digits."""
_KEY_DIGITS: Final = 32

log = logging.getLogger(__name__)
Pair = tuple[Kind, bytes]


class LookupInvalid(ValueError):
    """What was given cannot be looked up; a sentence says how to mend it."""


@dataclass(frozen=True, slots=True)
class Looked:
    """One value, and the entries of the list that it names.

    Attributes:
        value: as it was given.
        entries: in order of kind and key; none where it is not listed.
    """

    value: str
    entries: tuple[ListEntry, ...]


def values_read(text: str) -> list[str]:
    """Return the values of a text, one a line, each once; blanks around them may belong to them.

    Raises:
        LookupInvalid: there is none, there are too many, or one is too long.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    values = list(dict.fromkeys(line for line in lines if line.strip()))
    if not values:
        raise LookupInvalid("Write at least one address, digest or key, each on a line of its own.")
    if len(values) > VALUES_MOST:
        raise LookupInvalid(f"These are too many lines: look up at most {VALUES_MOST} at a time.")
    if any(len(value) > VALUE_MAX for value in values):
        raise LookupInvalid(f"A line is too long: an address has at most {VALUE_MAX:,} characters.")
    return values


def values_of(rows: Iterable[Row]) -> list[str]:
    """Return what a list could name rows by: addresses and digests, each once."""
    named = [value for row in rows for value in (row.url, row.sha256, row.md5) if value]
    return list(dict.fromkeys(named))


def entries_look(values: Sequence[str], *, list_name: str = places.PUBLIC_LIST) -> list[Looked]:
    """Return the entries that each of some values names, by one query."""
    wanted = {value: pairs_of(value) for value in values}
    keys = {key for pairs in wanted.values() for _, key in pairs}
    listed: dict[Pair, ListEntry] = {}
    for entry in ListEntry.objects.filter(list_name=list_name, key__in=keys):
        listed[pair_of(entry)] = entry
    return [
        Looked(value, tuple(listed[pair] for pair in sorted(pairs) if pair in listed))
        for value, pairs in wanted.items()
    ]


def pairs_of(value: str) -> set[Pair]:
    """Return the kinds and keys by which a list could hold what a value names.

    Hexadecimal digits are a digest, or a key as the admin and proofs write it; anything else is an
    address, as it stands and without blanks around it.
    """
    bare = value.strip()
    if not _HEX.fullmatch(bare) or len(bare) not in _DIGEST_KINDS:
        return {("url", row_key("url", one)) for one in (value, *url_variants(bare))}
    digest = _DIGEST_KINDS[len(bare)]
    pairs: set[Pair] = {(digest, row_key(digest, bare))}
    if len(bare) == _KEY_DIGITS:
        pairs |= {(kind, bytes.fromhex(bare)) for kind in KINDS}
    return pairs


def pair_of(entry: ListEntry) -> Pair:
    """Return the kind and key of an entry."""
    return cast("Kind", entry.kind), bytes(entry.key)


def first_releases(
    entries: Collection[ListEntry], *, list_name: str = places.PUBLIC_LIST
) -> dict[uuid.UUID, int | None]:
    """Return the first published release that carries each entry since it was put on the list.

    0 stands for no release yet, None for releases whose files cannot be read here.
    """
    found: dict[uuid.UUID, int | None] = {}
    for release in reversed(releases_published(list_name=list_name)):
        missing = [
            entry
            for entry in entries
            if entry.pk not in found and entry.added_on <= release.created_on
        ]
        if missing:
            found |= _carried(release, missing)
    return {entry.pk: found.get(entry.pk, 0) for entry in entries}


def _carried(release: Release, entries: Collection[ListEntry]) -> dict[uuid.UUID, int | None]:
    """Return the entries that a release carries with its number; all without, if unreadable."""
    pairs = {pair_of(entry): entry.pk for entry in entries}
    try:
        carried = trees.proofs_find(release.number, pairs)
    except (OSError, ManifestInvalid, KeyFileInvalid) as fault:
        log.warning("release %s cannot be read: %s", release.number, type(fault).__name__)
        return dict.fromkeys(pairs.values())
    return {pairs[pair]: release.number for pair in carried}
