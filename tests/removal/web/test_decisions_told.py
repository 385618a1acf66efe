"""A decision reaches the person when it takes effect, with a reason in their own language."""

import datetime as dt
import html
from typing import Any

import pytest
from django.conf import settings as live
from django.test import Client
from django.utils import timezone
from django.utils.translation import override

from removal.life.effects import proposals_take_effect
from removal.life.escalation import request_escalate
from removal.life.proposals import decision_propose, proposal_confirm, proposal_undo
from removal.life.review import request_extend
from removal.models import Proposal, RemovalRequest
from removal.reasons import DENIAL_REASONS, NO_MATCH_REASONS, REASONS, ready_statement
from tests.removal import factories
from tests.removal.factories import Case
from tests.removal.web.following import begin, shown

CODES = [code for code, _ in live.LANGUAGES]


def refused(case: Case, reviewer: Any, statement: str = "") -> Proposal:
    return decision_propose(
        request_id=case.request_id,
        reviewer=reviewer,
        approve=[],
        deny_reason="different_picture",
        statement=statement,
        tier=None,
    )


def told(client: Client, receipt: str) -> Any:
    answer = client.post("/api/v1/status/", {"receipt": receipt}, content_type="application/json")
    assert answer.status_code == 200
    return answer.json()


def time_is_over() -> None:
    """Let the time to undo pass for all that counts, and have the worker come by."""
    Proposal.objects.filter(state="counting").update(
        effective_at=timezone.now() - dt.timedelta(seconds=1)
    )
    proposals_take_effect()


@pytest.mark.parametrize("code", CODES)
def test_every_reason_is_told_in_every_language(visitor: Client, code: str) -> None:
    case = factories.decided(approve=(), reason="unfounded")
    begin(visitor, case.receipt)
    for reason in DENIAL_REASONS:
        RemovalRequest.objects.update(reason=reason)
        with override(code):
            sentence = str(REASONS[reason])
        assert html.escape(sentence) in visitor.get(f"/{code}/status/").content.decode()


@pytest.mark.parametrize("code", [code for code in CODES if code != "en"])
def test_no_reason_and_no_ready_statement_is_left_in_english(code: str) -> None:
    for reason, sentence in {**DENIAL_REASONS, **NO_MATCH_REASONS}.items():
        with override("en"):
            english = str(sentence)
        with override(code):
            assert str(sentence) != english, reason
    for reason in ("", *DENIAL_REASONS):
        assert ready_statement(reason, code) != ready_statement(reason, "en") or not (
            ready_statement(reason, "en")
        )


def test_a_decision_is_told_when_it_cannot_be_undone_any_more(visitor: Client) -> None:
    case, anna = factories.in_review(), factories.staff_user()
    refused(case, anna, "We looked at it again.")
    assert (told(visitor, case.receipt)["state"], told(visitor, case.receipt)["decision"]) == (
        "in_review",
        None,
    )
    assert "We looked at it again." not in shown(visitor, case.receipt)
    time_is_over()
    page = shown(visitor, case.receipt)
    assert '<span class="state">Refused</span>' in page
    assert "We looked at it again." in page
    assert html.escape(str(DENIAL_REASONS["different_picture"])) in page
    assert told(visitor, case.receipt)["decision"]["reason"] == "different_picture"


def test_what_was_undone_is_never_told(visitor: Client) -> None:
    case, anna = factories.in_review(), factories.staff_user()
    proposal = refused(case, anna, "A slip of the mouse.")
    proposal_undo(proposal_id=proposal.pk, reviewer=anna)
    time_is_over()
    assert told(visitor, case.receipt)["state"] == "in_review"
    assert "A slip of the mouse." not in shown(visitor, case.receipt)


def test_what_waits_for_a_second_person_is_told_once_that_has_confirmed_it(
    visitor: Client,
) -> None:
    case = factories.in_review(category="child")
    proposal = refused(case, factories.staff_user(), "Not this one.")
    time_is_over()
    assert told(visitor, case.receipt)["state"] == "in_review"
    proposal_confirm(proposal_id=proposal.pk, reviewer=factories.staff_user("second"))
    assert told(visitor, case.receipt)["state"] == "in_review"
    time_is_over()
    assert told(visitor, case.receipt)["state"] == "denied"


def test_an_escalated_request_looks_to_its_person_as_before(visitor: Client) -> None:
    """Whoever sent it is not warned."""
    case = factories.in_review()
    before = told(visitor, case.receipt)
    request_escalate(request_id=case.request_id, reviewer=factories.staff_user())
    assert told(visitor, case.receipt) == before


def test_the_one_extension_is_told_with_its_reason_while_a_decision_waits(
    visitor: Client,
) -> None:
    case, anna = factories.in_review(category="medical"), factories.staff_user()
    RemovalRequest.objects.update(due_on=timezone.now().date() + dt.timedelta(days=5))
    refused(case, anna)
    request_extend(request_id=case.request_id, reviewer=anna, reason="Two of us must look.")
    assert "Two of us must look." in shown(visitor, case.receipt)
    assert told(visitor, case.receipt)["extended"] is not None
