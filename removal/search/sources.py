"""Rows of datasets as queries: each by its stored picture, else by what its group's index has.

For workers of the group's store. Whatever needs torch, faiss or OpenCV is imported inside the
functions.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from catalog.models import Group
from catalog.selectors import datasets_pictured, groups_covered, groups_encoders
from indexer.decode import ImageRefused
from removal.custody.content import FoundRow
from removal.search.searching import (
    CatalogSearcher,
    EncoderMissing,
    GroupUnavailable,
    Searcher,
    files_reached,
)
from unlist.keys import Kind, row_key

if TYPE_CHECKING:
    from indexer.evidence.hits import GroupHits
    from indexer.query.fingerprint import Fingerprint

_RECORDED: Final[tuple[Kind, ...]] = ("sha256", "md5")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RowPrint:
    """A row as a query.

    Attributes:
        fingerprint: serialized.
        probe: what other rows' pictures are compared with; empty where its own cannot be read.
    """

    fingerprint: bytes
    probe: bytes = b""


class RowReader(Protocol):
    """Reads rows where they lie, and searches by what it made of them."""

    def pictures(self, group: Group, rows: Sequence[FoundRow]) -> list[bytes | None]:
        """Return the stored pictures; raises `PicturesUnavailable` where none can be reached."""

    def by_picture(self, row: FoundRow, picture: bytes, encoders: Sequence[str]) -> RowPrint:
        """Make a row a query by its picture; raises `ImageRefused`."""

    def by_index(self, group: Group, row: FoundRow) -> RowPrint:
        """Make a row a query by what its index has of it; raises `GroupUnavailable`."""

    def by_record(self, row: FoundRow) -> RowPrint:
        """Make a row a query by the digests that its dataset records, and no more."""

    def group_search(
        self, group: Group, fingerprints: "Sequence[Fingerprint]", *, top: int
    ) -> "list[GroupHits]":
        """As `Searcher.group_search`; what was embedded by another encoder goes by its hashes."""


def rows_print(
    group: Group, rows: Sequence[FoundRow], reader: RowReader, *, pictured: bool
) -> list[RowPrint]:
    """Make rows of one group queries, in order.

    Args:
        group: theirs.
        rows: which.
        reader: reads them.
        pictured: whether their pictures are read.

    Raises:
        PicturesUnavailable: the dataset's files cannot be reached.
        GroupUnavailable: the index cannot be read, and a row needs it.
    """
    encoders = groups_encoders(groups_covered())
    nothing: list[bytes | None] = [None] * len(rows)
    pictures = reader.pictures(group, rows) if pictured else nothing
    return [
        _row_print(group, row, picture, encoders, reader)
        for row, picture in zip(rows, pictures, strict=True)
    ]


def has_pictures(group: Group) -> bool:
    """Tell whether a group's dataset holds pictures."""
    return group.dataset.name in datasets_pictured()


def _row_print(
    group: Group,
    row: FoundRow,
    picture: bytes | None,
    encoders: Sequence[str],
    reader: RowReader,
) -> RowPrint:
    if picture is not None:
        try:
            return reader.by_picture(row, picture, encoders)
        except ImageRefused as refusal:
            log.info("a row's stored picture cannot be read: %s", type(refusal).__name__)
    return reader.by_index(group, row)


class CatalogRows:
    """The service's own."""

    def __init__(self, searcher: Searcher | None = None) -> None:
        """Take the search that fingerprints and searches."""
        self._searcher = searcher or CatalogSearcher()

    def pictures(self, group: Group, rows: Sequence[FoundRow]) -> list[bytes | None]:
        """Return the stored pictures."""
        from catalog.pictures import row_pictures  # noqa: PLC0415  # worker only

        places = [(row.dataset, row.shard, row.key, row.index, row.offset) for row in rows]
        found = list(row_pictures(places))
        if rows and not any(found):
            files_reached(group)
        return found

    def by_picture(self, row: FoundRow, picture: bytes, encoders: Sequence[str]) -> RowPrint:
        """Make a row a query by its picture and its recorded digests."""
        made = self._searcher.fingerprint_photo(picture, encoders)
        whole = made.with_digests(_recorded(row).items())
        return RowPrint(whole.to_bytes(), self._searcher.photo_probe(picture))

    def by_index(self, group: Group, row: FoundRow) -> RowPrint:
        """Make a row a query by what its index has of it."""
        from catalog.search import stored_fingerprint  # noqa: PLC0415  # faiss
        from indexer.storage.manifest import GroupUnreadable  # noqa: PLC0415  # worker only

        keys = dict(_recorded(row))
        keys |= {"url": row_key("url", row.url)} if row.url else {}
        try:
            made = stored_fingerprint(group, list(keys.values()), row.shard, row.index)
        except GroupUnreadable as error:
            raise GroupUnavailable(str(error)) from error
        return RowPrint(made.to_bytes()) if made else self.by_record(row)

    def by_record(self, row: FoundRow) -> RowPrint:
        """Make a row a query by the digests that its dataset records."""
        from indexer.query.fingerprint import fingerprint_digests  # noqa: PLC0415  # hashing

        return RowPrint(fingerprint_digests(_recorded(row).items()).to_bytes())

    def group_search(
        self, group: Group, fingerprints: "Sequence[Fingerprint]", *, top: int
    ) -> "list[GroupHits]":
        """Search a group by what it can be searched by."""
        name = group.encoder_name
        fitting = [
            one if name in one.embeddings else one.without_embeddings() for one in fingerprints
        ]
        try:
            return self._searcher.group_search(group, fitting, top=top)
        except EncoderMissing:  # of that name, but of another version
            alone = [one.without_embeddings() for one in fingerprints]
            return self._searcher.group_search(group, alone, top=top)


def _recorded(row: FoundRow) -> Mapping[Kind, bytes]:
    values = {kind: getattr(row, kind) for kind in _RECORDED}
    return {kind: row_key(kind, text) for kind, text in values.items() if text}
