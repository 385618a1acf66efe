"""By whom a request was decided: a maintainer, a rule, or nobody, as its search found nothing.

The audit log alone knows; it is asked for the request at hand, whose entries bear its tag.
"""

import datetime as dt
from collections import Counter
from typing import Literal

from django.db.models import Count

from removal import audit
from removal.custody.shred import KeyShredded
from removal.models import AuditEntry, RemovalRequest, State, today

By = Literal["maintainer", "rule"]


def decided_by(request: RemovalRequest) -> By | None:
    """Return who took the last decision about a request; None where no decision was taken."""
    if request.outcome in {"", State.NO_MATCH}:
        return None
    try:
        tag = audit.subject_tag(request)
    except KeyShredded:
        return None
    entries = AuditEntry.objects.filter(subject=tag, act="decided").order_by("-seq")
    actor = entries.values_list("actor", flat=True).first()
    if actor is None:
        return None
    return "rule" if actor == audit.RULE else "maintainer"


def rules_by_day(days: int) -> list[tuple[dt.date, int]]:
    """Count what rules approved on each of the last days, today the last."""
    shown = [today() - dt.timedelta(days=n) for n in reversed(range(days))]
    entries = AuditEntry.objects.filter(act="decided", actor=audit.RULE, day__gte=shown[0])
    counted = entries.order_by().values_list("day").annotate(Count("pk"))
    counts: Counter[dt.date] = Counter(dict(counted))
    return [(day, counts[day]) for day in shown]
