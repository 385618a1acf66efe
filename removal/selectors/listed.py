"""The approved rows of a request, for maintainers who want to take them off the list again."""

import uuid
from collections.abc import Collection

from django.contrib.auth.models import User

from removal.custody.content import row_opened
from removal.models import Verdict
from removal.selectors.desk import case_key_held, request_visible
from removal.selectors.subject import ApprovedRow, row_approved


def rows_listed(
    *, request_id: uuid.UUID, reviewer: User, chosen: Collection[str]
) -> list[ApprovedRow]:
    """Return the chosen rows that a decision approved.

    Args:
        request_id: whose.
        reviewer: who asks.
        chosen: ids of candidates; what is no id of an approved one is left out.

    Raises:
        RequestGone: there is no such request that they may see, or its rows are deleted.
        SecretUnavailable: this process does not hold the reviewers' key.
    """
    request = request_visible(request_id, reviewer)
    case = case_key_held(request)
    approved = request.candidates.filter(verdict=Verdict.APPROVED).order_by("pk")
    rows = [row_opened(one, case) for one in approved if str(one.pk) in set(chosen)]
    return [row_approved(row) for row in rows]
