"""Rules: what is decided without a person, where the operator turned that on, and always in favor.

There is one rule: a request is approved, in the tier `exact`, when everything that its search found
is the very file that was sent. It never refuses anything. Whatever could make a person hesitate
leaves the request to one: a category that the setting does not name (it cannot name a sensitive
one), a look-alike or a copy, a sign of abuse, an appeal, an escalation, words of the person, a
search that could not see everything, too many rows, a maintainer who opened it or did anything
about it, and all that would need two persons. At most so many are approved on a day.

The decision is checked and taken like any other; its actor in the audit log is `audit.RULE`, which
is also how the person is told that it was one (`selectors.decided`).
"""

import logging
import uuid
from collections.abc import Sequence
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from removal import audit
from removal.custody import content
from removal.custody.content import Content, FoundRow, row_opened
from removal.custody.sealing import Place, PrivateKey
from removal.custody.secrets import SecretUnavailable
from removal.life.abuse import organization_flag
from removal.life.deciding import AlreadyDecided, Decision, decision_check, decision_take
from removal.life.effects import request_locked
from removal.life.listable import DecisionInvalid
from removal.life.two_persons import SENSITIVE, second_reasons
from removal.models import (
    AuditEntry,
    Candidate,
    Flag,
    Kind,
    Message,
    Proposal,
    Purpose,
    Question,
    RemovalRequest,
    SearchUnit,
    State,
    today,
)
from removal.selectors.desk import RequestGone, case_key_held
from removal.selectors.queue import unclaimed
from removal.selectors.subject import domain

TIER: Final = "exact"
UNREADABLE: Final = "unreadable"
_REMEMBERED: Final = 100_000

log = logging.getLogger(__name__)


class RulesIncomplete(Exception):
    """A request that a rule might approve could not be looked at; the next run tries again."""


class _DayFull(Exception):
    """Rules have approved as many as they may today."""


class _Left:
    """The requests that this process opened and left to a person, so that it opens each once."""

    def __init__(self) -> None:
        self._seen: set[tuple[uuid.UUID, int]] = set()

    def __contains__(self, request: tuple[uuid.UUID, int]) -> bool:
        return request in self._seen

    def add(self, request: tuple[uuid.UUID, int]) -> None:
        """Remember one by its id and its `state_seq`."""
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        self._seen.add(request)


_left: Final = _Left()


def rules_wait() -> bool:
    """Tell whether a rule might approve something; to look needs no key."""
    return bool(settings.UNLIST.rule_categories) and _day_left() > 0 and _fit().exists()


def rules_apply() -> int:
    """Approve what a rule approves, the oldest first, as far as the day allows; return how many.

    Raises:
        SecretUnavailable: this process is not of the staff role.
        RulesIncomplete: one could not be looked at, for now; it held up no other.
    """
    approved, faults = 0, 0
    for request_id in _to_look_at():
        try:
            approved += _applied(request_id)
        except SecretUnavailable:
            raise
        except _DayFull:
            break
        except Exception as error:  # noqa: BLE001  # whatever it is, the next in line has its turn
            faults += 1
            log.warning("no rule for request %s: %s", request_id, type(error).__name__)
    if faults:
        raise RulesIncomplete(f"No rule could look at {faults} requests; the next run tries.")
    return approved


def _to_look_at() -> list[uuid.UUID]:
    """Return what a rule might approve and this process has not left to a person yet."""
    if not rules_wait():
        return []
    oldest = _fit().order_by("received_on", "pk").values_list("pk", "state_seq")
    return [pk for pk, seq in oldest if (pk, seq) not in _left]


def _applied(request_id: uuid.UUID) -> bool:
    """Approve one request if the rule does; tell whether it did."""
    request = _fit().filter(pk=request_id).first()
    decision = _decision(request) if request else None
    try:
        if decision is not None and _taken(decision):
            return True
    except (AlreadyDecided, RequestGone):
        log.info("request %s: somebody else was first", request_id)
    if request is not None:
        _left.add((request.pk, request.state_seq))
    return False


def approved_today() -> int:
    """Count what rules have approved on this day, by the audit log."""
    entries = AuditEntry.objects.filter(act="decided", actor=audit.RULE, day=today())
    return entries.count()


def _day_left() -> int:
    left: int = settings.UNLIST.rules_per_day - approved_today()
    return left


def _fit() -> QuerySet[RemovalRequest]:
    """Return the requests that a rule may approve, as far as can be told without opening one."""
    chosen = set(settings.UNLIST.rule_categories) - SENSITIVE
    of_it = {"request": OuterRef("pk")}
    others = Candidate.objects.filter(**of_it).exclude(kind=Kind.EXACT)
    units = SearchUnit.objects.filter(**of_it)
    requests = RemovalRequest.objects.filter(
        ~Exists(others),
        ~Exists(units.filter(Q(group__isnull=True) | Q(rows_unread__gt=0))),
        *(~Exists(one.objects.filter(**of_it)) for one in (Proposal, Flag, Message, Question)),
        unclaimed(),
        state=State.IN_REVIEW,
        category__in=chosen,
        searched_on__isnull=False,
        decided_on__isnull=True,
        appealed_on__isnull=True,
        escalated_on__isnull=True,
        held_on__isnull=True,
    )
    found = requests.annotate(found=Count("candidates", distinct=True))
    return found.filter(found__gte=1, found__lte=settings.UNLIST.rules_rows)


def _decision(request: RemovalRequest) -> Decision | None:
    """Return the approval that the rule gives; None where the request is left to a person."""
    try:
        case = case_key_held(request)
    except RequestGone:
        return None
    if _touched(request) or _unread(request) or _note(request, case):
        return None
    rows = [row_opened(candidate, case) for candidate in request.candidates.all()]
    if not _same_file(rows) or _organization(request, rows):
        return None
    try:
        decision = decision_check(
            request_id=request.pk,
            approve=list(request.candidates.values_list("pk", flat=True)),
            deny_reason=None,
            statement="",
            tier=TIER,
            seen=request.state_seq,
        )
    except (AlreadyDecided, DecisionInvalid, RequestGone):
        return None
    needs_two = decision.outcome != State.APPROVED or second_reasons(decision)
    return None if needs_two else decision


def _touched(request: RemovalRequest) -> bool:
    """Tell whether any of the staff opened it or did anything about it, by the audit log."""
    own = AuditEntry.objects.filter(subject=audit.subject_tag(request))
    return own.filter(actor__startswith=audit.STAFF).exists()


def _unread(request: RemovalRequest) -> bool:
    return any(UNREADABLE in photo.flags for photo in request.photos.all())


def _note(request: RemovalRequest, case: PrivateKey) -> str:
    """Return the person's own words, which no rule understands."""
    if not request.content_sealed:
        return ""
    place = Place(request.pk, Purpose.CASE, content.CONTENT)
    return Content.from_bytes(case.open(request.content_sealed, place)).note.strip()


def _organization(request: RemovalRequest, rows: Sequence[FoundRow]) -> bool:
    """Tell whether the rows lie under one domain: a sign that is seen in opened rows alone."""
    domains = [name for row in rows if (name := domain(row.url))]
    return organization_flag(request=request, domains=domains)


def _same_file(rows: Sequence[FoundRow]) -> bool:
    """Tell whether every row holds the very file that was sent, by the digest of its bytes."""
    return all(row.photos and row.evidence.get("digest") is True for row in rows)


def _taken(decision: Decision) -> bool:
    """Approve, unless somebody came to it meanwhile or the day is full; tell whether it was.

    The day is counted before, and once more while the audit log's head is held, so that two
    processes fill it once.
    """
    if _day_left() <= 0:
        raise _DayFull
    with transaction.atomic():
        request = request_locked(decision.request.pk)
        if not _fit().filter(pk=request.pk).exists():
            return False
        decision_take(decision, actor=audit.RULE)
        if _day_left() < 0:
            raise _DayFull
    return True
