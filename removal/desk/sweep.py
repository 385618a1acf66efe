"""One sweep on one screen: what was asked, the rows found, the choice, the proposal to list them.

The rows stand on pages, the most alike first; what is chosen is kept when the page is sent, so that
a choice can span pages and persons. To list them is a proposal, which always needs a second person.
"""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from removal import permissions
from removal.desk import words
from removal.desk.access import allowed
from removal.desk.acts import acted
from removal.desk.sweep_words import asked_words, fault_words, state_words
from removal.desk.sweeps import SWEEP, SWEEPS
from removal.life.deciding import TIERS
from removal.life.effects import ProposalRefused, proposal_take
from removal.life.errands import ERRAND_OPEN
from removal.life.looks import sweep_open_note
from removal.life.proposals import proposal_confirm, proposal_refuse, proposal_undo
from removal.life.sweep_choice import (
    SWEEP_REASONS,
    WORDS_MAX,
    SweepBusy,
    rows_choose,
    rows_choose_first,
    sweep_dismiss,
    sweep_propose,
)
from removal.life.sweep_ends import DAYS_KEPT
from removal.life.sweeping import SweepInvalid
from removal.models import PROPOSAL_OPEN, ErrandState, Proposal, ProposalKind, ProposalState
from removal.selectors import RequestGone
from removal.selectors.sweeps import SweepView, sweep_line, sweep_view
from removal.tasks import proposals_hint

_REFUSALS: Final = (ProposalRefused, SweepBusy, SweepInvalid)
OTHERS: Final = "others"
"""The value of `which` that chooses all rows shown but the ticked ones."""
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
EVERY: Final = "all"
"""The value of `show` that shows the rows that are not chosen, too, while a proposal is open."""


@dataclass(frozen=True)
class ChoiceForm:
    """What was sent from the page of a sweep, so that it can be shown again."""

    tier: str = ""
    reason: str = ""
    words: str = ""

    @classmethod
    def read(cls, data: QueryDict) -> "ChoiceForm":
        """Take the fields from a POST."""
        said = data.get("words", "").replace("\r\n", "\n")
        return cls(data.get("tier", ""), data.get("reason", ""), said)


@require_http_methods(["GET", "HEAD", "POST"])
def sweep(request: HttpRequest, *, errand_id: uuid.UUID, site: AdminSite) -> HttpResponse:
    """Show a sweep; keep the choice of the page shown, and go on, or propose to list it."""
    reads = () if request.method == "POST" else (permissions.SEE,)
    reviewer = allowed(request, permissions.REVIEW, *reads)
    _settled(errand_id)
    try:
        if request.method != "POST":
            sweep_open_note(errand_id=errand_id, reviewer=reviewer)
            return _page(request, site, errand_id, ChoiceForm())
        return _chosen(request, site, errand_id, reviewer)
    except RequestGone as gone:
        raise Http404(str(gone)) from None


def _chosen(
    request: HttpRequest, site: AdminSite, errand_id: uuid.UUID, reviewer: User
) -> HttpResponse:
    """Keep the choice, and do what the pressed button says."""
    form, act = ChoiceForm.read(request.POST), request.POST.get("act", "")
    try:
        if act == "first":
            rows_choose_first(errand_id=errand_id, reviewer=reviewer, first=_first(request.POST))
        else:
            shown, ticked = _ticked(request.POST)
            rows_choose(errand_id=errand_id, reviewer=reviewer, shown=shown, ticked=ticked)
        if act == "propose":
            sweep_propose(
                errand_id=errand_id,
                reviewer=reviewer,
                tier=form.tier,
                reason=form.reason,
                words=form.words,
            )
            proposals_hint()
    except SweepInvalid as invalid:
        return _page(request, site, errand_id, form, fault=str(invalid), status=400)
    except (ProposalRefused, SweepBusy) as refusal:
        return _page(request, site, errand_id, form, fault=str(refusal), status=409)
    page = _whole(request.POST.get("turn", "")) or _number(request)
    return redirect(f"{reverse(SWEEP, args=[errand_id])}?page={page}")


@require_POST
def dismiss(request: HttpRequest, *, errand_id: uuid.UUID, site: AdminSite) -> HttpResponse:
    """End a sweep without listing anything."""
    del site
    reviewer = allowed(request, permissions.REVIEW)

    def act() -> None:
        sweep_dismiss(errand_id=errand_id, reviewer=reviewer)

    return _done(request, act, "Dismissed: its rows and words are deleted.", back=(SWEEPS,))


@require_POST
def confirm(request: HttpRequest, *, proposal_id: uuid.UUID, site: AdminSite) -> HttpResponse:
    """Be the second person of a sweep's proposal."""
    del site
    reviewer, errand_id = allowed(request, permissions.DECIDE), _sweep_of(proposal_id)

    def act() -> None:
        proposal_confirm(proposal_id=proposal_id, reviewer=reviewer)
        proposals_hint()

    return _done(request, act, "Confirmed.", back=(SWEEP, errand_id))


@require_POST
def refuse(request: HttpRequest, *, proposal_id: uuid.UUID, site: AdminSite) -> HttpResponse:
    """Refuse, as the second person, to list the rows."""
    del site
    reviewer, errand_id = allowed(request, permissions.DECIDE), _sweep_of(proposal_id)

    def act() -> None:
        proposal_refuse(proposal_id=proposal_id, reviewer=reviewer)

    return _done(request, act, "Refused: nothing is listed.", back=(SWEEP, errand_id))


@require_POST
def undo(request: HttpRequest, *, proposal_id: uuid.UUID, site: AdminSite) -> HttpResponse:
    """Take back what one proposed or confirmed."""
    del site
    reviewer, errand_id = allowed(request, permissions.REVIEW), _sweep_of(proposal_id)

    def act() -> None:
        proposal_undo(proposal_id=proposal_id, reviewer=reviewer)

    return _done(request, act, "Undone: nothing was listed.", back=(SWEEP, errand_id))


def _done(
    request: HttpRequest, act: Callable[[], None], success: str, *, back: tuple[Any, ...]
) -> HttpResponse:
    return acted(request, act, success, refusals=_REFUSALS, back=back)


def _sweep_of(proposal_id: uuid.UUID) -> uuid.UUID:
    """Return the sweep that a proposal is about."""
    found = Proposal.objects.filter(pk=proposal_id, kind=ProposalKind.SWEEP).first()
    if found is None or found.errand_id is None:
        raise Http404("There is no such proposal.")
    return found.errand_id


def _settled(errand_id: uuid.UUID) -> None:
    """Have what is due about a sweep take effect now."""
    running = Proposal.objects.filter(errand=errand_id, state=ProposalState.COUNTING).first()
    if running is not None:
        proposal_take(running.pk)


# --- what was sent ---------------------------------------------------------------------------


def _ticked(data: QueryDict) -> tuple[set[uuid.UUID], set[uuid.UUID]]:
    """Return the rows that were shown, and those of them that are chosen."""
    try:
        shown = {uuid.UUID(one) for one in data.getlist("shown")}
        ticked = {uuid.UUID(one) for one in data.getlist("row")}
    except ValueError:
        raise SweepInvalid("A chosen row does not belong to this sweep: load it again.") from None
    return shown, shown - ticked if data.get("which") == OTHERS else ticked & shown


def _first(data: QueryDict) -> int:
    text = data.get("first", "").strip()
    if not _NUMBER.fullmatch(text):
        raise SweepInvalid("Say down to which row, by its number; 0 for none.")
    return int(text)


def _number(request: HttpRequest) -> int:
    return _whole(request.GET.get("page", "")) or 1


def _whole(text: str) -> int:
    return int(text) if _NUMBER.fullmatch(text) else 0


# --- what is shown ---------------------------------------------------------------------------


def _page(
    request: HttpRequest,
    site: AdminSite,
    errand_id: uuid.UUID,
    form: ChoiceForm,
    *,
    fault: str = "",
    status: int = 200,
) -> HttpResponse:
    reader = allowed(request, permissions.REVIEW, permissions.SEE)
    every = request.GET.get("show") == EVERY
    view = sweep_view(errand_id, page=_number(request), every=every)
    context = {
        **site.each_context(request),
        "title": f"Sweep {str(errand_id)[:8]}",
        "here": reverse(SWEEP, args=[errand_id]),
        "view": view,
        "every": every,
        "state": state_words(sweep_line(view)),
        "trouble": fault_words(view.errand.fault),
        "account": view.account,
        "asked": asked_words(view.account.asked) if view.account else "",
        "searched": _searched(view),
        "tiles": [(row, row.row.nameable) for row in view.rows],
        "turns": [n for n in (view.page - 1, view.page + 1) if 1 <= n <= view.pages],
        **_standing(view, reader),
        "tiers": [
            (tier, sentence, tier in TIERS, tier == form.tier)
            for tier, sentence in words.TIER_WORDS.items()
        ],
        "reasons": [(code, said, code == form.reason) for code, said in SWEEP_REASONS.items()],
        "form": form,
        "words_max": WORDS_MAX,
        "days_kept": DAYS_KEPT,
        "fault": fault,
    }
    response = TemplateResponse(request, "unlist_admin/sweep.html", context, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _standing(view: SweepView, reader: User) -> dict[str, Any]:
    """Return what is proposed, and what this reader can do now."""
    proposal = view.proposal
    running = proposal is not None and proposal.state in PROPOSAL_OPEN
    reviews = reader.has_perm(permissions.REVIEW)
    ended = view.account is None
    return {
        "proposal": proposal if running else None,
        "facts": _facts(view),
        "undoable": running and proposal is not None and proposal.undoable_by(reader),
        "confirmable": running and proposal is not None and proposal.confirmable_by(reader),
        "refused": proposal is not None and proposal.state == ProposalState.REFUSED,
        "searching": view.errand.state in ERRAND_OPEN and not ended,
        "ended": ended,
        "choosable": reviews
        and not running
        and not ended
        and view.errand.state == ErrandState.DONE,
        "dismissable": reviews and not running and not ended,
        "reveals": reader.has_perm(permissions.REVEAL),
    }


def _facts(view: SweepView) -> dict[str, Any]:
    """Return what the proposal says, in words."""
    facts = view.proposal_facts
    return {**facts, "reason": SWEEP_REASONS.get(str(facts.get("reason")), "")}


def _searched(view: SweepView) -> list[tuple[str, int | None]]:
    """Return how many rows of each dataset were searched; None where that is not known yet."""
    if view.account is None:
        return []
    return [(name, view.account.searched.get(name)) for name in view.account.asked.datasets]
