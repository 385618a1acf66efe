"""Views of the queue that got a name: one's own, and those that a team shares.

A view is the part of the queue's address behind the question mark, and only what the queue itself
understands of it: nothing else is stored, or followed.
"""

from typing import Final
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import F, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from removal.desk.access import allowed
from removal.desk.claiming import QUEUE
from removal.models import SavedView
from removal.permissions import DECIDE, REVIEW, SEE

KNOWN: Final = ("show", "evidence", "flagged", "state__exact", "category__exact", "o")
NAME_MAX: Final = 60
QUERY_MAX: Final = 500


def views_for(user_id: int | None) -> QuerySet[SavedView]:
    """Return the views that somebody can open: the shared ones first."""
    mine = SavedView.objects.filter(Q(owner=user_id) | Q(owner__isnull=True))
    return mine.order_by(F("owner").asc(nulls_first=True), "name")


def query_kept(query: str) -> str:
    """Return what the queue understands of a query, in one order."""
    fields = QueryDict(query)
    return urlencode([(name, fields[name]) for name in KNOWN if fields.get(name)])


@require_http_methods(["POST"])
def view_save(request: HttpRequest) -> HttpResponse:
    """Give the view that is on the screen a name."""
    owner: User | None = allowed(request, SEE, REVIEW)
    query, name = query_kept(request.POST.get("query", "")), request.POST.get("name", "").strip()
    if "shared" in request.POST:
        allowed(request, DECIDE)
        owner = None
    if not name or len(name) > NAME_MAX or len(query) > QUERY_MAX:
        messages.error(request, f"Give the view a name of at most {NAME_MAX} characters.")
    else:
        SavedView.objects.update_or_create(owner=owner, name=name, defaults={"query": query})
        messages.success(request, f"Kept as \u201c{name}\u201d.")
    return _back(query)


@require_http_methods(["POST"])
def view_delete(request: HttpRequest, view_id: int) -> HttpResponse:
    """Take a view out: one's own, or a shared one where one may share."""
    reader = allowed(request, SEE, REVIEW)
    view = views_for(reader.pk).filter(pk=view_id).first()
    if view is None:
        raise Http404
    if view.owner_id is None:
        allowed(request, DECIDE)
    view.delete()
    messages.success(request, f"Taken out: \u201c{view.name}\u201d. No request was touched.")
    return _back("")


def _back(query: str) -> HttpResponse:
    answer = redirect(QUEUE)
    if query:
        answer["Location"] += f"?{query}"
    return answer
