"""Approving many requests at once, where no look is needed: all that was found is certain.

Only requests of an ordinary category all of whose rows are exact ones or copies, which nobody else
works on, and which carry no unseen sign of abuse and no appeal. Approving alone: who is refused is
owed a look and a reason of their own. Every request gets a proposal of its own by `life.proposals`,
so that its rules (two persons, time to undo) hold as on the page of one.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods

from removal.desk import words
from removal.desk.access import allowed
from removal.desk.claiming import QUEUE
from removal.life.deciding import STATEMENT_MAX, TIERS, AlreadyDecided
from removal.life.effects import ProposalRefused
from removal.life.listable import DecisionInvalid
from removal.life.proposals import decision_propose
from removal.life.two_persons import SENSITIVE
from removal.models import Candidate, RemovalRequest
from removal.permissions import REVIEW
from removal.selectors.desk import RequestGone
from removal.selectors.queue import QueueItem, needing, queue_items, unclaimed
from removal.selectors.sight import requests_seen

MOST: Final = 50


@dataclass(frozen=True, slots=True)
class BulkItem:
    """One of the chosen requests; `why_not` says what keeps it from being approved unseen."""

    item: QueueItem
    seen: int
    why_not: str

    @property
    def short(self) -> str:
        """The first part of its id, as the queue has it."""
        return str(self.item.request_id)[:8]


def bulk_items(request_ids: Collection[uuid.UUID], reviewer: User) -> list[BulkItem]:
    """Return the chosen requests that the reviewer may see, each with what keeps it out."""
    chosen = list(requests_seen(reviewer).filter(pk__in=request_ids).order_by("due_on", "pk"))
    deciding = needing(reviewer).filter(pk__in=request_ids)
    open_to = set(deciding.values_list("pk", flat=True))
    theirs = deciding.exclude(unclaimed()).exclude(claim__reviewer=reviewer)
    others = dict(theirs.values_list("pk", "claim__reviewer__username"))
    return [
        BulkItem(item, request.state_seq, _why_not(request, item, open_to, others))
        for request, item in zip(chosen, queue_items(chosen), strict=True)
    ]


def _why_not(
    request: RemovalRequest,
    item: QueueItem,
    open_to: Collection[uuid.UUID],
    others: Mapping[uuid.UUID, str],
) -> str:
    """Say what keeps a request from being approved unseen; nothing for nothing."""
    reasons = {
        "it does not wait for a decision of yours": request.pk not in open_to,
        f"{others.get(request.pk)} is working on it": request.pk in others,
        "its category calls for a choice of its own": request.category in SENSITIVE,
        "it is an appeal": request.appealed_on is not None,
        "nothing was found that is certain": item.exact + item.copy == 0,
        "it has look-alikes, which need a look": item.similar > 0,
        "it carries a sign of abuse that nobody has looked at": item.flags > 0,
    }
    return next((why for why, holds in reasons.items() if holds), "")


@require_http_methods(["POST"])
def bulk(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show what would be approved; on the second press, propose it."""
    reviewer = allowed(request, REVIEW)
    items = bulk_items(_ids(request.POST.getlist("_selected_action")), reviewer)
    fit = [one for one in items if not one.why_not]
    fault = ""
    if "approve" in request.POST:
        fault = _fault(request.POST.get("tier", ""), fit)
        if not fault:
            return _proposed(request, reviewer, fit)
    return _page(request, site, items, fault)


def _fault(tier: str, fit: Sequence[BulkItem]) -> str:
    if tier not in TIERS:
        return f"Choose how the rows are listed: {', '.join(TIERS)}."
    if not fit:
        return "None of these can be approved unseen: open them one by one."
    return ""


def _proposed(request: HttpRequest, reviewer: User, fit: Sequence[BulkItem]) -> HttpResponse:
    """Propose each, and say what became of it."""
    asked = {int(seq) for seq in request.POST.getlist("seen") if seq.isdecimal()}
    proposed, refused = [], []
    for one in fit:
        try:
            if one.seen not in asked:
                raise AlreadyDecided("It has changed since the page was shown.")
            _propose(one, reviewer, request.POST)
        except (AlreadyDecided, DecisionInvalid, ProposalRefused, RequestGone) as why:
            refused.append(f"{one.short}: {why}")
        else:
            proposed.append(one.short)
    if proposed:
        messages.success(request, f"Approved, each as its page says: {', '.join(proposed)}.")
    for sentence in refused:
        messages.error(request, sentence)
    return redirect(QUEUE)


def _propose(one: BulkItem, reviewer: User, data: Mapping[str, Any]) -> None:
    found = Candidate.objects.filter(request=one.item.request_id, offered=False)
    rows = found.values_list("pk", flat=True)
    decision_propose(
        request_id=one.item.request_id,
        reviewer=reviewer,
        approve=list(rows),
        deny_reason=None,
        statement=str(data.get("statement", "")).replace("\r\n", "\n"),
        tier=str(data["tier"]),
        seen=one.seen,
    )


def _page(
    request: HttpRequest, site: AdminSite, items: Sequence[BulkItem], fault: str
) -> HttpResponse:
    fit = [one for one in items if not one.why_not]
    context = {
        **site.each_context(request),
        "title": "Approve without a look",
        "fit": fit,
        "left_out": [one for one in items if one.why_not],
        "rows": sum(one.item.exact + one.item.copy for one in fit),
        "fault": fault,
        "tiers": [(name, words.TIER_WORDS[name]) for name in TIERS],
        "tier": request.POST.get("tier", ""),
        "statement": request.POST.get("statement", ""),
        "statement_max": STATEMENT_MAX,
    }
    status = 400 if fault else 200
    return TemplateResponse(request, "unlist_admin/bulk.html", context, status=status)


def _ids(texts: Sequence[str]) -> list[uuid.UUID]:
    """Return the ids that are any, at most `MOST`."""
    found = []
    for text in texts[:MOST]:
        try:
            found.append(uuid.UUID(text))
        except ValueError:
            continue
    return found
