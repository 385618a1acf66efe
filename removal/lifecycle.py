"""The steps that a request can take, and the one way to take them.

`STEPS` is the whole of a request's life. `step_taken` is the only code that changes a state: one
conditional UPDATE whose row count says who came first, then what belongs to the step, then the
audit entry, all in one transaction. A race is lost with `TransitionRefused`, and nothing of the
loser stays.
"""

import calendar
import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.db.models import Case, F, Value, When
from django.utils.translation import gettext as _

from removal.audit import audit_append, subject_tag
from removal.models import RemovalRequest, State, today

OPEN: Final = frozenset({State.RECEIVED, State.SEARCHING, State.IN_REVIEW, State.NEEDS_INFO})
CLOSED: Final = frozenset(
    {State.NO_MATCH, State.DENIED, State.RELEASED, State.WITHDRAWN, State.EXPIRED}
)
LISTED_MEANWHILE: Final = frozenset(
    {State.IN_REVIEW, State.NEEDS_INFO, State.WITHDRAWN, State.EXPIRED}
)
"""States in which a request may have rows on a list from a decision before its appeal."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step: from any of `sources` to any of `targets`."""

    sources: frozenset[State]
    targets: frozenset[State]


def _step(sources: set[State] | frozenset[State], *targets: State) -> Step:
    return Step(frozenset(sources), frozenset(targets))


STEPS: Final[Mapping[str, Step]] = {
    "search_begun": _step({State.RECEIVED}, State.SEARCHING),
    # Its photos had to go before every group had answered: a maintainer tells the subject.
    "search_given_up": _step({State.RECEIVED, State.SEARCHING}, State.IN_REVIEW),
    "search_concluded": _step({State.SEARCHING}, State.IN_REVIEW, State.NO_MATCH),
    "question_put": _step({State.IN_REVIEW}, State.NEEDS_INFO),
    "question_answered": _step({State.NEEDS_INFO}, State.IN_REVIEW),
    "expired": _step({State.NEEDS_INFO}, State.EXPIRED),
    "decided": _step({State.IN_REVIEW}, State.APPROVED, State.PARTLY_APPROVED, State.DENIED),
    "released": _step({State.APPROVED, State.PARTLY_APPROVED}, State.RELEASED),
    # Copies of approved rows, found after the decision: docs/adr/0022. `spreading` sees to it.
    "duplicates_approved": _step(
        {State.APPROVED, State.PARTLY_APPROVED, State.RELEASED},
        State.APPROVED,
        State.PARTLY_APPROVED,
    ),
    "withdrawn": _step(OPEN, State.WITHDRAWN),
    # From `released` only where the decision approved a part: docs/adr/0011. `appeals` sees to it.
    "appealed": _step(
        {State.DENIED, State.NO_MATCH, State.PARTLY_APPROVED, State.RELEASED}, State.IN_REVIEW
    ),
}


class TransitionRefused(Exception):
    """The request stands where this step cannot be taken (or someone else took one first).

    Attributes:
        step: the key of `STEPS`, or the act, that was refused.
    """

    def __init__(self, step: str, sentence: str = "") -> None:
        self.step = step
        super().__init__(
            sentence
            or _(
                "This cannot be done any more: the state of the request has changed. "
                "Load the page again to see where the request stands."
            )
        )


@contextmanager
def step_taken(
    request_id: uuid.UUID,
    step: str,
    to: State,
    *,
    actor: str,
    detail: Mapping[str, Any] | None = None,
    where: Mapping[str, Any] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Iterator[RemovalRequest]:
    """Take a step; the body does what belongs to it, in the same transaction.

    Args:
        request_id: whose step.
        step: a key of `STEPS`.
        to: the new state.
        actor: who takes it, as `audit` names actors.
        detail: for the audit entry; the new state is added.
        where: further conditions, such as a lease that must still be held.
        changes: other fields to set in the same UPDATE.

    Raises:
        TransitionRefused: the request is not in a state that the step leaves from.
    """
    allowed = STEPS[step]
    if to not in allowed.targets:
        raise ValueError(f"The step {step} does not lead to {to}.")
    with transaction.atomic():
        taken = RemovalRequest.objects.filter(
            pk=request_id, state__in=allowed.sources, **(where or {})
        ).update(state=to, **(changes or {}))
        if not taken:
            raise TransitionRefused(step)
        request = RemovalRequest.objects.get(pk=request_id)
        yield request
        entry = audit_append(
            act=step,
            actor=actor,
            tag=subject_tag(request),
            detail={"state": to.value, **(detail or {})},
        )
        RemovalRequest.objects.filter(pk=request_id).update(state_seq=entry.seq)


def outcome_kept(state: State) -> Case:
    """Return, for the `changes` of a step, the outcome of one that ends a request undecided.

    A request that ends during its appeal keeps the outcome of its decision.
    """
    return Case(When(outcome="", then=Value(state.value)), default=F("outcome"))


def unless_due(until: dt.date) -> Case:
    """Give photos until a day, for the same UPDATE as a step; those that are due already stay so.

    A subject's "delete my photo now" marks them as due before they are destroyed: nothing that
    happens in between may take that back.
    """
    due = When(photos_delete_on__lte=today(), then=F("photos_delete_on"))
    return Case(due, default=Value(until))


def months_added(day: dt.date, months: int) -> dt.date:
    """Return the same day of a later month, or that month's last day where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    month += 1
    return day.replace(
        year=year, month=month, day=min(day.day, calendar.monthrange(year, month)[1])
    )
