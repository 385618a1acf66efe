"""One request on one screen: the photo beside its matches, the decision, the clock, the history.

Pictures come one by one, each in a frame of its own: a frame shows a placeholder until its button
is pressed, which is a POST, noted in the audit log, and answered with the picture and `no-store`.
So no picture travels unasked, revealing one leaves the half-filled decision as it is, and all of
it works without script.
"""

import base64
import uuid
from collections.abc import Callable
from typing import Any, Final, cast

from csp.decorators import csp_replace
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods

from indexer.decode import DecoderUnavailable
from removal import audit
from removal.custody.secrets import SecretUnavailable
from removal.desk import words
from removal.desk.forms import DecisionForm, TalkForm
from removal.life.deciding import STATEMENT_MAX, AlreadyDecided, DecisionInvalid, request_decide
from removal.life.messages import MESSAGE_MAX, conversation_open
from removal.life.questions import ANSWER_DAYS, QUESTIONS_MAX
from removal.life.reveals import candidate_reveal, photo_reveal
from removal.life.review import REASON_MAX, request_extend
from removal.lifecycle import OPEN
from removal.models import Category, Kind, State, Verdict, today
from removal.reasons import DENIAL_REASONS
from removal.selectors import CandidateView, RequestGone, ReviewCase, review_case

REVIEW: Final = "admin:removal_removalrequest_change"


def _allowed(request: HttpRequest) -> None:
    if not request.user.has_perm(words.PERMISSION):
        raise PermissionDenied


def case_shown(request: HttpRequest, request_id: uuid.UUID) -> ReviewCase:
    """Open a request for whoever may; others are turned away."""
    _allowed(request)
    try:
        return review_case(request_id=request_id, reviewer=request.user)  # type: ignore[arg-type]
    except RequestGone as gone:
        raise Http404(str(gone)) from None


@require_http_methods(["GET", "HEAD", "POST"])
def review(request: HttpRequest, request_id: uuid.UUID, site: AdminSite) -> HttpResponse:
    """Show a request; take a decision about it."""
    case = case_shown(request, request_id)
    if request.method != "POST":
        return page(request, case, DecisionForm(), site)
    form = DecisionForm.read(request.POST, case.candidates)
    try:
        outcome = request_decide(
            request_id=request_id,
            reviewer=request.user,  # type: ignore[arg-type]
            approve=form.approved(),
            deny_reason=form.reason or None,
            statement=form.statement,
            tier=form.tier or None,
            seen=form.seen,
        )
    except DecisionInvalid as invalid:
        return page(request, case, form, site, fault=str(invalid), status=400)
    except (AlreadyDecided, RequestGone) as late:
        messages.error(request, str(late))
        return redirect(REVIEW, request_id)
    messages.success(request, f"Recorded: {State(outcome).label.lower()}.")
    return redirect(REVIEW, request_id)


@require_http_methods(["POST"])
def extend(request: HttpRequest, request_id: uuid.UUID) -> HttpResponse:
    """Extend the clock once, with a reason that the person is told."""
    _allowed(request)
    try:
        request_extend(
            request_id=request_id,
            reviewer=request.user,  # type: ignore[arg-type]
            reason=request.POST.get("extension", ""),
        )
    except RequestGone as gone:
        raise Http404(str(gone)) from None
    except DecisionInvalid as invalid:
        messages.error(request, str(invalid))
    else:
        messages.success(request, "The clock has been extended, and the person is told why.")
    return redirect(REVIEW, request_id)


def page(
    request: HttpRequest,
    case: ReviewCase,
    form: DecisionForm,
    site: AdminSite,
    *,
    talk: TalkForm | None = None,
    fault: str = "",
    status: int = 200,
) -> HttpResponse:
    """Show a request with the forms as they were sent."""
    state = State(case.request.state)
    context = {
        **site.each_context(request),
        "title": f"Request {str(case.request.pk)[:8]}",
        "case": case,
        "state": state,
        "category": Category(case.request.category).label if case.request.category else "",
        "outcome": _outcome(case),
        "due": words.due_of(case.request.due_on, state),
        "open": state in OPEN,
        "decidable": state == State.IN_REVIEW and not case.deleted,
        "extendable": state in OPEN
        and case.request.extended_on is None
        and case.request.appealed_on is None
        and case.request.due_on > today(),
        **_talk(case, state, request.user.pk),
        "groups": [
            _group(case, kind, form, talk or TalkForm()) for kind in Kind if _of_kind(case, kind)
        ],
        "progress": words.progress_words(case.progress, state),
        "form": form,
        "talk": talk or TalkForm(),
        "fault": fault,
        "reasons": DENIAL_REASONS.items(),
        "tiers": words.TIER_WORDS.items(),
        "statement_max": STATEMENT_MAX,
        "reason_max": REASON_MAX,
        "history": [(entry, words.ACT_WORDS.get(entry.act, entry.act)) for entry in case.history],
    }
    response = TemplateResponse(request, "unlist_admin/review.html", context, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _talk(case: ReviewCase, state: State, reader: int | None) -> dict[str, Any]:
    """Return what the page says of the conversation, and what can be said now."""
    asked = [candidate for candidate in case.candidates if candidate.question]
    similar = {candidate.id for candidate in _of_kind(case, Kind.SIMILAR)}
    decided_by = [entry.actor for entry in case.history if entry.act == "decided"]
    return {
        "talking": not case.deleted and conversation_open(case.request),
        "askable": state == State.IN_REVIEW and bool(similar - {row.id for row in asked}),
        "asked": len(asked),
        "answered": sum(row.question.mine is not None for row in asked if row.question),
        "own_decision": case.request.appealed_on is not None
        and audit.staff(reader or 0) in decided_by,
        "message_max": MESSAGE_MAX,
        "questions_max": QUESTIONS_MAX,
        "answer_days": ANSWER_DAYS,
    }


def _of_kind(case: ReviewCase, kind: Kind) -> list[CandidateView]:
    return [candidate for candidate in case.candidates if candidate.kind == kind]


def _group(case: ReviewCase, kind: Kind, form: DecisionForm, talk: TalkForm) -> dict[str, Any]:
    """Return the rows of one kind, each with its evidence in words and whether it is ticked."""
    return {
        "kind": kind.value,
        "name": words.KIND_WORDS[kind],
        "help": words.KIND_HELP[kind],
        "ticked": kind.value in form.kinds,
        "rows": [
            {
                "row": candidate,
                "evidence": words.evidence_words(candidate.evidence),
                "ticked": str(candidate.id) in form.rows,
                "listed": candidate.verdict == Verdict.APPROVED,
                "asked": str(candidate.id) in talk.asked,
                "tile": _tile(candidate),
            }
            for candidate in _of_kind(case, kind)
        ],
    }


def _outcome(case: ReviewCase) -> str:
    return State(case.request.outcome).label if case.request.outcome else ""


def _tile(candidate: CandidateView) -> str:
    """Return the tile that the person was shown, for the page."""
    question = candidate.question
    return base64.b64encode(question.tile).decode() if question else ""


BUSY = "Nothing can decode pictures at this moment. Load the page again in a minute."

# --- pictures --------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
def photo(request: HttpRequest, photo_id: uuid.UUID) -> HttpResponse:
    """A frame: a submitted photo, hidden until asked for."""
    return _frame(
        request,
        lambda: photo_reveal(photo_id=photo_id, reviewer=request.user),  # type: ignore[arg-type]
    )


@require_http_methods(["GET", "HEAD", "POST"])
def candidate(request: HttpRequest, candidate_id: uuid.UUID) -> HttpResponse:
    """A frame: the picture of a row, hidden until asked for."""
    return _frame(
        request,
        lambda: candidate_reveal(candidate_id=candidate_id, reviewer=request.user),  # type: ignore[arg-type]
    )


def _frame(request: HttpRequest, reveal: Callable[[], bytes | None]) -> HttpResponse:
    _allowed(request)
    context: dict[str, str] = {}
    if request.method == "POST":
        context = _revealed(reveal)
    response = TemplateResponse(request, "unlist_admin/picture.html", context)
    response.headers["Cache-Control"] = "no-store"
    return _framed_by_us(request, response)


def _framed_by_us(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Let the review page, and no other site's, hold the answer in a frame."""
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    policed = csp_replace({"frame-ancestors": ["'self'"]})(lambda _: response)
    return cast("HttpResponse", policed(request))


def _revealed(reveal: Callable[[], bytes | None]) -> dict[str, str]:
    try:
        picture = reveal()
    except (RequestGone, SecretUnavailable) as gone:
        return {"missing": str(gone)}
    except DecoderUnavailable:
        return {"missing": BUSY}
    if picture is None:
        return {
            "missing": "The dataset holds no picture for this row, or its file has changed since "
            "it was indexed."
        }
    return {"picture": base64.b64encode(picture).decode()}
