"""The second stage: a group's best rows are compared with the photos, and addresses followed.

The rows come sealed under `print`, the photos as small gray probes sealed under `photo`; what
comes out is sealed under `print`. A picture that cannot be read is counted, and says nothing
against its row. The addresses of the rows that other groups found come as row keys, under `print`
too: the group tells what it holds under them.
"""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from catalog.models import Group
from removal.custody import content
from removal.custody.content import RowToVerify
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
from removal.search.leases import FRAIL
from removal.search.queues import Answers
from removal.search.searching import FOLLOWED, MATCHES_TOP, PicturesUnavailable, Searcher


@dataclass(frozen=True, slots=True)
class _Pair:
    """A row and the probe that it is compared with: for which unit, by which query."""

    row: RowToVerify
    unit: int
    query: int
    probe: bytes


@dataclass(frozen=True, slots=True)
class _Work:
    """What one unit asks of a group: rows to compare, and addresses as a fingerprint's bytes."""

    pairs: list[_Pair]
    addresses: bytes


def units_verify(
    group: Group, units: Sequence[SearchUnit], searcher: Searcher
) -> Answers[SearchUnit]:
    """Verify the rows of a batch of units, those of one shard one after the other.

    Raises:
        PicturesUnavailable: the dataset's files cannot be reached; nothing was answered. A unit
            that was tried often is answered without them: its group was searched before.
        GroupUnavailable: nothing was answered.
    """
    answers: Answers[SearchUnit] = Answers()
    requests = [unit.request_id for unit in units]
    publics = publics_of(requests, Purpose.PRINT)
    opened: list[tuple[SearchUnit, _Work]] = []
    for unit, work in _opened(units, requests):
        if work is None or unit.request_id not in publics:
            answers.refused[SearchUnit.Fault.KEY_GONE].append(unit)
        else:
            opened.append((unit, work))
    parts = _followed(group, opened, searcher)
    compared = _geometry(group, units, opened, searcher)
    for unit, work in opened:
        found = compared[unit.pk]
        geometry = ((query, content.geometry_to_bytes(one)) for query, one in found.items())
        packed = content.hits_pack([*geometry, *parts[unit.pk]])
        place = Place(unit.request_id, Purpose.PRINT, content.geometry_item(group.pk))
        answers.done[unit.pk] = {
            "hits_sealed": seal_to(publics[unit.request_id], packed, place),
            "rows_unread": len(work.pairs) - sum(len(one) for one in found.values()),
        }
    return answers


def _followed(
    group: Group, opened: Sequence[tuple[SearchUnit, _Work]], searcher: Searcher
) -> dict[int, list[tuple[int, bytes]]]:
    """Return by unit, framed, what the group holds under the addresses that it is asked for."""
    asked = [(unit.pk, work.addresses) for unit, work in opened if work.addresses]
    prints = [searcher.fingerprint_read(addresses) for _, addresses in asked]
    hits = searcher.group_search(group, prints, top=MATCHES_TOP) if prints else []
    parts: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
    for (unit, _), hit in zip(asked, hits, strict=True):
        parts[unit].append((FOLLOWED, hit.to_bytes()))
    return parts


def _geometry(
    group: Group,
    units: Sequence[SearchUnit],
    opened: Sequence[tuple[SearchUnit, _Work]],
    searcher: Searcher,
) -> dict[int, dict[int, dict[content.RowId, str]]]:
    """Return by unit and query the geometry of the rows whose pictures can be read."""
    pairs = sorted((pair for _, work in opened for pair in work.pairs), key=lambda pair: pair.row)
    found: dict[int, dict[int, dict[content.RowId, str]]] = defaultdict(lambda: defaultdict(dict))
    for pair, text in zip(pairs, _compared(group, units, pairs, searcher), strict=True):
        if text is not None:
            found[pair.unit][pair.query][pair.row.id] = text
    return found


def _compared(
    group: Group, units: Sequence[SearchUnit], pairs: Sequence[_Pair], searcher: Searcher
) -> list[str | None]:
    try:
        return searcher.rows_verify(group, [(pair.probe, pair.row) for pair in pairs])
    except PicturesUnavailable:
        if all(unit.attempts >= FRAIL for unit in units):
            return [None] * len(pairs)
        raise


def _opened(
    units: Sequence[SearchUnit], requests: Sequence[uuid.UUID]
) -> list[tuple[SearchUnit, _Work | None]]:
    """Open each unit's rows, probes and addresses; None where its keys are gone."""
    worker = role_key(Recipient.WORKER)
    prints = unwrap_many(requests, Purpose.PRINT, Recipient.WORKER, worker)
    photos = unwrap_many(requests, Purpose.PHOTO, Recipient.WORKER, worker)
    probes: dict[uuid.UUID, list[Photo]] = defaultdict(list)
    for photo in Photo.objects.filter(request_id__in=requests).exclude(probe_sealed=b""):
        probes[photo.request_id].append(photo)
    out: list[tuple[SearchUnit, _Work | None]] = []
    for unit in units:
        name = unit.request_id
        try:
            out.append((unit, _work(unit, prints[name], photos[name], probes[name])))
        except (KeyError, NotReadable):
            out.append((unit, None))
    return out


def _work(
    unit: SearchUnit, prints: PrivateKey, photo_key: PrivateKey, photos: Sequence[Photo]
) -> _Work:
    opened = {
        photo.n: photo_key.open(photo.probe_sealed, place)
        for photo in photos
        for place in [Place(unit.request_id, Purpose.PHOTO, content.probe_item(photo.pk))]
    }
    if unit.group_id is None:
        return _Work([], b"")
    place = Place(unit.request_id, Purpose.PRINT, content.rows_item(unit.group_id))
    parts = list(content.hits_unpack(prints.open(unit.rows_sealed, place)))
    pairs = [
        _Pair(row, unit.pk, query, opened[query])
        for query, packed in parts
        if query != FOLLOWED
        for row in content.rows_from_bytes(packed)
    ]
    return _Work(pairs, b"".join(packed for query, packed in parts if query == FOLLOWED))
