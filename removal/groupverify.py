"""The second stage: the pictures of a group's best rows are compared with the photos.

The rows come sealed under `print`, the photos as small gray probes sealed under `photo`; what
comes out is sealed under `print`. A picture that cannot be read is counted, and says nothing
against its row.
"""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from catalog.models import Group
from removal import content
from removal.content import RowToVerify
from removal.groupsearch import Answers
from removal.leases import FRAIL
from removal.models import Photo, Purpose, Recipient, SearchUnit
from removal.sealing import (
    NotReadable,
    Place,
    PrivateKey,
    publics_of,
    role_key,
    seal_to,
    unwrap_many,
)
from removal.searching import PicturesUnavailable, Searcher


@dataclass(frozen=True, slots=True)
class _Pair:
    """A row and the probe that it is compared with: for which unit, by which query."""

    row: RowToVerify
    unit: int
    query: int
    probe: bytes


def units_verify(group: Group, units: Sequence[SearchUnit], searcher: Searcher) -> Answers:
    """Verify the rows of a batch of units, those of one shard one after the other.

    Raises:
        PicturesUnavailable: the dataset's files cannot be reached; nothing was answered. A unit
            that was tried often is answered without them: its group was searched before.
    """
    answers = Answers()
    requests = [unit.request_id for unit in units]
    publics = publics_of(requests, Purpose.PRINT)
    pairs: list[_Pair] = []
    opened = []
    for unit, mine in _pairs(units, requests):
        if mine is None or unit.request_id not in publics:
            answers.refused[SearchUnit.Fault.KEY_GONE].append(unit)
            continue
        opened.append((unit, len(mine)))
        pairs += mine
    pairs.sort(key=lambda pair: pair.row)
    geometry = _compared(group, units, pairs, searcher)
    found: dict[int, dict[int, dict[content.RowId, str]]] = defaultdict(lambda: defaultdict(dict))
    for pair, text in zip(pairs, geometry, strict=True):
        if text is not None:
            found[pair.unit][pair.query][pair.row.id] = text
    for unit, rows in opened:
        mine_found = found[unit.pk]
        packed = content.hits_pack(
            (query, content.geometry_to_bytes(one)) for query, one in mine_found.items()
        )
        place = Place(unit.request_id, Purpose.PRINT, content.geometry_item(group.pk))
        answers.done[unit.pk] = {
            "hits_sealed": seal_to(publics[unit.request_id], packed, place),
            "rows_unread": rows - sum(len(one) for one in mine_found.values()),
        }
    return answers


def _compared(
    group: Group, units: Sequence[SearchUnit], pairs: Sequence[_Pair], searcher: Searcher
) -> list[str | None]:
    try:
        return searcher.rows_verify(group, [(pair.probe, pair.row) for pair in pairs])
    except PicturesUnavailable:
        if all(unit.attempts >= FRAIL for unit in units):
            return [None] * len(pairs)
        raise


def _pairs(
    units: Sequence[SearchUnit], requests: Sequence[uuid.UUID]
) -> list[tuple[SearchUnit, list[_Pair] | None]]:
    """Open each unit's rows and probes; None where its keys are gone."""
    worker = role_key(Recipient.WORKER)
    prints = unwrap_many(requests, Purpose.PRINT, Recipient.WORKER, worker)
    photos = unwrap_many(requests, Purpose.PHOTO, Recipient.WORKER, worker)
    probes: dict[uuid.UUID, list[Photo]] = defaultdict(list)
    for photo in Photo.objects.filter(request_id__in=requests).exclude(probe_sealed=b""):
        probes[photo.request_id].append(photo)
    out: list[tuple[SearchUnit, list[_Pair] | None]] = []
    for unit in units:
        name = unit.request_id
        try:
            out.append((unit, _unit_pairs(unit, prints[name], photos[name], probes[name])))
        except (KeyError, NotReadable):
            out.append((unit, None))
    return out


def _unit_pairs(
    unit: SearchUnit, prints: PrivateKey, photo_key: PrivateKey, photos: Sequence[Photo]
) -> list[_Pair]:
    opened = {
        photo.n: photo_key.open(photo.probe_sealed, place)
        for photo in photos
        for place in [Place(unit.request_id, Purpose.PHOTO, content.probe_item(photo.pk))]
    }
    if unit.group_id is None:
        return []
    place = Place(unit.request_id, Purpose.PRINT, content.rows_item(unit.group_id))
    return [
        _Pair(row, unit.pk, query, opened[query])
        for query, packed in content.hits_unpack(prints.open(unit.rows_sealed, place))
        for row in content.rows_from_bytes(packed)
    ]
