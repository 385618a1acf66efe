"""From the sealed evidence of all groups to the rows worth verifying, and to candidates.

Evidence is judged per query (a photo or a URL) over all groups at once (`found.py`).
"""

import hmac
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from removal.custody import content, secrets
from removal.custody.content import FoundRow, RowId, RowToVerify
from removal.custody.sealing import NotReadable, Place, publics_of, role_key, seal_to, unwrap
from removal.models import Candidate, Kind, Purpose, Recipient, RemovalRequest, SearchUnit
from removal.search.searching import FOLLOWED, Searcher

Found = tuple[Kind, FoundRow]


@dataclass(frozen=True, slots=True)
class EvidenceOpened:
    """What the groups found for one request, in memory alone.

    Attributes:
        hits: by query, the hits of each group.
        geometry: by query, what verifying rows gave.
        urls: those that the subject gave.
        followed: the hits of each group for the addresses of the rows found.
    """

    hits: dict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    geometry: dict[int, dict[RowId, str]] = field(default_factory=lambda: defaultdict(dict))
    urls: tuple[str, ...] = ()
    followed: list[bytes] = field(default_factory=list)


def evidence_open(request: RemovalRequest) -> EvidenceOpened:
    """Open the evidence of the groups that answered and are still there.

    Raises:
        NotReadable, KeyShredded: the worker's key was destroyed.
    """
    key = unwrap(request.pk, Purpose.PRINT, Recipient.WORKER, role_key(Recipient.WORKER))
    links = Place(request.pk, Purpose.PRINT, content.LINKS)
    evidence = EvidenceOpened(urls=tuple(json.loads(key.open(request.links_sealed, links))))
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
                if query == FOLLOWED:
                    evidence.followed.append(packed)
                else:
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
        candidate = Candidate(request=request, kind=kind, row_tag=row_tag(row, tag_key))
        place = Place(request.pk, Purpose.CASE, content.row_item(candidate.pk))
        candidate.row_sealed = seal_to(public, row.to_bytes(), place)
        candidates.append(candidate)
    return candidates


def row_tag(row: FoundRow, key: bytes) -> bytes:
    """Return what equal rows of different requests have in common; nothing without the key."""
    name = content.json_bytes([row.dataset, row.shard, row.key, row.index])
    return hmac.digest(key, name, "sha256")
