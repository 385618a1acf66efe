"""The forms of what is sealed: JSON for words and rows, framed bytes for evidence."""

import json
import struct
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

from indexer.placement import Placement
from removal.custody.sealing import Place, PrivateKey
from removal.models import Candidate, Purpose

CONTENT: Final = "content"
LINKS: Final = "links"
STATEMENT: Final = "statement"
EXTENSION: Final = "extension"
APPEAL: Final = "appeal"
PROOFS: Final = "proofs"
ORDER: Final = "order"
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


def rows_item(group_id: int) -> str:
    """Name the rows of a group that are to be verified among the sealed items."""
    return f"rows {group_id}"


def geometry_item(group_id: int) -> str:
    """Name what verifying a group's rows gave among the sealed items."""
    return f"geometry {group_id}"


def probe_item(photo_id: uuid.UUID) -> str:
    """Name a photo's probe among the sealed items."""
    return f"probe {photo_id}"


def row_item(candidate_id: uuid.UUID) -> str:
    """Name a candidate's row among the sealed items."""
    return f"row {candidate_id}"


def message_item(message_id: uuid.UUID) -> str:
    """Name a message among the sealed items."""
    return f"message {message_id}"


def tile_item(question_id: uuid.UUID) -> str:
    """Name a question's tile among the sealed items."""
    return f"tile {question_id}"


def proposal_item(proposal_id: uuid.UUID) -> str:
    """Name what a proposal says among the sealed items."""
    return f"proposal {proposal_id}"


def errand_item(errand_id: uuid.UUID) -> str:
    """Name what came of an errand among the sealed items of its request."""
    return f"errand {errand_id}"


def errand_unit_item(unit_id: int) -> str:
    """Name what came of one unit among the sealed items of its errand."""
    return f"unit {unit_id}"


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


Region = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row that the search found, as sealed with its candidate.

    Attributes:
        dataset, group, shard, key, index, offset: where it lies.
        url, sha256, md5: what the dataset records of it.
        score: 0..1.
        evidence: digest, pdq, phash, cosine, inliers, as in a match record.
        photos: places of the photos it was found by; empty when a URL found it.
        regions: of the photos that it is a copy of (or the same file as), by place: the part that
            its picture covers, as left, top, right, bottom in shares of the photo's sides; None
            where that is not known.
        placements: how its picture lies on photos, by their place; 0 stands for the row of which
            it is a duplicate.
        duplicate_of: of a duplicate, the id of the approved candidate that led to it; `evidence`
            and `placements` then compare the two rows, and no photo is named.
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
    regions: dict[int, Region | None] = field(default_factory=dict)
    placements: dict[int, Placement] = field(default_factory=dict)
    duplicate_of: str | None = None

    @property
    def nameable(self) -> bool:
        """Whether a list can name it: by its URL or by a digest that the dataset records."""
        return bool(self.url or self.sha256 or self.md5)

    def to_bytes(self) -> bytes:
        """Serialize for sealing."""
        return json_bytes(asdict(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote."""
        facts = json.loads(data)
        given = facts.get("regions", dict.fromkeys(facts["photos"]))  # older rows have none
        regions = {int(n): tuple(region) if region else None for n, region in given.items()}
        laid = facts.get("placements", {})  # likewise
        placements = {int(n): Placement.from_json(fact) for n, fact in laid.items()}
        return cls(
            **{
                **facts,
                "photos": tuple(facts["photos"]),
                "regions": regions,
                "placements": placements,
            }
        )


RowId = tuple[str, str, int]
"""Dataset, shard, 0-based row of the shard's table."""


@dataclass(frozen=True, slots=True, order=True)
class RowToVerify:
    """A row whose picture is worth comparing with the photo.

    Attributes:
        dataset, group: by name and number.
        shard, offset, index, key: where its picture lies; ordered so that rows of one shard are
            read one after the other.
    """

    dataset: str
    group: int
    shard: str
    offset: int
    """Of the picture's tar member; -1 where it has none."""
    index: int
    key: str

    @property
    def id(self) -> RowId:
        """What names the row to the verdict."""
        return self.dataset, self.shard, self.index


def rows_to_bytes(rows: Iterable[RowToVerify]) -> bytes:
    """Serialize for sealing."""
    return json_bytes([asdict(row) for row in rows])


def rows_from_bytes(data: bytes) -> list[RowToVerify]:
    """Read what `rows_to_bytes` wrote."""
    return [RowToVerify(**fact) for fact in json.loads(data)]


def geometry_to_bytes(found: Mapping[RowId, str]) -> bytes:
    """Serialize for sealing: the geometry of each row, in its own form."""
    return json_bytes([[*row, text] for row, text in found.items()])


def geometry_from_bytes(data: bytes) -> dict[RowId, str]:
    """Read what `geometry_to_bytes` wrote."""
    return {(dataset, shard, index): text for dataset, shard, index, text in json.loads(data)}


def row_opened(candidate: Candidate, case: PrivateKey) -> FoundRow:
    """Open a candidate's row with the request's `case` key."""
    place = Place(candidate.request_id, Purpose.CASE, row_item(candidate.pk))
    return FoundRow.from_bytes(case.open(candidate.row_sealed, place))


def json_bytes(value: object) -> bytes:
    """Return compact UTF-8 JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def hits_pack(parts: Iterable[tuple[int, bytes]]) -> bytes:
    """Join what belongs to several queries; `hits_unpack` parts them again.

    Args:
        parts: pairs of a query's number (a photo's place, or the negative of a URL's) and its
            hits, its rows to verify or their geometry, in their own form.
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
