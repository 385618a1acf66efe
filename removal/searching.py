"""What matching needs of the search, as one small interface, so that tests can do without models.

`CatalogSearcher` is the service's: the same functions that `match_images` calls. Whatever needs
torch or faiss is imported inside its methods: only workers call them, and the web process, which
imports this module by way of the tasks' names, must do without.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from catalog.models import Group
    from indexer.evidence import Match
    from indexer.fingerprint import Fingerprint
    from indexer.hits import GroupHits

MATCHES_TOP: Final = 20  # per query, as `match_images` has it


class GroupUnavailable(Exception):
    """An index group cannot be opened: damaged, incomplete, or of another version."""


class Searcher(Protocol):
    """Fingerprints, searches and concludes."""

    def fingerprint_photo(self, data: bytes, encoders: Sequence[str]) -> "Fingerprint":
        """Fingerprint a photo for the named encoders; raises `ImageRefused`."""

    def fingerprint_url(self, url: str) -> "Fingerprint":
        """Fingerprint a URL."""

    def fingerprint_read(self, data: bytes) -> "Fingerprint":
        """Read a fingerprint's bytes."""

    def group_search(
        self, group: "Group", fingerprints: Sequence["Fingerprint"], *, top: int
    ) -> "list[GroupHits]":
        """Search a group; one answer per fingerprint, in order; raises `GroupUnavailable`."""

    def conclude(self, hits: Sequence[bytes], *, top: int) -> "list[Match]":
        """Conclude for one query from the serialized hits of all groups."""


class CatalogSearcher:
    """The service's own search."""

    def fingerprint_photo(self, data: bytes, encoders: Sequence[str]) -> "Fingerprint":
        """Fingerprint a photo for the named encoders; raises `ImageRefused`."""
        from catalog.search import photo_fingerprint  # noqa: PLC0415  # torch

        return photo_fingerprint(data, encoders)

    def fingerprint_url(self, url: str) -> "Fingerprint":
        """Fingerprint a URL."""
        from indexer.fingerprint import fingerprint_url  # noqa: PLC0415  # hashing libraries

        return fingerprint_url(url)

    def fingerprint_read(self, data: bytes) -> "Fingerprint":
        """Read a fingerprint's bytes."""
        from indexer.fingerprint import Fingerprint  # noqa: PLC0415  # hashing libraries

        return Fingerprint.from_bytes(data)

    def group_search(
        self, group: "Group", fingerprints: Sequence["Fingerprint"], *, top: int
    ) -> "list[GroupHits]":
        """Search a group; one answer per fingerprint, in order; raises `GroupUnavailable`."""
        from catalog.search import group_search  # noqa: PLC0415  # faiss
        from indexer.manifest import GroupUnreadable  # noqa: PLC0415  # worker only

        try:
            return group_search(group, fingerprints, top=top)
        except GroupUnreadable as error:
            raise GroupUnavailable(str(error)) from error

    def conclude(self, hits: Sequence[bytes], *, top: int) -> "list[Match]":
        """Conclude for one query from the serialized hits of all groups."""
        from indexer.evidence import conclude  # noqa: PLC0415  # worker only
        from indexer.hits import GroupHits  # noqa: PLC0415  # worker only

        return conclude([GroupHits.from_bytes(part) for part in hits], top=top)
