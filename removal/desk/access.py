"""Who may open what on the desk: each page asks here first."""

import uuid

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from removal import permissions
from removal.life.looks import case_open_note
from removal.selectors import RequestGone, ReviewCase, review_case


def reviewer_of(request: HttpRequest) -> User:
    """Return who asks; the admin lets nobody in who is not logged in."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def allowed(request: HttpRequest, *rights: str) -> User:
    """Return who asks, if they have one of the rights.

    Raises:
        PermissionDenied: they have none.
    """
    reviewer = reviewer_of(request)
    if not any(reviewer.has_perm(right) for right in rights):
        raise PermissionDenied
    return reviewer


def case_shown(request: HttpRequest, request_id: uuid.UUID, *, changing: bool = True) -> ReviewCase:
    """Open a request for whoever may read it or, where it is to be changed, review it."""
    reads = () if changing else (permissions.SEE,)
    reviewer = allowed(request, permissions.REVIEW, *reads)
    try:
        case = review_case(request_id=request_id, reviewer=reviewer)
    except RequestGone as gone:
        raise Http404(str(gone)) from None
    case_open_note(request=case.request, reviewer=reviewer)
    return case
