"""The first step of a search: a request's photos become fingerprints, and the groups its units.

A fingerprint is made by every encoder that a covered group was indexed by. Where a group is
indexed anew by another while a request is being searched, its photos are fingerprinted once more,
as long as the worker can open them, and its search there goes on.
"""

import logging
import uuid
from dataclasses import dataclass
from functools import partial
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from catalog.models import Group
from catalog.selectors import datasets_pictured, groups_covered, groups_encoders
from indexer.decode import ImageRefused
from removal import audit
from removal.custody import blobs, content
from removal.custody.sealing import NotReadable, Place, role_key, seal, unwrap
from removal.custody.shred import KeyShredded
from removal.lifecycle import TransitionRefused, step_taken
from removal.models import Photo, Purpose, Recipient, RemovalRequest, SearchUnit, State
from removal.search.leases import lease_claim, lease_free, lease_kept, lease_renew
from removal.search.searching import CatalogSearcher, Searcher

UNREADABLE: Final = "unreadable"
_PERSON: Final = SearchUnit.Priority.PERSON

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a request is to be searched in, and what that takes."""

    groups: tuple[Group, ...]
    encoders: list[str]
    priority: SearchUnit.Priority


def request_fingerprint(
    request_id: str | uuid.UUID,
    *,
    searcher: Searcher | None = None,
    priority: SearchUnit.Priority = _PERSON,
) -> list[int]:
    """Fingerprint a received request and make its search units; return the groups to search.

    A request that is being searched is fingerprinted once more where a group turned out to be
    indexed by an encoder that its photos lack; its searches there then go on.

    Returns nothing where there is nothing to do: no group was ever ready, the request was
    fingerprinted before, somebody else is at it, or it was withdrawn meanwhile.

    Raises:
        DecoderUnavailable: the machine's fault, so nothing is noted of any photo: the request is
            fingerprinted again once its lease has run out.
    """
    request_id = uuid.UUID(str(request_id))
    token = _request_claim(request_id)
    if token is None:
        return []
    plan = _Plan(tuple(groups_covered()), groups_encoders(groups_covered()), priority)
    leased = RemovalRequest.objects.filter(pk=request_id, lease_token=token)
    try:
        with lease_kept(partial(lease_renew, leased)):
            photos = _photos_fingerprinted(request_id, plan.encoders, searcher or CatalogSearcher())
        if leased.filter(state=State.SEARCHING).exists():
            return _fingerprinted_again(request_id, token, photos, plan)
        return _search_begun(request_id, token, photos, plan)
    except (NotReadable, KeyShredded, TransitionRefused):
        log.info("request %s: withdrawn or taken over while it was fingerprinted", request_id)
        return []


def _request_claim(request_id: uuid.UUID) -> uuid.UUID | None:
    token = uuid.uuid4()
    found = to_fingerprint().filter(pk=request_id).exists()
    # No join here, for the reason that `draining` gives.
    free = RemovalRequest.objects.filter(
        lease_free(), pk=request_id, state__in=(State.RECEIVED, State.SEARCHING)
    )
    return token if found and lease_claim(free, token) else None


def to_fingerprint() -> QuerySet[RemovalRequest]:
    """Return the requests to fingerprint now: new ones, and those that lack an encoder."""
    lacking = SearchUnit.objects.filter(
        lease_free(),
        request=OuterRef("pk"),
        state=SearchUnit.State.FAILED,
        error=SearchUnit.Fault.ENCODER_MISSING,
    )
    new = Q(Exists(groups_covered()), state=State.RECEIVED)
    return RemovalRequest.objects.filter(
        new | Q(Exists(lacking), state=State.SEARCHING),
        lease_free(),
        photos_deleted_on__isnull=True,
    )


def _photos_fingerprinted(
    request_id: uuid.UUID, encoders: list[str], searcher: Searcher
) -> list[Photo]:
    """Return the photos with fingerprint, probe and flags set, not yet saved."""
    key = unwrap(request_id, Purpose.PHOTO, Recipient.WORKER, role_key(Recipient.WORKER))
    pictured = bool(datasets_pictured())
    photos = list(Photo.objects.filter(request_id=request_id))
    for photo in photos:
        place = Place(request_id, Purpose.PHOTO, content.photo_item(photo.pk))
        try:
            data = key.open(blobs.blob_read(photo.blob), place)
            fingerprint = searcher.fingerprint_photo(data, encoders)
            probe = searcher.photo_probe(data) if pictured else b""
        except (ImageRefused, blobs.BlobGone) as error:
            log.warning("request %s: a photo cannot be read: %s", request_id, type(error).__name__)
            photo.flags = [UNREADABLE]
            continue
        # What was searched without it stays so, though it can be read by now.
        unread = [flag for flag in photo.flags if flag == UNREADABLE]
        photo.flags = [*fingerprint.flags, *unread]
        item = content.fingerprint_item(photo.pk)
        photo.fingerprint_sealed = seal(request_id, Purpose.PRINT, item, fingerprint.to_bytes())
        if probe:
            item = content.probe_item(photo.pk)
            photo.probe_sealed = seal(request_id, Purpose.PHOTO, item, probe)
    return photos


def _search_begun(
    request_id: uuid.UUID, token: uuid.UUID, photos: list[Photo], plan: _Plan
) -> list[int]:
    with step_taken(
        request_id,
        "search_begun",
        State.SEARCHING,
        actor=audit.WORKER,
        detail={"groups": len(plan.groups)},
        where={"lease_token": token},
        changes={"lease_token": None, "lease_until": None, "encoders": plan.encoders},
    ):
        _photos_save(photos)
        SearchUnit.objects.bulk_create(
            [
                SearchUnit(request_id=request_id, group=group, priority=plan.priority)
                for group in plan.groups
            ]
        )
    return [group.pk for group in plan.groups]


def _fingerprinted_again(
    request_id: uuid.UUID, token: uuid.UUID, photos: list[Photo], plan: _Plan
) -> list[int]:
    """Save the new fingerprints and let go on the units that lacked them."""
    leased = RemovalRequest.objects.filter(pk=request_id, lease_token=token, state=State.SEARCHING)
    lacking = SearchUnit.objects.filter(
        request_id=request_id, error=SearchUnit.Fault.ENCODER_MISSING
    )
    with transaction.atomic():
        if not leased.update(lease_token=None, lease_until=None, encoders=plan.encoders):
            return []
        _photos_save(photos)
        groups = list(lacking.filter(group__isnull=False).values_list("group", flat=True))
        lacking.update(state=SearchUnit.State.PENDING, error="", lease_until=None)
    return [group for group in groups if group]


def _photos_save(photos: list[Photo]) -> None:
    Photo.objects.bulk_update(photos, ["flags", "fingerprint_sealed", "probe_sealed"])
