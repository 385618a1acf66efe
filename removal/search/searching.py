"""What matching needs of the search, as one small interface, so that tests can do without models.

`CatalogSearcher` is the service's: the same functions that `match_images` calls. Whatever needs
torch, faiss or OpenCV is imported inside its methods: only workers call them, and the web process,
which imports this module by way of the tasks' names, must do without.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from removal.custody.content import RowId, RowToVerify
from removal.search.url_variants import url_variants
from unlist.keys import Kind, row_key

if TYPE_CHECKING:
    from catalog.models import Group
    from indexer.evidence.hits import GroupHits
    from indexer.evidence.verdict import Match, Shortlisted
    from indexer.query.fingerprint import Fingerprint

MATCHES_TOP: Final = 20  # per query, as `match_images` has it
FOLLOWED: Final = 0  # number of the query for found rows' URLs; photos count up, given URLs down


class GroupUnavailable(Exception):
    """An index group cannot be opened: damaged, incomplete, of another version, or away."""


class PicturesUnavailable(Exception):
    """The files of a dataset cannot be reached, so that no picture can be compared."""


class EncoderMissing(Exception):
    """A photo was not fingerprinted by the encoder that the group's index was made with."""


class Searcher(Protocol):
    """Fingerprints, searches, verifies and concludes."""

    def fingerprint_photo(self, data: bytes, encoders: Sequence[str]) -> "Fingerprint":
        """Fingerprint a photo for the named encoders; raises `ImageRefused`."""

    def fingerprint_url(self, url: str) -> "Fingerprint":
        """Fingerprint a URL: it finds the rows stored under any spelling of it."""

    def fingerprint_urls(self, urls: Sequence[str]) -> "Fingerprint | None":
        """Fingerprint URLs together, each in all its spellings; None where there are none."""

    def fingerprint_read(self, data: bytes) -> "Fingerprint":
        """Read a fingerprint's bytes."""

    def photo_probe(self, data: bytes) -> bytes:
        """Return what geometry compares of a photo; raises `ImageRefused`."""

    def group_search(
        self, group: "Group", fingerprints: Sequence["Fingerprint"], *, top: int
    ) -> "list[GroupHits]":
        """Search a group; one answer per fingerprint, in order.

        Raises `GroupUnavailable` and `EncoderMissing`.
        """

    def shortlist(self, hits: Sequence[bytes], *, datasets: Collection[str]) -> list[RowToVerify]:
        """Return one query's rows worth verifying from its serialized hits of all groups.

        Only rows of the datasets named, which are those that hold pictures.
        """

    def rows_verify(
        self, group: "Group", pairs: Sequence[tuple[bytes, RowToVerify]]
    ) -> list[str | None]:
        """Compare rows of one group with probes; one geometry per pair, in order.

        None where a row's picture cannot be read; raises `PicturesUnavailable` where the
        dataset's files cannot be reached at all.
        """

    def conclude(
        self, hits: Sequence[bytes], *, top: int, geometry: Mapping[RowId, str]
    ) -> "list[Match]":
        """Conclude for one query from the serialized hits of all groups and its geometry.

        A row that `geometry` does not hold could not be compared, or was not worth it.
        """


class CatalogSearcher:
    """The service's own search."""

    def fingerprint_photo(self, data: bytes, encoders: Sequence[str]) -> "Fingerprint":
        """Fingerprint a photo for the named encoders; raises `ImageRefused`."""
        from catalog.search import photo_fingerprint  # noqa: PLC0415  # torch

        return photo_fingerprint(data, encoders)

    def fingerprint_url(self, url: str) -> "Fingerprint":
        """Fingerprint a URL: it finds the rows stored under any spelling of it."""
        from indexer.query.fingerprint import fingerprint_url  # noqa: PLC0415  # hashing libraries

        return replace(fingerprint_url(url), digests=_url_keys([url]))

    def fingerprint_urls(self, urls: Sequence[str]) -> "Fingerprint | None":
        """Fingerprint URLs together, each in all its spellings; None where there are none."""
        from indexer.query.fingerprint import fingerprint_url  # noqa: PLC0415  # hashing libraries

        return replace(fingerprint_url(urls[0]), digests=_url_keys(urls)) if urls else None

    def fingerprint_read(self, data: bytes) -> "Fingerprint":
        """Read a fingerprint's bytes."""
        from indexer.query.fingerprint import Fingerprint  # noqa: PLC0415  # hashing libraries

        return Fingerprint.from_bytes(data)

    def photo_probe(self, data: bytes) -> bytes:
        """Return what geometry compares of a photo; raises `ImageRefused`."""
        from indexer.query.fingerprint import photo_probe  # noqa: PLC0415  # OpenCV

        return photo_probe(data)

    def group_search(
        self, group: "Group", fingerprints: Sequence["Fingerprint"], *, top: int
    ) -> "list[GroupHits]":
        """Search a group; one answer per fingerprint, in order."""
        from catalog.search import group_search  # noqa: PLC0415  # faiss
        from indexer.storage.manifest import EncoderMismatch, GroupUnreadable  # noqa: PLC0415

        try:
            return group_search(group, fingerprints, top=top)
        except EncoderMismatch as error:
            raise EncoderMissing(str(error)) from error
        except GroupUnreadable as error:
            raise GroupUnavailable(str(error)) from error

    def shortlist(self, hits: Sequence[bytes], *, datasets: Collection[str]) -> list[RowToVerify]:
        """Return one query's rows worth verifying from its serialized hits of all groups."""
        from indexer.evidence.hits import GroupHits  # noqa: PLC0415  # worker only
        from indexer.evidence.verdict import shortlist  # noqa: PLC0415  # worker only

        found = [GroupHits.from_bytes(part) for part in hits]
        return [_row_to_verify(one) for one in shortlist(found, datasets=datasets)]

    def rows_verify(
        self, group: "Group", pairs: Sequence[tuple[bytes, RowToVerify]]
    ) -> list[str | None]:
        """Compare rows of one group with probes; one geometry per pair, in order."""
        from catalog.search import rows_verify  # noqa: PLC0415  # OpenCV

        by_probe: dict[bytes, list[RowToVerify]] = defaultdict(list)
        for probe, row in pairs:
            by_probe[probe].append(row)
        found = {
            (probe, row): geometry.as_json()
            for probe, rows in by_probe.items()
            for row, geometry in rows_verify(probe, [_shortlisted(row) for row in rows]).items()
        }
        if pairs and not found:
            files_reached(group)
        return [found.get((probe, row.id)) for probe, row in pairs]

    def conclude(
        self, hits: Sequence[bytes], *, top: int, geometry: Mapping[RowId, str]
    ) -> "list[Match]":
        """Conclude for one query from the serialized hits of all groups and its geometry."""
        from indexer.evidence.hits import GroupHits  # noqa: PLC0415  # worker only
        from indexer.evidence.verdict import conclude  # noqa: PLC0415  # worker only
        from indexer.geometry.verify import Geometry  # noqa: PLC0415  # worker only

        return conclude(
            [GroupHits.from_bytes(part) for part in hits],
            top=top,
            geometry={row: Geometry.from_json(text) for row, text in geometry.items()},
        )


def _url_keys(urls: Sequence[str]) -> tuple[tuple[Kind, bytes], ...]:
    """Return the row keys of all spellings, each once."""
    spellings = dict.fromkeys(one for url in urls for one in url_variants(url))
    return tuple(("url", row_key("url", one)) for one in spellings)


def files_reached(group: "Group") -> None:
    """Tell pictures that cannot be read from a disk that is away: raises `PicturesUnavailable`."""
    from shards import NotADataset, UnknownFormat, open_dataset  # noqa: PLC0415  # worker only

    try:
        open_dataset(group.dataset.path, group.dataset.format)
    except (NotADataset, UnknownFormat) as error:
        raise PicturesUnavailable(str(error)) from error


def _row_to_verify(one: "Shortlisted") -> RowToVerify:
    row = one.row
    offset = -1 if row.offset is None else row.offset
    return RowToVerify(one.dataset, one.group, row.shard, offset, row.index, row.key)


def _shortlisted(row: RowToVerify) -> "Shortlisted":
    from indexer.evidence.hits import Row  # noqa: PLC0415  # worker only
    from indexer.evidence.verdict import Shortlisted  # noqa: PLC0415  # worker only

    return Shortlisted(
        dataset=row.dataset,
        group=row.group,
        row=Row(
            key=row.key,
            shard=row.shard,
            index=row.index,
            url=None,
            sha256=None,
            md5=None,
            offset=None if row.offset < 0 else row.offset,
        ),
    )
