"""When one person is not enough, and why, in words that both persons read."""

from collections.abc import Iterable
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User

from removal.life.deciding import Decision
from removal.models import Candidate, Category, Kind, RemovalRequest, State
from removal.permissions import DECIDE

SENSITIVE: Final = frozenset({Category.CHILD, Category.INTIMATE, Category.MEDICAL})


def second_reasons(decision: Decision) -> list[str]:
    """Return why a decision needs a second person, whoever takes it; empty where one is enough.

    A decision that leaves out rows that hold the very picture refuses, whatever else it approves.
    How many rows it approves is counted with those of an earlier decision, so that many cannot be
    approved in small parts.
    """
    reasons = []
    if decision.request.category in SENSITIVE and decision.outcome != State.APPROVED:
        reasons.append(f"it refuses a request about {_label(decision.request)}")
    if decision.approved:
        reasons += _many(len(decision.listed) + len(decision.approved))
    return reasons


def second_needed(decision: Decision, *, reviewer: User) -> list[str]:
    """Return why what this person proposes needs a second one; empty where it does not."""
    return second_reasons(decision) + _no_approver(reviewer)


def second_needed_for_rows(rows: int, *, reviewer: User) -> list[str]:
    """Return why approving so many rows, those listed before counted, needs a second person."""
    return _many(rows) + _no_approver(reviewer)


def refusal_reasons(request: RemovalRequest, left: Iterable[Candidate]) -> list[str]:
    """Return why to set copies of approved rows aside needs a second person."""
    if request.category in SENSITIVE and any(one.kind != Kind.SIMILAR for one in left):
        return [f"it leaves out copies in a request about {_label(request)}"]
    return []


def _label(request: RemovalRequest) -> str:
    return Category(request.category).label.lower()


def _many(rows: int) -> list[str]:
    most = settings.UNLIST.two_person_rows
    return [f"it approves {rows:,} rows, more than {most:,}"] if rows > most else []


def _no_approver(reviewer: User) -> list[str]:
    if reviewer.has_perm(DECIDE):
        return []
    return [f"{reviewer.get_username()} proposes, and an approver decides"]
