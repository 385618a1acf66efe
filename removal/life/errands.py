"""Errands: asked by maintainers or by the service, done by workers, ended once.

What is asked is sealed to the errand's own key. When the errand ends, the worker's wrap is
destroyed first, then the order and what the units found: after that only the result is left, under
the key of those whom it is for.
"""

import datetime as dt
import uuid
from collections.abc import Collection
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from removal import audit
from removal.custody import content, shred
from removal.custody.keys import errand_keys_make
from removal.custody.sealing import Place, seal_to
from removal.models import (
    Candidate,
    DataKey,
    Errand,
    ErrandKind,
    ErrandState,
    Purpose,
    Recipient,
    RemovalRequest,
    Wrap,
)

ERRAND_OPEN: Final = (ErrandState.ASKED, ErrandState.SEARCHING)
DAYS_MOST: Final = 14
"""An errand that no worker could do in this time is given up."""
TOO_OLD: Final = "too_old"
PARTIAL: Final = "partial"
"""What is noted of one that was done without all that was asked."""


def errand_ask(
    kind: ErrandKind,
    *,
    order: bytes,
    request: RemovalRequest | None = None,
    candidate: Candidate | None = None,
    asked_by: User | None = None,
    reviewers: bool = False,
) -> Errand:
    """Store an errand; the caller audits it and sends workers a hint.

    Args:
        kind: what for.
        order: what is asked, sealed to the errand's key at `content.ORDER`.
        request: whose rows it is about.
        candidate: the row whose picture is fetched.
        asked_by: None where the service asks by itself.
        reviewers: whether reviewers can open the errand's key too: what comes of it lies under it.

    Raises:
        IntegrityError: the same is asked already and has not ended; keys on the disk that no row
            names are destroyed by retention.
    """
    errand = Errand(
        kind=kind,
        request=request,
        candidate=candidate,
        asked_by=asked_by,
        asked_at=timezone.now(),
    )
    readers = (Recipient.WORKER, *((Recipient.REVIEWER,) if reviewers else ()))
    keys = errand_keys_make(errand.pk, readers)
    place = Place(errand.pk, Purpose.ERRAND, content.ORDER)
    errand.order_sealed = seal_to(keys.public(Purpose.ERRAND), order, place)
    with transaction.atomic():
        errand.save(force_insert=True)
        DataKey.objects.bulk_create(keys.keys)
        Wrap.objects.bulk_create(keys.wraps)
    return errand


def errand_end(errand_id: uuid.UUID, state: ErrandState, *, fault: str = "") -> bool:
    """End an open errand: the worker's key goes first; tell whether this call ended it."""
    with transaction.atomic():
        request_of_errand_locked(errand_id)
        open_one = Errand.objects.filter(pk=errand_id, state__in=ERRAND_OPEN)
        ended = open_one.update(
            state=state,
            fault=fault,
            ended_at=timezone.now(),
            order_sealed=b"",
            lease_token=None,
            lease_until=None,
        )
        if not ended:
            return False
        keys_forget([errand_id], Recipient.WORKER)
        Errand.objects.get(pk=errand_id).units.all().delete()
    return True


def request_of_errand_locked(errand_id: uuid.UUID) -> None:
    """Lock the row of an errand's request, which always comes first, so that no two lock crosswise.

    A sweep is about no request: nothing is locked.
    """
    owner = Errand.objects.filter(pk=errand_id).values("request")
    RemovalRequest.objects.select_for_update().filter(pk__in=owner).first()


def keys_forget(errands: Collection[uuid.UUID], *recipients: Recipient) -> None:
    """Destroy the wraps of errands for some recipients: the shred keys, then the rows."""
    wraps = Wrap.objects.filter(key__errand__in=errands, recipient__in=recipients)
    names = list(wraps.select_for_update().values_list("shred", flat=True))
    shred.keys_destroy(names)
    Wrap.objects.filter(shred__in=names).delete()


def errands_give_up() -> int:
    """End the errands that no worker could do for so long; return how many there were."""
    before = timezone.now() - dt.timedelta(days=DAYS_MOST)
    late = Errand.objects.filter(state__in=ERRAND_OPEN, asked_at__lt=before)
    return sum(_given_up(errand) for errand in list(late.select_related("request")))


def _given_up(errand: Errand) -> bool:
    with transaction.atomic():
        if not errand_end(errand.pk, ErrandState.FAILED, fault=TOO_OLD):
            return False
        tag = audit.subject_tag(errand.request) if errand.request else b""
        detail = {"kind": errand.kind}
        audit.audit_append(act="errand_given_up", actor=audit.RETENTION, tag=tag, detail=detail)
    return True
