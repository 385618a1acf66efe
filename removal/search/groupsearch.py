"""The first stage: one group is searched for many requests at once.

What a request is searched by is opened with the worker's key; what is found is sealed again under
`print`, per query, to be judged when all groups have answered.
"""

import json
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from catalog.models import Group
from removal.custody import content
from removal.custody.sealing import (
    NotReadable,
    Place,
    PrivateKey,
    publics_of,
    role_key,
    seal_to,
    unwrap_many,
)
from removal.models import Photo, Purpose, Recipient, SearchUnit
from removal.search.queues import Answers
from removal.search.searching import MATCHES_TOP, Searcher

if TYPE_CHECKING:
    from indexer.query.fingerprint import Fingerprint


@dataclass(frozen=True, slots=True)
class _Queries:
    """What one request is searched by: a photo's place or the negative of a URL's, and how."""

    numbers: tuple[int, ...]
    fingerprints: "tuple[Fingerprint, ...]"


def units_search(
    group: Group, units: Sequence[SearchUnit], searcher: Searcher
) -> Answers[SearchUnit]:
    """Search a group for a batch of units.

    Raises:
        GroupUnavailable, EncoderMissing: nothing was answered.
    """
    answers: Answers[SearchUnit] = Answers()
    requests = [unit.request_id for unit in units]
    keys = unwrap_many(requests, Purpose.PRINT, Recipient.WORKER, role_key(Recipient.WORKER))
    publics = publics_of(requests, Purpose.PRINT)
    photos = _photos(requests)
    ready: list[tuple[SearchUnit, _Queries]] = []
    for unit in units:
        mine = photos[unit.request_id]
        gone = unit.request_id not in keys or unit.request_id not in publics
        if reason := _refusal(group, unit, mine, gone=gone):
            answers.refused[reason].append(unit)
            continue
        try:
            ready.append((unit, _queries(unit, mine, keys[unit.request_id], searcher)))
        except NotReadable:
            answers.refused[SearchUnit.Fault.KEY_GONE].append(unit)
    fingerprints = [one for _, queries in ready for one in queries.fingerprints]
    hits = iter(searcher.group_search(group, fingerprints, top=MATCHES_TOP) if ready else ())
    for unit, queries in ready:
        found = zip(queries.numbers, islice(hits, len(queries.numbers)), strict=True)
        packed = content.hits_pack((number, hit.to_bytes()) for number, hit in found)
        place = Place(unit.request_id, Purpose.PRINT, content.hits_item(group.pk))
        answers.done[unit.pk] = {"hits_sealed": seal_to(publics[unit.request_id], packed, place)}
    return answers


def _refusal(
    group: Group, unit: SearchUnit, photos: Sequence[Photo], *, gone: bool
) -> SearchUnit.Fault | None:
    if gone:
        return SearchUnit.Fault.KEY_GONE
    if photos and group.encoder_name not in unit.request.encoders:
        return SearchUnit.Fault.ENCODER_MISSING
    return None


def _photos(requests: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Photo]]:
    """Return the fingerprinted photos of each request, by one query."""
    photos: dict[uuid.UUID, list[Photo]] = defaultdict(list)
    held = Photo.objects.filter(request_id__in=requests).exclude(fingerprint_sealed=b"")
    for photo in held.defer("probe_sealed").order_by("n"):
        photos[photo.request_id].append(photo)
    return photos


def _queries(
    unit: SearchUnit, photos: Sequence[Photo], key: PrivateKey, searcher: Searcher
) -> _Queries:
    """Open what a unit's request is searched by."""
    request = unit.request
    pairs = []
    for photo in photos:
        place = Place(request.pk, Purpose.PRINT, content.fingerprint_item(photo.pk))
        opened = key.open(photo.fingerprint_sealed, place)
        pairs.append((photo.n, searcher.fingerprint_read(opened)))
    links = Place(request.pk, Purpose.PRINT, content.LINKS)
    urls = json.loads(key.open(request.links_sealed, links))
    pairs += [(-n, searcher.fingerprint_url(url)) for n, url in enumerate(urls, start=1)]
    return _Queries(tuple(n for n, _ in pairs), tuple(one for _, one in pairs))
