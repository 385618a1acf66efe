"""Escalation: what may be the sexual abuse of a child goes out of everybody's sight, and is kept.

One act hides the request from all but the escalation role and puts a legal hold on it: nothing of
it is destroyed, decided or listed while the hold lies on it, whatever the clock or anybody says.
The operator's written procedure says the rest. The escalation role ends the hold, and gives a
request back that was no case for it.
"""

import uuid
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from removal import audit
from removal.life.destroying import PURGING
from removal.life.effects import proposals_outrun, request_locked
from removal.models import Claim, RemovalRequest, Verdict, today
from removal.permissions import ESCALATED, REVIEW
from removal.selectors.desk import request_visible

LEAST: Final = """\
1. Do not look at the picture again, and do not show it to anybody. Do not save, send or print it.
2. Do not write to the person who sent the request, and do not tell others what it holds.
3. Tell whoever answers for this service now, in person or by telephone, that a request was
   escalated, and its number. They report it to {hotline} ({address}) or to the police, as the law
   of your country wants it, and take advice on what else it wants.
4. Keep the request as it is: the legal hold keeps photo, rows and words from being deleted. Only
   the escalation role opens it now, and only as far as the report needs it. Every look is noted.
5. Write down when you saw what and what you did. The audit log has the time of the escalation.
6. Look after yourself: stop for today, and talk to somebody you trust about how you are.
"""


class EscalationRefused(Exception):
    """It cannot be escalated, or its hold cannot be ended, as it stands; nothing was changed.

    Attributes:
        code: `no_right`, `held_before`, `gone`, `not_held` or `not_escalated`.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class Procedure:
    """What to do after an escalation; `own` where the operator wrote it."""

    text: str
    own: bool


def request_escalate(*, request_id: uuid.UUID, reviewer: User) -> int:
    """Hide a request from all but the escalation role, and put a legal hold on it.

    What was proposed about it ends. Return how many of its rows an earlier decision listed: they
    stand on the lists until somebody takes them off.

    Raises:
        EscalationRefused: one may not, it was done before, or the case is gone.
        RequestGone: there is no such request that they may see.
    """
    request_visible(request_id, reviewer)
    _right_check(reviewer, REVIEW, "Escalating a request needs the role of a reviewer.")
    with transaction.atomic():
        request, day = request_locked(request_id), today()
        there = RemovalRequest.objects.filter(pk=request_id, case_deleted_on__isnull=True)
        free = there.exclude(closed_on=PURGING).filter(held_on__isnull=True)
        if not free.update(escalated_on=day, held_on=day):
            raise _refusal(request)
        proposals_outrun(request_id, by=reviewer)
        Claim.objects.filter(request_id=request_id).delete()
        listed = request.candidates.filter(verdict=Verdict.APPROVED).count()
        _noted("escalated", request, reviewer, listed=listed)
    return listed


def hold_end(*, request_id: uuid.UUID, reviewer: User) -> None:
    """End the legal hold: from now on what is due of the request goes by its clock again.

    It stays hidden. It can be refused now, but no row of it can be listed.

    Raises:
        EscalationRefused: one may not, or no hold lies on it.
        RequestGone: there is no such request that they may see.
    """
    request_visible(request_id, reviewer)
    _right_check(reviewer, ESCALATED, "Only the escalation role ends a legal hold.")
    with transaction.atomic():
        request = request_locked(request_id)
        held = RemovalRequest.objects.filter(pk=request_id, held_on__isnull=False)
        if not held.update(held_on=None):
            raise EscalationRefused("not_held", "No legal hold lies on this request.")
        _noted("hold_ended", request, reviewer)


def escalation_return(*, request_id: uuid.UUID, reviewer: User) -> None:
    """Give a request back to the reviewers, and end its hold: it was no case for escalation.

    Raises:
        EscalationRefused: one may not, or it was not escalated.
        RequestGone: there is no such request that they may see.
    """
    request_visible(request_id, reviewer)
    _right_check(reviewer, ESCALATED, "Only the escalation role gives a request back.")
    with transaction.atomic():
        request = request_locked(request_id)
        hidden = RemovalRequest.objects.filter(pk=request_id, escalated_on__isnull=False)
        if not hidden.update(held_on=None, escalated_on=None):
            raise EscalationRefused("not_escalated", "This request is not escalated.")
        proposals_outrun(request_id, by=reviewer)
        _noted("escalation_returned", request, reviewer)


def escalation_procedure() -> Procedure:
    """Return what to do after an escalation, as the operator wrote it, else the least there is."""
    path = settings.UNLIST.escalation_procedure
    if path is not None:
        return Procedure(path.read_text("utf-8").strip(), own=True)
    unlist = settings.UNLIST
    least = LEAST.format(hotline=unlist.hotline_name, address=unlist.hotline_url)
    return Procedure(least.strip(), own=False)


def _refusal(request: RemovalRequest) -> EscalationRefused:
    if request.held_on is not None:
        return EscalationRefused("held_before", "This request was escalated and is held already.")
    return EscalationRefused(
        "gone", "What was sent and found for this request is deleted: there is nothing to keep."
    )


def _right_check(reviewer: User, right: str, sentence: str) -> None:
    if not reviewer.has_perm(right):
        raise EscalationRefused("no_right", sentence)


def _noted(act: str, request: RemovalRequest, reviewer: User, **detail: int) -> None:
    tag = audit.subject_tag(request)
    audit.audit_append(act=act, actor=audit.staff(reviewer.pk), tag=tag, detail=detail)
