"""Deciding at once: no undo, no second person. The product has no such act; tests need it often."""

import uuid
from collections.abc import Collection

from django.contrib.auth.models import User

from removal import audit
from removal.life.deciding import decision_check, decision_take


def request_decide(
    *,
    request_id: uuid.UUID,
    reviewer: User,
    approve: Collection[uuid.UUID],
    deny_reason: str | None,
    statement: str,
    tier: str | None,
    seen: int | None = None,
) -> str:
    """Decide a request and return its new state; arguments and errors as of `decision_check`."""
    decision = decision_check(
        request_id=request_id,
        approve=approve,
        deny_reason=deny_reason,
        statement=statement,
        tier=tier,
        seen=seen,
    )
    return decision_take(decision, actor=audit.staff(reviewer.pk))
