"""The maintainers' page for taking rows off the list: look up, propose, confirm, and what became.

What is looked up (addresses and digests of rows) is sent by POST alone and stands in no address.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods, require_POST

from releases.lookup import (
    VALUES_MOST,
    Looked,
    LookupInvalid,
    entries_look,
    first_releases,
    values_of,
    values_read,
)
from releases.models import ListEntry
from releases.unlisting import (
    REASONS,
    WORDS_MAX,
    UnlistingRefused,
    said_of,
    withdrawal_propose,
    withdrawals_ended,
    withdrawals_open,
)
from removal.desk.access import allowed
from removal.desk.acts import acted
from removal.life.effects import ProposalRefused, proposal_take, proposals_due
from removal.life.looks import case_open_note
from removal.life.proposals import proposal_confirm, proposal_refuse, proposal_undo
from removal.models import Proposal, ProposalKind, ProposalState
from removal.permissions import DECIDE, LEDGER, SEE
from removal.selectors.desk import RequestGone, request_visible
from removal.selectors.listed import rows_listed
from removal.selectors.proposals import ProposalView, proposal_viewed
from removal.tasks import proposals_hint

PAGE: Final = "admin:releases_unlist"
ENDED: Final = 10
_BECAME: Final = {
    ProposalState.TAKEN: "taken off the list",
    ProposalState.UNDONE: "undone",
    ProposalState.REFUSED: "not confirmed",
    ProposalState.STALE: "ended without effect, as the list or a right had changed",
}


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One entry: its key, what it was looked up by, since when and in which releases."""

    id: str
    kind: str
    key: str
    value: str
    since: str = ""
    release: int | None = None
    chosen: bool = True


@dataclass(frozen=True, slots=True)
class Waiting:
    """A proposal that has not ended, for one reader."""

    view: ProposalView
    reason: str
    words: str
    lines: tuple[EntryLine, ...]
    unread: bool
    undoable: bool
    confirmable: bool


@dataclass(frozen=True, slots=True)
class Form:
    """What was sent."""

    values: str = ""
    chosen: frozenset[str] | None = None
    reason: str = ""
    words: str = ""


@require_http_methods(["GET", "HEAD", "POST"])
def unlist(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show what waits; look up what is sent."""
    allowed(request, DECIDE, LEDGER)
    form = Form(values=request.POST.get("values", ""))
    return _looked_up(request, site, form) if request.method == "POST" else _page(request, site)


@require_POST
def from_request(request: HttpRequest, request_id: uuid.UUID, site: AdminSite) -> HttpResponse:
    """Look up the approved rows of a request that were chosen on its page."""
    reviewer = allowed(request, DECIDE)
    chosen = request.POST.getlist("row")
    try:
        case = request_visible(request_id, reviewer)
        rows = rows_listed(request_id=request_id, reviewer=reviewer, chosen=chosen)
    except RequestGone as gone:
        raise Http404(str(gone)) from None
    case_open_note(request=case, reviewer=reviewer)
    return _looked_up(request, site, Form(values="\n".join(values_of(rows))))


@require_POST
def propose(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Propose to take the chosen entries off."""
    reviewer = allowed(request, DECIDE)
    form = Form(
        values=request.POST.get("values", ""),
        chosen=frozenset(request.POST.getlist("entry")),
        reason=request.POST.get("reason", ""),
        words=request.POST.get("words", ""),
    )
    try:
        looked = entries_look(values_read(form.values))
        withdrawal_propose(
            looked=looked,
            chosen=form.chosen or (),
            reason=form.reason,
            words=form.words,
            reviewer=reviewer,
        )
    except (LookupInvalid, UnlistingRefused, ProposalRefused) as refusal:
        return _looked_up(request, site, form, fault=str(refusal))
    messages.success(request, "Proposed: another approver has to confirm it.")
    return redirect(PAGE)


@require_POST
def confirm(request: HttpRequest, proposal_id: uuid.UUID) -> HttpResponse:
    """Be the second person."""

    def act(reviewer: User) -> None:
        proposal_confirm(proposal_id=proposal_id, reviewer=reviewer)
        proposals_hint()

    return _done(request, proposal_id, act, "Confirmed.")


@require_POST
def refuse(request: HttpRequest, proposal_id: uuid.UUID) -> HttpResponse:
    """Say no, as the second person."""

    def act(reviewer: User) -> None:
        proposal_refuse(proposal_id=proposal_id, reviewer=reviewer)

    return _done(request, proposal_id, act, "Not confirmed: the entries stay on the list.")


@require_POST
def undo(request: HttpRequest, proposal_id: uuid.UUID) -> HttpResponse:
    """Take back what one proposed or confirmed."""

    def act(reviewer: User) -> None:
        proposal_undo(proposal_id=proposal_id, reviewer=reviewer)

    return _done(request, proposal_id, act, "Undone: the entries stay on the list.")


def _done(
    request: HttpRequest, proposal_id: uuid.UUID, act: Callable[[User], None], success: str
) -> HttpResponse:
    reviewer = allowed(request, DECIDE)
    if not Proposal.objects.filter(pk=proposal_id, kind=ProposalKind.WITHDRAWAL).exists():
        raise Http404("There is no such proposal.")
    refusals = (ProposalRefused, RequestGone)
    return acted(request, partial(act, reviewer), success, refusals=refusals, back=(PAGE,))


def _looked_up(
    request: HttpRequest, site: AdminSite, form: Form, *, fault: str = ""
) -> HttpResponse:
    try:
        looked = entries_look(values_read(form.values))
    except LookupInvalid as invalid:
        return _page(request, site, form, fault=fault or str(invalid))
    return _page(request, site, form, looked=looked, fault=fault)


def _page(
    request: HttpRequest,
    site: AdminSite,
    form: Form | None = None,
    *,
    looked: Sequence[Looked] = (),
    fault: str = "",
) -> HttpResponse:
    reader, form = allowed(request, DECIDE, LEDGER), form or Form()
    _settle()
    context = {
        **site.each_context(request),
        "title": "Take rows off the list",
        "waiting": [_waiting(proposal, reader) for proposal in withdrawals_open()],
        "ended": [_ended(proposal) for proposal in withdrawals_ended(ENDED)],
        "form": form,
        "looked": bool(looked),
        "lines": _lines(looked, form),
        "not_listed": [one.value for one in looked if not one.entries],
        "reasons": REASONS,
        "words_max": WORDS_MAX,
        "values_most": VALUES_MOST,
        "decides": reader.has_perm(DECIDE),
        "fault": fault,
    }
    status = 400 if fault else 200
    response = TemplateResponse(request, "unlist_admin/unlist.html", context, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _settle() -> None:
    """Have the withdrawals take effect whose time to undo is over."""
    due = set(proposals_due())
    for proposal in withdrawals_open():
        if proposal.pk in due:
            proposal_take(proposal.pk)


def _lines(looked: Sequence[Looked], form: Form) -> list[EntryLine]:
    """Return the entries found, each once, by the first value that names it."""
    found = {entry.pk: (entry, one.value) for one in reversed(looked) for entry in one.entries}
    releases = first_releases([entry for entry, _ in found.values()])
    return [
        EntryLine(
            id=str(entry.pk),
            kind=entry.get_kind_display(),
            key=bytes(entry.key).hex(),
            value=value,
            since=f"{entry.added_on:%Y-%m-%d}",
            release=releases[entry.pk],
            chosen=form.chosen is None or str(entry.pk) in form.chosen,
        )
        for entry, value in reversed(found.values())
    ]


def _waiting(proposal: Proposal, reader: User) -> Waiting:
    view = proposal_viewed(proposal)
    said = said_of(proposal) if reader.has_perm(SEE) else None
    given = said.given if said else {}
    facts = proposal.facts
    return Waiting(
        view=view,
        reason=REASONS[facts["reason"]],
        words=said.words if said else "",
        lines=tuple(
            EntryLine(id=pk, kind=ListEntry.Kind(kind).label, key=key, value=given.get(pk, ""))
            for pk, (kind, key) in zip(facts["entries"], facts["keys"], strict=True)
        ),
        unread=said is None,
        undoable=reader.has_perm(DECIDE) and view.undoable_by(reader),
        confirmable=view.confirmable_by(reader),
    )


def _ended(proposal: Proposal) -> dict[str, Any]:
    entries = len(proposal.facts["entries"])
    return {
        "when": proposal.ended_at,
        "entries": "1 entry" if entries == 1 else f"{entries} entries",
        "reason": REASONS[proposal.facts["reason"]],
        "became": _BECAME[ProposalState(proposal.state)],
        "proposed_by": proposal.proposed_by,
        "confirmed_by": proposal.confirmed_by or proposal.ended_by,
    }
