"""Who works on which request: so that two people never do the same work, and none is left lying.

A claim lasts half an hour from the last thing its holder did on the request's page, and is none
after that, whether or not its row is still there. It keeps others from deciding, not from reading.
Taking one is one conditional UPDATE, or an INSERT that a second claimant's cannot join: who comes
second is told who was first, and until when.
"""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone

from removal.lifecycle import OPEN
from removal.models import Claim
from removal.selectors.desk import RequestGone
from removal.selectors.queue import in_turn, needing, unclaimed
from removal.selectors.sight import requests_seen

CLAIM_MINUTES: Final = 30
_TRIES: Final = 10


@dataclass(frozen=True, slots=True)
class ClaimView:
    """Who works on a request."""

    request_id: uuid.UUID
    reviewer_id: int
    reviewer: str
    until: dt.datetime


class ClaimedByOther(Exception):
    """Somebody else works on the request.

    Attributes:
        claim: who, and until when.
    """

    def __init__(self, held: ClaimView) -> None:
        self.claim = held
        super().__init__(
            f"{held.reviewer} is working on this request until {held.until:%H:%M} UTC, so that "
            "nothing was changed. Take another one, or ask them to release it."
        )


def claim(*, request_id: uuid.UUID, reviewer: User) -> ClaimView:
    """Take a request, or keep one's own for another half hour.

    Raises:
        ClaimedByOther: somebody else has it.
        RequestGone: there is no open request of this id that the reviewer may see.
    """
    if not requests_seen(reviewer).filter(pk=request_id, state__in=OPEN).exists():
        raise RequestGone("There is no such open request: it was decided, or has ended.")
    now = timezone.now()
    until = now + dt.timedelta(minutes=CLAIM_MINUTES)
    free = Claim.objects.filter(Q(until__lte=now) | Q(reviewer=reviewer), request=request_id)
    if not free.update(reviewer=reviewer, until=until):
        wanted = Claim(request_id=request_id, reviewer=reviewer, until=until)
        Claim.objects.bulk_create([wanted], ignore_conflicts=True)
    claim_check(request_id=request_id, reviewer=reviewer)
    return ClaimView(request_id, reviewer.pk, reviewer.get_username(), until)


def release(*, request_id: uuid.UUID, reviewer: User) -> bool:
    """Give back one's own claim; tell whether there was one."""
    return bool(Claim.objects.filter(request=request_id, reviewer=reviewer).delete()[0])


def claim_of(request_id: uuid.UUID) -> ClaimView | None:
    """Return who works on a request now."""
    held = (
        Claim.objects.filter(request=request_id, until__gt=timezone.now())
        .values_list("request", "reviewer", "reviewer__username", "until")
        .first()
    )
    return ClaimView(*held) if held else None


def claim_check(*, request_id: uuid.UUID, reviewer: User) -> None:
    """Pass where nobody else works on a request: call it before changing anything.

    Raises:
        ClaimedByOther: somebody else does.
    """
    held = claim_of(request_id)
    if held is not None and held.reviewer_id != reviewer.pk:
        raise ClaimedByOther(held)


def next_for(reviewer: User) -> uuid.UUID | None:
    """Return the request that needs this person next and that nobody works on; None if none."""
    free = needing(reviewer).filter(unclaimed()).order_by(*in_turn())
    return free.values_list("pk", flat=True).first()


def next_take(reviewer: User) -> uuid.UUID | None:
    """Claim the next request for somebody, and return it; None where nothing waits.

    Where a colleague takes the same one in the same moment, the one after it is taken.
    """
    for _ in range(_TRIES):
        request_id = next_for(reviewer)
        if request_id is None:
            return None
        try:
            return claim(request_id=request_id, reviewer=reviewer).request_id
        except (ClaimedByOther, RequestGone):
            continue
    return None


def claims_expire() -> int:
    """Delete the claims that ran out and those of requests that are open no more."""
    over = Q(until__lte=timezone.now()) | ~Q(request__state__in=OPEN)
    return Claim.objects.filter(over).delete()[0]
