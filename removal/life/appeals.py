"""The one appeal: a subject who disagrees has their request looked at again.

It is open for `APPEAL_DAYS` days after the decision, from `denied`, `no_match` and
`partly_approved`, the last also once its approved rows are in a release (docs/adr/0011). The
request goes back to review with a clock of its own: one calendar month from the appeal, which
cannot be extended. What was approved stays approved, listed and proven; photos that were deleted
meanwhile stay deleted; the clocks of retention begin anew with the new decision.
"""

import datetime as dt
from typing import Final

from django.conf import settings
from django.utils.translation import gettext as _

from removal import audit
from removal.custody import content
from removal.custody.sealing import seal
from removal.life.plaintext import WordsInvalid, plain_text
from removal.lifecycle import STEPS, TransitionRefused, months_added, step_taken, unless_due
from removal.models import Purpose, RemovalRequest, State, today
from removal.selectors.subject import OpenedRequest

APPEAL_DAYS: Final = 14
APPEAL_MAX: Final = 4000
_MONTHS: Final = 1
_OUTCOMES: Final = (State.DENIED, State.NO_MATCH, State.PARTLY_APPROVED)


class AppealInvalid(WordsInvalid):
    """The appeal has no words, or too many; nothing was kept."""


class AppealRefused(TransitionRefused):
    """There is nothing to appeal, or it is too late, or it was done before.

    Attributes:
        code: `appealed_before`, `too_late` or `nothing_to_appeal`.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__("appealed", sentence)
        self.code = code


def appeal_until(request: RemovalRequest) -> dt.date | None:
    """Return the last day on which the subject can appeal; None where they cannot at all."""
    appealable = (
        request.state in STEPS["appealed"].sources
        and request.outcome in _OUTCOMES
        and request.appealed_on is None
        and request.case_deleted_on is None
    )
    if not appealable or request.decided_on is None:
        return None
    last = request.decided_on + dt.timedelta(days=APPEAL_DAYS)
    return last if today() <= last else None


def request_appeal(*, opened: OpenedRequest, text: str) -> str:
    """Bring a decided request back to review, once, and return its new state.

    Raises:
        AppealInvalid: no words, or more than `APPEAL_MAX` characters.
        AppealRefused: there is nothing to appeal, it is too late, or it was done before.
    """
    words = plain_text(text, limit=APPEAL_MAX, refusal=AppealInvalid)
    request, day = _fresh(opened), today()
    if appeal_until(request) is None:
        raise _refusal(request)
    try:
        with step_taken(
            opened.request_id,
            "appealed",
            State.IN_REVIEW,
            actor=audit.SUBJECT,
            where={
                "appealed_on__isnull": True,
                "case_deleted_on__isnull": True,
                "outcome__in": _OUTCOMES,
                "decided_on__gte": day - dt.timedelta(days=APPEAL_DAYS),
            },
            changes=_changes(request, words, day),
        ):
            pass
    except TransitionRefused:
        raise _refusal(_fresh(opened)) from None
    return State.IN_REVIEW.value


def _fresh(opened: OpenedRequest) -> RemovalRequest:
    request = RemovalRequest.objects.filter(pk=opened.request_id).first()
    if request is None:  # erased or purged since the receipt opened it
        raise TransitionRefused("appealed")
    return request


def _changes(request: RemovalRequest, words: str, day: dt.date) -> dict[str, object]:
    longest = request.received_on + dt.timedelta(days=settings.UNLIST.keep_photo_max_days)
    return {
        "appealed_on": day,
        "appeal_sealed": seal(request.pk, Purpose.CASE, content.APPEAL, words.encode()),
        "due_on": months_added(day, _MONTHS),
        "closed_on": None,
        "photos_delete_on": unless_due(longest),  # they stay for the second look
    }


def _refusal(request: RemovalRequest) -> AppealRefused:
    if request.appealed_on is not None:
        return AppealRefused(
            "appealed_before",
            _("You have appealed before. There is one appeal; you can still write a message."),
        )
    appealable = request.state in STEPS["appealed"].sources and request.outcome in _OUTCOMES
    if appealable and request.decided_on is not None:
        return AppealRefused(
            "too_late",
            _("An appeal was possible for %(days)s days after the decision; they are over.")
            % {"days": APPEAL_DAYS},
        )
    return AppealRefused(
        "nothing_to_appeal",
        _("There is no decision that can be appealed: nothing has been refused (yet)."),
    )
