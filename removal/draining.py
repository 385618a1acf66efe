"""One group, everything that waits for it: units are claimed in batches and searched together.

A unit that fails is put back with a pause, never dropped: its request is not concluded without it.
"""

import datetime as dt
import json
import logging
import uuid
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from django.db.models import QuerySet
from django.utils import timezone

from catalog.models import Group
from removal import content
from removal.leases import lease_claim, lease_free, lease_kept, lease_renew
from removal.models import Purpose, Recipient, RemovalRequest, SearchUnit, State, today
from removal.sealing import NotReadable, Place, PrivateKey, role_key, seal, unwrap
from removal.searching import MATCHES_TOP, CatalogSearcher, GroupUnavailable, Searcher
from removal.shred import KeyShredded

if TYPE_CHECKING:
    from indexer.fingerprint import Fingerprint
    from indexer.hits import GroupHits

_BATCH: Final = 32
_UNDONE: Final = (SearchUnit.State.PENDING, SearchUnit.State.FAILED)
_PAUSE: Final = dt.timedelta(seconds=60)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Queries:
    """What one request is searched by: a photo's place or the negative of a URL's, and how."""

    numbers: tuple[int, ...]
    fingerprints: "tuple[Fingerprint, ...]"


def group_drain(group_id: int, *, searcher: Searcher | None = None) -> list[uuid.UUID]:
    """Search all that waits for a group; return the requests whose search was advanced.

    It returns when nothing waits any more: found done, failed, or held by another worker.
    """
    searcher = searcher or CatalogSearcher()
    advanced: list[uuid.UUID] = []
    while (token := _batch_claim(group_id)) is not None:
        held = SearchUnit.objects.filter(lease_token=token)
        with lease_kept(partial(lease_renew, held)):
            advanced += _batch_search(group_id, token, searcher)
    return advanced


def units_waiting() -> QuerySet[SearchUnit]:
    """Return the units that somebody may take now; a damaged group waits for its repair."""
    return SearchUnit.objects.filter(
        lease_free(),
        state__in=_UNDONE,
        request__state=State.SEARCHING,
        request__photos_deleted_on__isnull=True,
        group__state=Group.State.READY,
    )


def _batch_claim(group_id: int) -> uuid.UUID | None:
    """Lease a batch of units and return its token; None when nothing waits.

    A unit that was tried before goes alone: should it be what killed its worker, the others of
    its batch are not held up with it.
    """
    token = uuid.uuid4()
    while waiting := list(
        units_waiting()
        .filter(group_id=group_id)
        .order_by("attempts", "pk")
        .values_list("pk", "attempts")[:_BATCH]
    ):
        fresh = [pk for pk, attempts in waiting if not attempts]
        chosen = fresh or [waiting[0][0]]
        # No join here: PostgreSQL checks a row again that another worker took meanwhile, but not
        # the subquery that a join would become.
        free = SearchUnit.objects.filter(lease_free(), state__in=_UNDONE, pk__in=chosen)
        if lease_claim(free, token):
            return token
    return None


def _batch_search(group_id: int, token: uuid.UUID, searcher: Searcher) -> list[uuid.UUID]:
    units = list(SearchUnit.objects.filter(lease_token=token).order_by("pk"))
    worker = role_key(Recipient.WORKER)
    ready = [(unit, queries) for unit in units if (queries := _queries(unit, worker, searcher))]
    fingerprints = [one for _, queries in ready for one in queries.fingerprints]
    group = Group.objects.select_related("dataset").get(pk=group_id)
    try:
        hits = iter(searcher.group_search(group, fingerprints, top=MATCHES_TOP))
    except GroupUnavailable:
        log.exception("group %s cannot be searched: run `doctor`", group)
        for unit, _ in ready:
            _unit_put_back(unit, token, "group_unavailable")
        return []
    return [
        unit.request_id
        for unit, queries in ready
        if _unit_done(unit, token, queries, list(islice(hits, len(queries.fingerprints))))
    ]


def _queries(unit: SearchUnit, worker: PrivateKey, searcher: Searcher) -> _Queries | None:
    """Open what a unit's request is searched by; None when its keys are gone."""
    request = unit.request
    try:
        key = unwrap(request.pk, Purpose.PRINT, Recipient.WORKER, worker)
        pairs = [*_photo_queries(request, key, searcher), *_url_queries(request, key, searcher)]
    except (NotReadable, KeyShredded):
        _unit_put_back(unit, unit.lease_token, "key_gone")
        return None
    return _Queries(tuple(n for n, _ in pairs), tuple(query for _, query in pairs))


def _photo_queries(
    request: RemovalRequest, key: PrivateKey, searcher: Searcher
) -> "list[tuple[int, Fingerprint]]":
    return [
        (photo.n, searcher.fingerprint_read(key.open(photo.fingerprint_sealed, place)))
        for photo in request.photos.all()
        if photo.fingerprint_sealed
        for place in [Place(request.pk, Purpose.PRINT, content.fingerprint_item(photo.pk))]
    ]


def _url_queries(
    request: RemovalRequest, key: PrivateKey, searcher: Searcher
) -> "list[tuple[int, Fingerprint]]":
    place = Place(request.pk, Purpose.PRINT, content.LINKS)
    urls = json.loads(key.open(request.links_sealed, place))
    return [(-n, searcher.fingerprint_url(url)) for n, url in enumerate(urls, start=1)]


def _unit_done(
    unit: SearchUnit, token: uuid.UUID, queries: _Queries, hits: "list[GroupHits]"
) -> bool:
    """Hand in a unit's evidence, if the lease still holds."""
    packed = content.hits_pack(
        (n, found.to_bytes()) for n, found in zip(queries.numbers, hits, strict=True)
    )
    item = content.hits_item(unit.group_id)
    return bool(
        SearchUnit.objects.filter(pk=unit.pk, lease_token=token).update(
            state=SearchUnit.State.DONE,
            error="",
            searched_on=today(),
            hits_sealed=seal(unit.request_id, Purpose.PRINT, item, packed),
            lease_token=None,
            lease_until=None,
        )
    )


def _unit_put_back(unit: SearchUnit, token: uuid.UUID | None, error: str) -> None:
    """Put a unit back for another try, after a pause."""
    SearchUnit.objects.filter(pk=unit.pk, lease_token=token).update(
        state=SearchUnit.State.FAILED,
        error=error,
        lease_token=None,
        lease_until=timezone.now() + _PAUSE,
    )
