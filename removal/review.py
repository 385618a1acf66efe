"""What people do to a request: maintainers decide, extend and look; the subject withdraws.

Each is one step of `lifecycle` or one conditional UPDATE, with its audit entry in the same
transaction. Nothing is decided twice: who comes second gets `AlreadyDecided` and changes nothing.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction

from catalog.pictures import row_picture
from indexer.decode import ImageRefused, decode, thumbnail
from removal import audit, content, retention
from removal.content import FoundRow, row_opened
from removal.lifecycle import OPEN, TransitionRefused, months_added, step_taken
from removal.models import (
    Candidate,
    Kind,
    Purpose,
    RemovalRequest,
    SearchUnit,
    State,
    Verdict,
    today,
)
from removal.reasons import DENIAL_REASONS
from removal.sealing import PrivateKey, seal
from removal.selectors.desk import (
    SHOWN_SIDE,
    RequestGone,
    request_found,
    review_photo,
    reviewer_key,
)
from removal.selectors.subject import ApprovedRow, OpenedRequest, row_approved
from removal.signals import rows_approved

TIERS: Final = ("exact",)
STATEMENT_MAX: Final = 4000
REASON_MAX: Final = 1000
_EXTENSION_MONTHS: Final = 3  # from receipt: one month, and two more (GDPR Art. 12(3))


class AlreadyDecided(Exception):
    """Someone decided, or the subject withdrew, in the meantime."""

    def __init__(self) -> None:
        super().__init__(
            "This request is not waiting for a decision any more: somebody decided it or the "
            "subject withdrew it. Load it again to see."
        )


class DecisionInvalid(ValueError):
    """The decision or extension lacks something or contradicts itself; nothing was changed."""


@dataclass(frozen=True, slots=True)
class _Decision:
    """A decision that was found consistent."""

    outcome: State
    approved: tuple[tuple[Candidate, FoundRow], ...]
    reason: str
    statement: str
    tier: str


def request_decide(
    *,
    request_id: uuid.UUID,
    reviewer: User,
    approve: Collection[uuid.UUID],
    deny_reason: str | None,
    statement: str,
    tier: str | None,
) -> str:
    """Decide a request and return its new state.

    It is approved when every exact and copy row is approved (look-alikes left out do not count
    against it), denied when no row is, partly approved otherwise.

    Args:
        request_id: which.
        reviewer: who decides.
        approve: ids of the candidates to remove.
        deny_reason: a key of `DENIAL_REASONS`, when rows stay.
        statement: words to the subject, sealed; may be empty.
        tier: how approved rows are listed; no default.

    Raises:
        AlreadyDecided: it is not in review (any more).
        DecisionInvalid: a sentence says what to mend.
        RequestGone: there is no such request, or its case was deleted.
    """
    request = request_found(request_id)
    if request.state != State.IN_REVIEW:
        raise AlreadyDecided
    case = _case_key(request)
    decision = _decision(
        request,
        set(approve),
        case=case,
        reason=deny_reason or "",
        statement=statement.strip(),
        tier=tier or "",
    )
    try:
        with step_taken(
            request_id,
            "decided",
            decision.outcome,
            actor=audit.staff(reviewer.pk),
            detail={
                "reason": decision.reason or None,
                "tier": decision.tier or None,
                "approved": len(decision.approved),
            },
            changes=_changes(request, decision),
        ):
            _verdicts_set(request_id, decision)
    except TransitionRefused:
        raise AlreadyDecided from None
    return decision.outcome.value


def request_extend(*, request_id: uuid.UUID, reviewer: User, reason: str) -> None:
    """Extend the clock by two months: once, before the due date, with a reason to the subject.

    Raises:
        DecisionInvalid: no reason, extended before, too late, or the request is not open.
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
            due_on__gt=day,
        ).update(
            extended_on=day,
            due_on=months_added(request.received_on, _EXTENSION_MONTHS),
            extension_sealed=_sealed(request_id, content.EXTENSION, reason),
        )
        if not extended:
            raise DecisionInvalid(
                "The clock can be extended once, before the first due date, while the request is "
                "open. One of these does not hold any more."
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
            "outcome": State.WITHDRAWN.value,
            "closed_on": day,
            "photos_delete_on": day,
            "lease_token": None,
            "lease_until": None,
        },
    ):
        SearchUnit.objects.filter(request_id=opened.request_id).update(lease_token=None)
        # Destroying comes after the commit: a withdrawal that loses a race destroys nothing.
        # Should the process die in between, retention finds the photos due.
        transaction.on_commit(lambda: retention.photos_destroy(opened.request_id), robust=True)
    return State.WITHDRAWN.value


def request_release(*, request_id: uuid.UUID, release: int) -> None:
    """Note that a published release carries the approved rows; safe to call again.

    Raises:
        TransitionRefused: the request was never approved.
        RequestGone: there is no such request.
    """
    request = request_found(request_id)
    if release in request.released_in:
        return
    with step_taken(
        request_id,
        "released",
        State.RELEASED,
        actor=audit.RELEASE,
        detail={"release": release},
        changes={"closed_on": today(), "released_in": [*request.released_in, release]},
    ):
        pass


def photo_reveal(*, photo_id: uuid.UUID, reviewer: User) -> bytes:
    """Note that a maintainer looks at a photo, and return it as JPEG.

    Raises:
        RequestGone: there is no such photo, or it was deleted.
    """
    picture = review_photo(photo_id=photo_id, reviewer=reviewer)
    request = RemovalRequest.objects.get(photos=photo_id)
    _reveal_noted(request, reviewer, "photo_revealed")
    return picture


def candidate_reveal(*, candidate_id: uuid.UUID, reviewer: User) -> bytes | None:
    """Note that a maintainer looks at a row's picture, and return it as JPEG.

    None where the dataset holds no picture of the row, or its shard changed.

    Raises:
        RequestGone: there is no such candidate, or the case was deleted.
    """
    candidate = Candidate.objects.select_related("request").filter(pk=candidate_id).first()
    if candidate is None:
        raise RequestGone("There is no such row: its request may have been closed and deleted.")
    row = row_opened(candidate, _case_key(candidate.request))
    picture = row_picture(row.dataset, row.shard, row.key, row.index, row.offset)
    if picture is None:
        return None
    try:
        shown = thumbnail(decode(picture), SHOWN_SIDE)
    except ImageRefused:
        return None
    _reveal_noted(candidate.request, reviewer, "row_revealed")
    return shown


def _reveal_noted(request: RemovalRequest, reviewer: User, act: str) -> None:
    with transaction.atomic():
        audit.audit_append(act=act, actor=audit.staff(reviewer.pk), tag=audit.subject_tag(request))


def _case_key(request: RemovalRequest) -> PrivateKey:
    case = reviewer_key(request, Purpose.CASE)
    if case is None:
        raise RequestGone("What was found for this request is deleted.")
    return case


def _decision(
    request: RemovalRequest,
    chosen: set[uuid.UUID],
    *,
    case: PrivateKey,
    reason: str,
    statement: str,
    tier: str,
) -> _Decision:
    candidates = {candidate.pk: candidate for candidate in request.candidates.all()}
    if not chosen <= candidates.keys():
        raise DecisionInvalid("A chosen row does not belong to this request: load it again.")
    if len(statement) > STATEMENT_MAX:
        raise DecisionInvalid(f"Shorten the statement to {STATEMENT_MAX:,} characters.")
    outcome = _outcome(candidates, chosen)
    _reason_check(outcome, reason)
    if chosen and tier not in TIERS:
        raise DecisionInvalid(f"Choose how the rows are listed: {', '.join(TIERS)}.")
    approved = tuple((candidates[pk], row_opened(candidates[pk], case)) for pk in chosen)
    for _, row in approved:
        if not (row.url or row.sha256 or row.md5):
            raise DecisionInvalid(
                "A chosen row has neither a URL nor a recorded digest, so no list can name it: "
                "leave it out, and have it removed from the dataset by hand."
            )
    return _Decision(outcome, approved, reason, statement, tier if chosen else "")


def _changes(request: RemovalRequest, decision: _Decision) -> dict[str, object]:
    """Return the fields that a decision sets."""
    day = today()
    return {
        "outcome": decision.outcome.value,
        "reason": decision.reason,
        "tier": decision.tier,
        "decided_on": day,
        "closed_on": day if decision.outcome == State.DENIED else None,
        "photos_delete_on": retention.photos_delete_on(request, decided_on=day),
        "statement_sealed": _sealed(request.pk, content.STATEMENT, decision.statement),
    }


def _outcome(candidates: dict[uuid.UUID, Candidate], chosen: set[uuid.UUID]) -> State:
    if not chosen:
        return State.DENIED
    own = {pk for pk, candidate in candidates.items() if candidate.kind != Kind.SIMILAR}
    return State.APPROVED if own <= chosen else State.PARTLY_APPROVED


def _reason_check(outcome: State, reason: str) -> None:
    if outcome == State.APPROVED and reason:
        raise DecisionInvalid(
            "Every exact and copy row is chosen, so nothing is refused: leave the reason empty."
        )
    if outcome != State.APPROVED and reason not in DENIAL_REASONS:
        raise DecisionInvalid(
            f"Rows that stay need a reason: choose one of {', '.join(DENIAL_REASONS)}."
        )


def _verdicts_set(request_id: uuid.UUID, decision: _Decision) -> None:
    chosen = [candidate.pk for candidate, _ in decision.approved]
    candidates = Candidate.objects.filter(request_id=request_id)
    candidates.filter(pk__in=chosen).update(verdict=Verdict.APPROVED)
    candidates.exclude(pk__in=chosen).update(verdict=Verdict.DENIED)
    if chosen:
        rows: list[ApprovedRow] = [row_approved(row) for _, row in decision.approved]
        rows_approved.send(sender=RemovalRequest, rows=rows, tier=decision.tier, on=today())


def _sealed(request_id: uuid.UUID, item: str, words: str) -> bytes:
    return seal(request_id, Purpose.CASE, item, words.encode()) if words else b""
