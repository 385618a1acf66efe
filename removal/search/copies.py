"""What the groups found for approved rows is judged: each row's evidence over all groups at once.

The evidence is that of a photo, with a row's stored picture in its place. A row of the request is
as surely the person's as its own verdict says, and a duplicate of it no surer.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from removal.custody import content
from removal.custody.content import RowId
from removal.life.duplicates import Source
from removal.models import Kind
from removal.search.candidates import Found
from removal.search.found import ALL, RowName, found_row, matches_spread, row_name
from removal.search.searching import FOLLOWED, Searcher
from removal.search.url_variants import url_canonical

if TYPE_CHECKING:
    from indexer.evidence.verdict import Match

OFFERED_MOST: Final = 500
"""Rows that are offered for one decision; of more, the best."""
_KINDS: Final = (Kind.EXACT, Kind.COPY, Kind.SIMILAR)

Sources = Mapping[int, Source]
"""The approved rows, numbered from 1, the best first."""


@dataclass(frozen=True, slots=True)
class CopyEvidence:
    """What groups found, in memory alone.

    Attributes:
        hits: by source, the hits of each group.
        geometry: by source, what comparing pictures gave.
        followed: the hits of each group for the addresses of all sources.
    """

    hits: dict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    geometry: dict[int, dict[RowId, str]] = field(default_factory=lambda: defaultdict(dict))
    followed: list[bytes] = field(default_factory=list)

    def to_bytes(self) -> bytes:
        """Serialize for sealing: small, for a request may have a hundred sources."""
        parts = [(n, hit) for n, hits in self.hits.items() for hit in hits]
        parts += [(-n, content.geometry_to_bytes(one)) for n, one in self.geometry.items()]
        parts += [(FOLLOWED, hit) for hit in self.followed]
        return zlib.compress(content.hits_pack(parts), 1)

    def add(self, data: bytes) -> None:
        """Add what `to_bytes` wrote of another group."""
        for n, packed in content.hits_unpack(zlib.decompress(data)):
            if n > 0:
                self.hits[n].append(packed)
            elif n == FOLLOWED:
                self.followed.append(packed)
            else:
                self.geometry[-n].update(content.geometry_from_bytes(packed))


def copies_found(sources: Sources, evidence: CopyEvidence, searcher: Searcher) -> list[Found]:
    """Return the duplicates of all sources, each row once, the best first."""
    held: dict[RowName, Found] = {}
    pictured = _pictured(sources, evidence, searcher)
    for name, found in [*pictured, *_followed(sources, evidence, searcher)]:
        held[name] = min(held.get(name, found), found, key=_turn)
    own = {_name(one) for one in sources.values()}
    return sorted((found for name, found in held.items() if name not in own), key=_turn)


def _pictured(
    sources: Sources, evidence: CopyEvidence, searcher: Searcher
) -> Iterator[tuple[RowName, Found]]:
    """Return what the sources' pictures and digests led to; look-alikes are no duplicates."""
    for n, hits in evidence.hits.items():
        compared = evidence.geometry.get(n, {})
        for match in searcher.conclude(hits, top=OFFERED_MOST, geometry=compared):
            if match.kind != "similar":
                yield row_name(match), _copy(match, sources[n])


def _copy(match: "Match", source: Source) -> Found:
    row = found_row(
        match,
        address=None,
        compared=True,
        placements={0: match.placement} if match.placement else {},
        duplicate_of=str(source.candidate),
    )
    return max(source.kind, Kind(match.kind), key=_KINDS.index), row


def _followed(
    sources: Sources, evidence: CopyEvidence, searcher: Searcher
) -> Iterator[tuple[RowName, Found]]:
    """Return what the sources' addresses led to, in whatever spelling: as sure as the source."""
    if not evidence.followed:
        return
    by_url: dict[str, Source] = {}
    for one in sources.values():
        by_url.setdefault(url_canonical(one.row.url or ""), one)
    for match in matches_spread(searcher.conclude(evidence.followed, top=ALL, geometry={})):
        source = by_url.get(url_canonical(match.url or ""))
        if source is not None:
            yield row_name(match), _stored_too(match, source)


def _stored_too(match: "Match", source: Source) -> Found:
    row = found_row(
        replace(match, score=source.row.score),
        address="followed",
        compared=False,
        duplicate_of=str(source.candidate),
    )
    return source.kind, row


def _turn(found: Found) -> tuple[int, bool, float]:
    """Order what was found: of the same kind first what was compared."""
    kind, row = found
    return _KINDS.index(kind), row.evidence["address"] is not None, -row.score


def _name(source: Source) -> RowName:
    row = source.row
    return row.dataset, row.shard, row.key, row.index


def evidence_joined(results: Iterable[bytes]) -> CopyEvidence:
    """Join what all groups wrote."""
    evidence = CopyEvidence()
    for one in results:
        evidence.add(one)
    return evidence
