"""Who came first: what the audit log says to a maintainer who lost a race."""

from typing import Final

from django.contrib.auth.models import User

from removal.audit import RULE, staff_id, subject_tag
from removal.custody.shred import KeyShredded
from removal.models import AuditEntry, RemovalRequest, State

_WORDS: Final = {
    "decided": "decided it",
    "question_put": "asked the person about rows",
    "withdrawn": "took it back",
    "appealed": "appealed",
    "escalated": "escalated it",
}


def first_told(request: RemovalRequest) -> str:
    """Say in a sentence who last took this request a step on, and when; empty where none did."""
    try:
        tag = subject_tag(request)
    except KeyShredded:
        return ""
    entries = AuditEntry.objects.filter(subject=tag, act__in=_WORDS)
    last = entries.order_by("-seq").first()
    if last is None:
        return ""
    outcome = State(last.detail["state"]).label.lower() if last.act == "decided" else ""
    when = f"at {last.at:%H:%M} UTC on {last.day}" if last.at else f"on {last.day}"
    return f"{_who(last.actor)} {_WORDS[last.act]} {when}{outcome and f': {outcome}'}."


def staff_name(user_id: int) -> str:
    """Return the login name of a member of staff; their number where the account is gone."""
    name = User.objects.filter(pk=user_id).values_list("username", flat=True).first()
    return name or f"the member of staff {user_id}"


def _who(actor: str) -> str:
    if actor == RULE:
        return "A rule"
    number = staff_id(actor)
    return "The person" if number is None else staff_name(number)
