"""The forms of what is sealed: JSON for words and rows, framed bytes for evidence."""

import json
import struct
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from removal.models import Candidate, Purpose
from removal.sealing import Place, PrivateKey

CONTENT: Final = "content"
LINKS: Final = "links"
STATEMENT: Final = "statement"
EXTENSION: Final = "extension"
_FRAME: Final = struct.Struct(">iI")


def photo_item(photo_id: uuid.UUID) -> str:
    """Name a photo among the sealed items."""
    return f"photo {photo_id}"


def fingerprint_item(photo_id: uuid.UUID) -> str:
    """Name a photo's fingerprint among the sealed items."""
    return f"fingerprint {photo_id}"


def hits_item(group_id: int) -> str:
    """Name a group's evidence among the sealed items."""
    return f"hits {group_id}"


def row_item(candidate_id: uuid.UUID) -> str:
    """Name a candidate's row among the sealed items."""
    return f"row {candidate_id}"


@dataclass(frozen=True, slots=True)
class Content:
    """What the subject wrote.

    Attributes:
        note: their words.
        urls: exactly as given.
    """

    note: str
    urls: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """Serialize for sealing."""
        return json_bytes(asdict(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote."""
        facts = json.loads(data)
        return cls(note=facts["note"], urls=tuple(facts["urls"]))


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row that the search found, as sealed with its candidate.

    Attributes:
        dataset, group, shard, key, index, offset: where it lies.
        url, sha256, md5: what the dataset records of it.
        score: 0..1.
        evidence: digest, pdq, phash, cosine, inliers, as in a match record.
        photos: places of the photos it was found by; empty when a URL found it.
    """

    dataset: str
    group: int
    shard: str
    key: str
    index: int
    offset: int | None
    url: str | None
    sha256: str | None
    md5: str | None
    score: float
    evidence: dict[str, Any]
    photos: tuple[int, ...]

    def to_bytes(self) -> bytes:
        """Serialize for sealing."""
        return json_bytes(asdict(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote."""
        facts = json.loads(data)
        return cls(**{**facts, "photos": tuple(facts["photos"])})


def row_opened(candidate: Candidate, case: PrivateKey) -> FoundRow:
    """Open a candidate's row with the request's `case` key."""
    place = Place(candidate.request_id, Purpose.CASE, row_item(candidate.pk))
    return FoundRow.from_bytes(case.open(candidate.row_sealed, place))


def json_bytes(value: object) -> bytes:
    """Return compact UTF-8 JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def hits_pack(parts: Iterable[tuple[int, bytes]]) -> bytes:
    """Join the hits of several queries; `hits_unpack` parts them again.

    Args:
        parts: pairs of a query's number (a photo's place, or the negative of a URL's) and its
            hits in their own form.
    """
    return b"".join(_FRAME.pack(query, len(hits)) + hits for query, hits in parts)


def hits_unpack(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Part what `hits_pack` joined."""
    start = 0
    while start < len(data):
        query, size = _FRAME.unpack_from(data, start)
        start += _FRAME.size
        yield query, data[start : start + size]
        start += size
