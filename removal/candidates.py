"""From the sealed evidence of all groups to the rows worth verifying, and to candidates.

Evidence is judged per query (a photo or a URL) over all groups at once; a row that several
queries of a request found is kept once, with its best kind and score.
"""

import hmac
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from removal import content, secrets
from removal.content import FoundRow, RowId, RowToVerify
from removal.models import Candidate, Kind, Purpose, Recipient, RemovalRequest, SearchUnit
from removal.sealing import NotReadable, Place, publics_of, role_key, seal_to, unwrap
from removal.searching import MATCHES_TOP, Searcher

if TYPE_CHECKING:
    from indexer.evidence import Match

_KIND_ORDER: Final = {"exact": 0, "copy": 1, "similar": 2}

Found = tuple[Kind, FoundRow]


@dataclass(frozen=True, slots=True)
class EvidenceOpened:
    """What the groups found for one request, in memory alone.

    Attributes:
        hits: by query, the hits of each group.
        geometry: by query, what verifying rows gave.
    """

    hits: dict[int, list[bytes]]
    geometry: dict[int, dict[RowId, str]]


def evidence_open(request: RemovalRequest) -> EvidenceOpened:
    """Open the evidence of the groups that answered and are still there.

    Raises:
        NotReadable, KeyShredded: the worker's key was destroyed.
    """
    key = unwrap(request.pk, Purpose.PRINT, Recipient.WORKER, role_key(Recipient.WORKER))
    evidence = EvidenceOpened(defaultdict(list), defaultdict(dict))
    units = request.units.filter(state=SearchUnit.State.DONE, group__isnull=False)
    fields = ("group_id", "stage", "hits_sealed")
    for group_id, stage, sealed in units.order_by("group_id").values_list(*fields).iterator():
        if stage == SearchUnit.Stage.SEARCH:
            place = Place(request.pk, Purpose.PRINT, content.hits_item(group_id))
            for query, hits in content.hits_unpack(key.open(sealed, place)):
                evidence.hits[query].append(hits)
        else:
            place = Place(request.pk, Purpose.PRINT, content.geometry_item(group_id))
            for query, packed in content.hits_unpack(key.open(sealed, place)):
                evidence.geometry[query].update(content.geometry_from_bytes(packed))
    return evidence


def rows_shortlist(
    evidence: EvidenceOpened, searcher: Searcher, *, datasets: set[str], photos: set[int]
) -> dict[tuple[str, int], dict[int, list[RowToVerify]]]:
    """Return the rows worth verifying: by dataset and group number, then by query.

    Args:
        evidence: of all groups.
        searcher: which judges what is worth it.
        datasets: those that hold pictures.
        photos: the places of the photos that have a probe.
    """
    listed: dict[tuple[str, int], dict[int, list[RowToVerify]]] = {}
    for query, hits in evidence.hits.items():
        if query not in photos:
            continue
        for row in searcher.shortlist(hits, datasets=datasets):
            rows = listed.setdefault((row.dataset, row.group), {})
            rows.setdefault(query, []).append(row)
    return listed


def rows_found(evidence: EvidenceOpened, searcher: Searcher) -> list[Found]:
    """Conclude per query, then keep each row once, with its best kind and score."""
    best: dict[tuple[str, str, str, int], tuple[Match, set[int]]] = {}
    for query, hits in evidence.hits.items():
        geometry = evidence.geometry.get(query, {})
        for match in searcher.conclude(hits, top=MATCHES_TOP, geometry=geometry):
            row = (match.dataset, match.shard, match.key, match.index)
            held, queries = best.get(row, (match, set()))
            best[row] = (min(held, match, key=_rank), queries | {query})
    return [(Kind(match.kind), _row(match, queries)) for match, queries in best.values()]


def candidates_make(request: RemovalRequest, found: Iterable[Found]) -> list[Candidate]:
    """Return the candidates to store, their rows sealed under `case`.

    Raises:
        NotReadable: the request was erased meanwhile.
    """
    public = publics_of([request.pk], Purpose.CASE).get(request.pk)
    if public is None:
        raise NotReadable("The request was erased.")
    tag_key = secrets.secret_read(secrets.ROW_TAG_KEY)
    candidates = []
    for kind, row in found:
        candidate = Candidate(request=request, kind=kind, row_tag=_row_tag(row, tag_key))
        place = Place(request.pk, Purpose.CASE, content.row_item(candidate.pk))
        candidate.row_sealed = seal_to(public, row.to_bytes(), place)
        candidates.append(candidate)
    return candidates


def _rank(match: "Match") -> tuple[int, float]:
    return _KIND_ORDER[match.kind], -match.score


def _row(match: "Match", queries: Iterable[int]) -> FoundRow:
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
        score=match.score,
        evidence=asdict(match.evidence),
        photos=tuple(sorted(query for query in queries if query > 0)),
    )


def _row_tag(row: FoundRow, key: bytes) -> bytes:
    """Return what equal rows of different requests have in common; nothing without the key."""
    name = content.json_bytes([row.dataset, row.shard, row.key, row.index])
    return hmac.digest(key, name, "sha256")
