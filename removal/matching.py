"""Matching: fingerprint a request, search every group, conclude. The database is the queue.

Each step takes its work by a lease (`leases.py`) and hands its result in by one transaction that
asks whether the lease still holds, so that a worker killed at any point loses nothing and a worker
thought dead writes nothing. Evidence is kept per query (a photo or a URL) and sealed under
`print`; what is concluded is sealed under `case`, which the worker can write and not read. When
the search is over, the worker's own keys to the request are destroyed.
"""

import hmac
import logging
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from django.db.models import Exists, OuterRef, QuerySet

from catalog.models import Group
from catalog.selectors import groups_ready
from indexer.decode import ImageRefused
from removal import audit, blobs, content, retention, secrets
from removal.content import FoundRow
from removal.draining import units_waiting
from removal.leases import lease_claim, lease_free, lease_kept, lease_renew
from removal.lifecycle import TransitionRefused, step_taken
from removal.models import (
    Candidate,
    Kind,
    Photo,
    Purpose,
    Recipient,
    RemovalRequest,
    SearchUnit,
    State,
    today,
)
from removal.sealing import NotReadable, Place, role_key, seal, unwrap
from removal.searching import MATCHES_TOP, CatalogSearcher, Searcher
from removal.shred import KeyShredded

if TYPE_CHECKING:
    from indexer.evidence import Match

UNREADABLE: Final = "unreadable"
TOO_PLAIN: Final = "too_plain"
_KIND_ORDER: Final = {"exact": 0, "copy": 1, "similar": 2}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Work that nobody holds."""

    to_fingerprint: tuple[uuid.UUID, ...]
    to_search: tuple[int, ...]
    to_conclude: tuple[uuid.UUID, ...]


def work_waiting() -> Waiting:
    """Return what was never begun, or was begun by a worker that did not live to finish it."""
    oldest = ("received_on", "pk")
    received = _to_fingerprint().order_by(*oldest) if groups_ready().exists() else None
    return Waiting(
        tuple(received.values_list("pk", flat=True)) if received is not None else (),
        tuple(units_waiting().order_by("group").values_list("group", flat=True).distinct()),
        tuple(_to_conclude().order_by(*oldest).values_list("pk", flat=True)),
    )


# --- fingerprints -----------------------------------------------------------------------------


def request_fingerprint(
    request_id: str | uuid.UUID, *, searcher: Searcher | None = None
) -> list[int]:
    """Fingerprint a received request and make its search units; return the groups to search.

    Returns nothing where there is nothing to do: no group is ready yet, the request was
    fingerprinted before, somebody else is at it, or it was withdrawn meanwhile.
    """
    request_id = uuid.UUID(str(request_id))
    groups = list(groups_ready())
    token = _request_claim(request_id) if groups else None
    if token is None:
        return []
    leased = RemovalRequest.objects.filter(pk=request_id, lease_token=token)
    encoders = sorted({group.dataset.encoder for group in groups})
    try:
        with lease_kept(partial(lease_renew, leased)):
            photos = _photos_fingerprinted(request_id, encoders, searcher or CatalogSearcher())
        return _search_begun(request_id, token, photos, groups)
    except (NotReadable, KeyShredded, TransitionRefused):
        log.info("request %s: withdrawn or taken over while it was fingerprinted", request_id)
        return []


def _request_claim(request_id: uuid.UUID) -> uuid.UUID | None:
    token = uuid.uuid4()
    return token if lease_claim(_to_fingerprint().filter(pk=request_id), token) else None


def _to_fingerprint() -> QuerySet[RemovalRequest]:
    return RemovalRequest.objects.filter(
        lease_free(), state=State.RECEIVED, photos_deleted_on__isnull=True
    )


def _photos_fingerprinted(
    request_id: uuid.UUID, encoders: list[str], searcher: Searcher
) -> list[Photo]:
    """Return the photos with fingerprint and flags set, not yet saved."""
    key = unwrap(request_id, Purpose.PHOTO, Recipient.WORKER, role_key(Recipient.WORKER))
    photos = list(Photo.objects.filter(request_id=request_id))
    for photo in photos:
        place = Place(request_id, Purpose.PHOTO, content.photo_item(photo.pk))
        try:
            data = key.open(blobs.blob_read(photo.blob), place)
            fingerprint = searcher.fingerprint_photo(data, encoders)
        except (ImageRefused, blobs.BlobGone) as error:
            log.warning("request %s: a photo cannot be read: %s", request_id, type(error).__name__)
            photo.flags = [UNREADABLE]
            continue
        photo.flags = list(fingerprint.flags)
        item = content.fingerprint_item(photo.pk)
        photo.fingerprint_sealed = seal(request_id, Purpose.PRINT, item, fingerprint.to_bytes())
    return photos


def _search_begun(
    request_id: uuid.UUID, token: uuid.UUID, photos: list[Photo], groups: list[Group]
) -> list[int]:
    with step_taken(
        request_id,
        "search_begun",
        State.SEARCHING,
        actor=audit.WORKER,
        detail={"groups": len(groups)},
        where={"lease_token": token},
        changes={"lease_token": None, "lease_until": None},
    ):
        Photo.objects.bulk_update(photos, ["flags", "fingerprint_sealed"])
        SearchUnit.objects.bulk_create(
            [SearchUnit(request_id=request_id, group=group) for group in groups]
        )
    return [group.pk for group in groups]


# --- the groups are searched by `draining.group_drain`; then: conclusion ----------------------


def request_conclude(request_id: str | uuid.UUID, *, searcher: Searcher | None = None) -> bool:
    """Turn the evidence of all groups into candidates; tell whether this call did it.

    It does nothing while a group is unsearched, and nothing the second time.
    """
    request = _to_conclude().filter(pk=request_id).first()
    if request is None:
        return False
    try:
        found = _found(request, searcher or CatalogSearcher())
        _concluded(request, found)
    except (NotReadable, KeyShredded, TransitionRefused):
        log.info("request %s: withdrawn or concluded by another worker", request.pk)
        return False
    retention.worker_keys_destroy([request.pk])
    return True


def _to_conclude() -> QuerySet[RemovalRequest]:
    units = SearchUnit.objects.filter(request=OuterRef("pk"))
    return RemovalRequest.objects.filter(
        Exists(units),
        ~Exists(units.exclude(state=SearchUnit.State.DONE)),
        state=State.SEARCHING,
        photos_deleted_on__isnull=True,
    )


def _found(request: RemovalRequest, searcher: Searcher) -> list[tuple[Kind, FoundRow]]:
    """Conclude per query, then keep each row once, with its best kind and score."""
    best: dict[tuple[str, str, str, int], tuple[Match, set[int]]] = {}
    for query, hits in _hits_opened(request).items():
        for match in searcher.conclude(hits, top=MATCHES_TOP):
            row = (match.dataset, match.shard, match.key, match.index)
            held, queries = best.get(row, (match, set()))
            best[row] = (min(held, match, key=_rank), queries | {query})
    return [(Kind(match.kind), _row(match, queries)) for match, queries in best.values()]


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


def _hits_opened(request: RemovalRequest) -> dict[int, list[bytes]]:
    """Return each query's hits from all groups."""
    worker = role_key(Recipient.WORKER)
    key = unwrap(request.pk, Purpose.PRINT, Recipient.WORKER, worker)
    opened: dict[int, list[bytes]] = {}
    for unit in request.units.order_by("group_id"):
        place = Place(request.pk, Purpose.PRINT, content.hits_item(unit.group_id))
        for query, hits in content.hits_unpack(key.open(unit.hits_sealed, place)):
            opened.setdefault(query, []).append(hits)
    return opened


def _concluded(request: RemovalRequest, found: list[tuple[Kind, FoundRow]]) -> None:
    candidates = [_candidate(request, kind, row) for kind, row in found]
    flags = [photo.flags for photo in request.photos.all()]
    # What could not be searched was not found missing: a maintainer looks at it.
    to = State.IN_REVIEW if found or any(UNREADABLE in flag for flag in flags) else State.NO_MATCH
    day = today()
    changes: dict[str, object] = {"searched_on": day}
    if to == State.NO_MATCH:
        plain = bool(flags) and all(TOO_PLAIN in flag for flag in flags)
        changes |= {
            "outcome": State.NO_MATCH.value,
            "reason": "too_plain" if plain else "not_found",
            "decided_on": day,
            "closed_on": day,
            "photos_delete_on": retention.photos_delete_on(request, decided_on=day),
        }
    counts = {kind.value: sum(k == kind for k, _ in found) for kind in Kind}
    with step_taken(
        request.pk, "search_concluded", to, actor=audit.WORKER, detail=counts, changes=changes
    ):
        Candidate.objects.bulk_create(candidates)
        SearchUnit.objects.filter(request=request).update(hits_sealed=b"")


def _candidate(request: RemovalRequest, kind: Kind, row: FoundRow) -> Candidate:
    candidate = Candidate(request=request, kind=kind, row_tag=_row_tag(row))
    item = content.row_item(candidate.pk)
    candidate.row_sealed = seal(request.pk, Purpose.CASE, item, row.to_bytes())
    return candidate


def _row_tag(row: FoundRow) -> bytes:
    """Return what equal rows of different requests have in common; nothing without the key."""
    name = content.json_bytes([row.dataset, row.shard, row.key, row.index])
    return hmac.digest(secrets.secret_read(secrets.ROW_TAG_KEY), name, "sha256")
