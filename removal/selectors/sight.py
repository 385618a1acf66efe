"""Which requests a member of staff can see: escalated ones are there for one role alone.

Whatever lists, counts, opens or shows requests to staff begins here, so that nobody else learns
from a page, a count or a refusal that an escalated request exists.
"""

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Q, QuerySet

from removal.models import RemovalRequest
from removal.permissions import ESCALATED


def requests_seen(viewer: User | AnonymousUser) -> QuerySet[RemovalRequest]:
    """Return the requests that exist as far as this member of staff is concerned."""
    condition = Q() if viewer.has_perm(ESCALATED) else Q(escalated_on__isnull=True)
    return RemovalRequest.objects.filter(condition)
