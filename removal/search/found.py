"""What all queries of a request found becomes rows, each once; addresses lead on to more rows.

A photo's match says how alike the pictures are; an address's match only that the dataset stores it.
So a row that both found keeps the photo's evidence and the better verdict. And a dataset may hold
a found row's address in another spelling (`url_variants`), where nothing else gives the row away:
such rows are *followed* to, and take the verdict of the row that led there. A maintainer decides
about them like about all others, so that an approved address is listed as every dataset stores it.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from indexer.placement import Placement
from removal.custody.content import FoundRow, Region
from removal.models import Kind
from removal.search.candidates import EvidenceOpened, Found
from removal.search.searching import MATCHES_TOP, Searcher
from removal.search.url_variants import url_canonical

if TYPE_CHECKING:
    from indexer.evidence.verdict import Match

FOLLOWED_MAX: Final = 100  # addresses of one request
ALL: Final = sys.maxsize
_KIND_ORDER: Final = {"exact": 0, "copy": 1, "similar": 2}

WHOLE: Final = (0.0, 0.0, 1.0, 1.0)
"""The part of a photo that the very same file covers."""
Address = Literal["given", "followed"]
"""How a row's address speaks for it: the subject gave it, or another found row has it too."""
RowName = tuple[str, str, str, int]
"""Dataset, shard, key, 0-based row of the shard's table."""


@dataclass(slots=True)
class _Held:
    """One row with the best that was found for it.

    Attributes:
        match: kind and score are the best of all queries, the evidence is a photo's if any's.
        queries: which found it.
        address: how its address does, if it does.
        regions: of the photos that it is a copy of, the part that it covers, where that is known.
        placements: of the photos that it was laid over, how it lies there.
    """

    match: "Match"
    queries: set[int]
    address: Address | None
    regions: dict[int, Region | None] = field(default_factory=dict)
    placements: dict[int, Placement] = field(default_factory=dict)

    def joined(self, other: "_Held") -> "_Held":
        """Return what both say of one row."""
        best = min(self.match, other.match, key=rank)
        shown = min(self, other, key=lambda held: (not held.pictured, rank(held.match)))
        match = replace(shown.match, kind=best.kind, score=best.score)
        return _Held(
            match,
            self.queries | other.queries,
            self.address or other.address,
            self.regions | other.regions,
            self.placements | other.placements,
        )

    @property
    def pictured(self) -> bool:
        """Whether a photo found it."""
        return any(query > 0 for query in self.queries)

    def found(self) -> Found:
        """Return it as it is sealed."""
        return Kind(self.match.kind), _found_row(self)


Held = Mapping[RowName, _Held]


def rank(match: "Match") -> tuple[int, float]:
    """Order matches, the best first."""
    return _KIND_ORDER[match.kind], -match.score


def rows_held(evidence: EvidenceOpened, searcher: Searcher) -> Held:
    """Conclude per query, and keep each row once."""
    held: dict[RowName, _Held] = {}
    for query, hits in evidence.hits.items():
        for match in _matches(query, hits, evidence, searcher):
            copied = query > 0 and match.kind != "similar"
            regions = {query: WHOLE if match.evidence.digest else match.evidence.box}
            address: Address | None = "given" if query < 0 else None
            placements = {query: match.placement} if match.placement else {}
            new = _Held(match, {query}, address, regions if copied else {}, placements)
            row = row_name(match)
            held[row] = held[row].joined(new) if row in held else new
    return held


def urls_to_follow(held: Held, evidence: EvidenceOpened) -> list[str]:
    """Return the addresses of the rows found, the best first; not those the subject gave."""
    given = {url_canonical(url) for url in evidence.urls}
    urls: dict[str, str] = {}
    for one in sorted(held.values(), key=lambda one: rank(one.match)):
        if one.match.url and (common := url_canonical(one.match.url)) not in given:
            urls.setdefault(common, one.match.url)
    return list(urls.values())[:FOLLOWED_MAX]


def rows_found(held: Held, evidence: EvidenceOpened, searcher: Searcher) -> list[Found]:
    """Return all rows: those held, and those that their addresses led to."""
    return [one.found() for one in [*held.values(), *_followed(held, evidence, searcher)]]


def _matches(
    query: int, hits: Sequence[bytes], evidence: EvidenceOpened, searcher: Searcher
) -> "list[Match]":
    if query > 0:
        geometry = evidence.geometry.get(query, {})
        return searcher.conclude(hits, top=MATCHES_TOP, geometry=geometry)
    return matches_spread(searcher.conclude(hits, top=ALL, geometry={}))


def matches_spread(matches: "Iterable[Match]") -> "list[Match]":
    """Choose among rows of one address: every spelling in every dataset first, then the others.

    A dataset may hold one spelling a thousand times; it must not crowd out another.
    """
    first: dict[tuple[str, str | None], Match] = {}
    others: list[Match] = []
    for match in matches:
        if (match.dataset, match.url) in first:
            others.append(match)
        else:
            first[match.dataset, match.url] = match
    return [*first.values(), *others][: max(MATCHES_TOP, len(first))]


def _followed(held: Held, evidence: EvidenceOpened, searcher: Searcher) -> list[_Held]:
    """Return the rows that are found by their address alone, which another row has too."""
    if not evidence.followed:
        return []
    sources: dict[str, _Held] = {}
    for one in sorted(held.values(), key=lambda one: rank(one.match)):
        sources.setdefault(url_canonical(one.match.url or ""), one)
    out = []
    for match in matches_spread(searcher.conclude(evidence.followed, top=ALL, geometry={})):
        source = sources.get(url_canonical(match.url or ""))
        if source is not None and row_name(match) not in held:
            taken = replace(match, kind=source.match.kind, score=source.match.score)
            out.append(_Held(taken, set(source.queries), "followed", dict(source.regions)))
    return out


def row_name(match: "Match") -> RowName:
    """Return what names a row among matches."""
    return match.dataset, match.shard, match.key, match.index


def found_row(match: "Match", *, address: Address | None, compared: bool, **more: Any) -> FoundRow:
    """Return a match as it is sealed.

    Args:
        match: what was found.
        address: how its address speaks for it, if it does.
        compared: whether a picture found it; else its address speaks for the row, and no file was
            compared.
        more: further fields of the row; those that name photos are empty where not given.
    """
    evidence = asdict(match.evidence)
    del evidence["box"]  # of one photo; `regions` has it of each
    if not compared:
        evidence["digest"] = False
    facts: dict[str, Any] = {
        "score": match.score,
        "evidence": {**evidence, "address": address},
        "photos": (),
        **more,
    }
    return FoundRow(
        dataset=match.dataset,
        group=match.group,
        shard=match.shard,
        key=match.key,
        index=match.index,
        offset=match.offset,
        url=match.url,
        sha256=match.sha256,
        md5=match.md5,
        **facts,
    )


def _found_row(held: _Held) -> FoundRow:
    return found_row(
        held.match,
        address=held.address,
        compared=held.address != "followed" and held.pictured,
        photos=tuple(sorted(query for query in held.queries if query > 0)),
        regions=dict(sorted(held.regions.items())),
        placements=dict(sorted(held.placements.items())),
    )
