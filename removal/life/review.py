"""What is done to an open request: its clock extended, its photos deleted, itself withdrawn.

Each is one step of `lifecycle` or one conditional UPDATE, with its audit entry in the same
transaction. Deciding is in `deciding`, looking in `reveals`, what follows a release in `closing`,
and what the two sides say to each other in `messages`, `questions` and `appeals`.
"""

import uuid
from contextlib import suppress
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from removal import audit
from removal.custody import content
from removal.custody.sealing import seal
from removal.life.destroying import photos_destroy
from removal.life.listable import DecisionInvalid
from removal.lifecycle import OPEN, TransitionRefused, months_added, outcome_kept, step_taken
from removal.models import Photo, Purpose, RemovalRequest, SearchUnit, State, today
from removal.selectors.desk import request_found
from removal.selectors.subject import OpenedRequest

REASON_MAX: Final = 1000
_EXTENSION_MONTHS: Final = 3  # from receipt: one month, and two more (GDPR Art. 12(3))


def request_extend(*, request_id: uuid.UUID, reviewer: User, reason: str) -> None:
    """Extend the clock by two months: once, before the due date, with a reason to the subject.

    The month of an appeal is not extended.

    Raises:
        DecisionInvalid: no reason, extended before, too late, appealed, or the request is not open.
        RequestGone: there is no such request.
    """
    reason = reason.strip()
    if not reason or len(reason) > REASON_MAX:
        raise DecisionInvalid(
            f"An extension needs a reason of at most {REASON_MAX:,} characters for the subject."
        )
    request, day = request_found(request_id), today()
    with transaction.atomic():
        extended = RemovalRequest.objects.filter(
            pk=request_id,
            state__in=OPEN,
            extended_on__isnull=True,
            appealed_on__isnull=True,
            due_on__gt=day,
        ).update(
            extended_on=day,
            due_on=months_added(request.received_on, _EXTENSION_MONTHS),
            extension_sealed=seal(request_id, Purpose.CASE, content.EXTENSION, reason.encode()),
        )
        if not extended:
            raise DecisionInvalid(
                "The clock can be extended once, before the first due date, while the request is "
                "open and not appealed. One of these does not hold any more."
            )
        audit.audit_append(
            act="extended", actor=audit.staff(reviewer.pk), tag=audit.subject_tag(request)
        )


def request_withdraw(*, opened: OpenedRequest) -> str:
    """Withdraw an open request at the subject's wish, and destroy the photos at once.

    Raises:
        TransitionRefused: it was decided or closed before.
    """
    day = today()
    with step_taken(
        opened.request_id,
        "withdrawn",
        State.WITHDRAWN,
        actor=audit.SUBJECT,
        changes={
            "outcome": outcome_kept(State.WITHDRAWN),
            "closed_on": day,
            "answer_due_on": None,
            "photos_delete_on": day,
            "lease_token": None,
            "lease_until": None,
        },
    ):
        SearchUnit.objects.filter(request_id=opened.request_id).update(lease_token=None)
        # Destroying comes after the commit: a withdrawal that loses a race destroys nothing.
        # Should the process die in between, retention finds the photos due.
        transaction.on_commit(lambda: photos_destroy(opened.request_id), robust=True)
    return State.WITHDRAWN.value


def photos_delete_now(*, opened: OpenedRequest) -> None:
    """Destroy the photos and fingerprints of a request at the subject's click.

    They are marked as due first: should the process die in between, retention completes it. Where
    the search is not over, it can only be given up, and a maintainer tells the subject.

    Raises:
        TransitionRefused: no photo was sent, or they are deleted already.
    """
    held = Photo.objects.filter(request=OuterRef("pk"), state=Photo.State.HELD)
    with transaction.atomic():
        asked = RemovalRequest.objects.filter(
            Exists(held), pk=opened.request_id, photos_deleted_on__isnull=True
        ).update(photos_delete_on=today())
        if not asked:
            raise TransitionRefused(
                "photos_deleted", _("We hold no photo of this request: there is nothing to delete.")
            )
        request = RemovalRequest.objects.get(pk=opened.request_id)
        audit.audit_append(
            act="photos_delete_asked", actor=audit.SUBJECT, tag=audit.subject_tag(request)
        )
    photos_destroy(opened.request_id)
    with suppress(TransitionRefused):  # where the search is over, nothing is given up
        _search_given_up(opened.request_id)


def _search_given_up(request_id: uuid.UUID) -> None:
    with step_taken(request_id, "search_given_up", State.IN_REVIEW, actor=audit.SUBJECT):
        SearchUnit.objects.filter(request_id=request_id).update(lease_token=None)
