"""How an approved request ends: a release carries its rows, and their proofs are kept for it.

A request is told of its release once. Where its subject had appealed meanwhile (or ended the
request), its state stays as it is and the number alone is noted, so that the appeal delays no
proof. The proofs are made by `releases`, from the public files; here they are sealed to the
subject under `proof`, while the rows they are made from can still be read. Then the case may go.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any, Final

from django.db import transaction

from removal import audit
from removal.custody import content
from removal.custody.sealing import seal
from removal.lifecycle import LISTED_MEANWHILE, TransitionRefused, step_taken
from removal.models import Purpose, RemovalRequest, State, today
from removal.selectors.desk import request_found
from removal.selectors.duplicates import copies_unreleased
from removal.selectors.proofs import proofs_waiting
from removal.signals import case_ending

STAFF: Final = "staff"
"""The staff role's own process, no member of staff: the author of `proofs_kept`."""
PROOFS_WAIT_DAYS: Final = 2


def request_release(*, request_id: uuid.UUID, release: int, up_to_seq: int | None = None) -> None:
    """Note that a published release carries the approved rows; safe to call again.

    Args:
        request_id: whose rows.
        release: its number.
        up_to_seq: the audit entry up to which it carries what was approved, where that is known.

    Raises:
        TransitionRefused: the request was never approved, or has gone on since that entry.
        RequestGone: there is no such request.
    """
    request = request_found(request_id)
    if release in request.released_in:
        return
    # What a release before this one proved is proven anew, together with what is new.
    numbers = [*request.released_in, release]
    told: dict[str, Any] = {"released_in": numbers, "proof_sealed": b""}
    before: dict[str, Any] = {"released_in": request.released_in}
    if up_to_seq is not None:
        before["state_seq__lte"] = up_to_seq
    if request.state in LISTED_MEANWHILE:
        _release_noted(request, release, where=before, changes=told)
        return
    with step_taken(
        request_id,
        "released",
        State.RELEASED,
        actor=audit.RELEASE,
        detail={"release": release},
        where=before,
        changes={**told, "closed_on": today()},
    ):
        copies_unreleased(request).update(unreleased=False)


def _release_noted(
    request: RemovalRequest, release: int, *, where: dict[str, Any], changes: dict[str, Any]
) -> None:
    with transaction.atomic():
        listed = RemovalRequest.objects.filter(pk=request.pk, state__in=LISTED_MEANWHILE, **where)
        if not listed.exclude(tier="").update(**changes):
            raise TransitionRefused("released")
        copies_unreleased(request).update(unreleased=False)
        audit.audit_append(
            act="release_noted",
            actor=audit.RELEASE,
            tag=audit.subject_tag(request),
            detail={"release": release},
        )


def case_may_end(request_id: uuid.UUID) -> bool:
    """Have the proofs of a closed request kept if they are not; tell whether its case may go.

    A process of the staff role keeps them soon after closing (`releases.proofs`), long before the
    case is due. This is the last call. Proofs that nobody can make do not hold the case up beyond
    `PROOFS_WAIT_DAYS` after closing: the clock that the subject was told goes first.
    """
    case_ending.send_robust(sender=RemovalRequest, request_id=request_id)
    last = today() - dt.timedelta(days=PROOFS_WAIT_DAYS)
    return not proofs_waiting().filter(pk=request_id, closed_on__gt=last).exists()


def proofs_keep(*, request_id: uuid.UUID, proofs: bytes, released_in: Sequence[int]) -> bool:
    """Seal the proofs of a closed request to its subject; tell whether this call did it.

    Nothing is done where they are there already, where the case is gone, or where another release
    than those of `released_in` was told meanwhile.
    """
    with transaction.atomic():
        due = proofs_waiting().filter(pk=request_id, released_in=list(released_in))
        request = due.select_for_update().first()
        if request is None:
            return False
        due.update(proof_sealed=seal(request_id, Purpose.PROOF, content.PROOFS, proofs))
        audit.audit_append(act="proofs_kept", actor=STAFF, tag=audit.subject_tag(request))
    return True
