"""Escalation: out of everybody's sight, kept as it is, and never on a list."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from removal.audit import audit_verify
from removal.custody import blobs
from removal.life import claims, effects, retention, reveals, review
from removal.life.deciding import decision_check, decision_take
from removal.life.destroying import RequestHeld, case_destroy, photos_destroy, request_erase
from removal.life.effects import ProposalRefused, proposals_take_effect
from removal.life.escalation import (
    EscalationRefused,
    escalation_procedure,
    escalation_return,
    hold_end,
    request_escalate,
)
from removal.life.fetches import fetch_wanted
from removal.life.listable import DecisionInvalid
from removal.life.proposals import decision_propose, proposal_confirm
from removal.life.questions import question_put, requests_expire
from removal.life.rules import rules_apply
from removal.life.spreading import duplicates_propose
from removal.models import (
    AuditEntry,
    Candidate,
    Claim,
    Photo,
    Proposal,
    RemovalRequest,
    State,
    Wrap,
    today,
)
from removal.selectors import RequestGone, queue, review_case
from removal.selectors.queue import needing
from removal.selectors.sight import requests_seen
from tests.removal import factories
from tests.removal.deciding import request_decide
from tests.removal.factories import Case, match

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]


@pytest.fixture
def rita() -> User:
    return factories.role_user("rita", "reviewer")


@pytest.fixture
def anna() -> User:
    return factories.role_user("anna", "approver")


@pytest.fixture
def eve() -> User:
    return factories.role_user("eve", "escalation")


def escalated(by: User, **submission: Any) -> Case:
    case = factories.in_review(**submission)
    request_escalate(request_id=case.request_id, reviewer=by)
    return case


def long_ago(case: Case) -> None:
    """Make everything due that can be."""
    day = today() - dt.timedelta(days=800)
    RemovalRequest.objects.filter(pk=case.request_id).update(
        received_on=day,
        due_on=day,
        decided_on=day,
        closed_on=day,
        photos_delete_on=day,
    )


def test_it_is_gone_for_everybody_but_the_escalation_role(
    rita: User, anna: User, eve: User
) -> None:
    case = escalated(rita, note="see this")
    photo = Photo.objects.get(request=case.request_id)
    for person in (rita, anna, factories.role_user("audra", "auditor")):
        assert not requests_seen(person).exists()
        with pytest.raises(RequestGone):
            review_case(request_id=case.request_id, reviewer=person)
        with pytest.raises(RequestGone):
            reveals.photo_reveal(photo_id=photo.pk, reviewer=person)
        with pytest.raises(RequestGone):
            request_escalate(request_id=case.request_id, reviewer=person)
    assert review_case(request_id=case.request_id, reviewer=eve).note == "see this"
    assert reveals.photo_reveal(photo_id=photo.pk, reviewer=eve).startswith(b"\xff\xd8")
    assert queue() == []
    assert not needing(rita).exists()


def test_another_request_for_the_same_rows_does_not_tell_of_it(rita: User, eve: User) -> None:
    other = factories.in_review()
    escalated(rita)
    for person, hits in ((rita, 0), (eve, 1)):
        case = review_case(request_id=other.request_id, reviewer=person)
        assert {row.other_requests for row in case.candidates} == {hits}


def test_it_is_noted_with_who_and_when_and_nothing_else(rita: User) -> None:
    escalated(rita, note="marked note")
    entry = AuditEntry.objects.get(act="escalated")
    assert (entry.actor, entry.detail, entry.at is not None) == (
        f"staff:{rita.pk}",
        {"listed": 0},
        True,
    )
    audit_verify()


def test_what_was_proposed_about_it_ends_and_its_claim_too(
    rita: User, anna: User, eve: User
) -> None:
    case = factories.in_review(category="medical")
    candidates = [row.pk for row in case.candidates]
    proposal = decision_propose(
        request_id=case.request_id,
        reviewer=rita,
        approve=candidates,
        deny_reason=None,
        statement="",
        tier="exact",
    )
    claims.claim(request_id=case.request_id, reviewer=rita)
    request_escalate(request_id=case.request_id, reviewer=anna)
    proposal.refresh_from_db()
    assert (proposal.state, bytes(proposal.payload_sealed)) == ("stale", b"")
    assert not Claim.objects.exists()
    with pytest.raises(RequestGone):
        proposal_confirm(proposal_id=proposal.pk, reviewer=anna)
    with pytest.raises(ProposalRefused):
        proposal_confirm(proposal_id=proposal.pk, reviewer=factories.staff_user())


def test_no_decision_is_made_while_it_is_held_and_no_row_listed_after(
    rita: User, eve: User, told: list[int]
) -> None:
    case = escalated(rita)
    rows = list(Candidate.objects.values_list("pk", flat=True))
    given: dict[str, Any] = {"request_id": case.request_id, "reviewer": eve, "statement": ""}
    for approve, reason, tier in ((rows, None, "exact"), ([], "legal_duty", None)):
        with pytest.raises(DecisionInvalid, match="legal hold"):
            request_decide(**given, approve=approve, deny_reason=reason, tier=tier)
        with pytest.raises(DecisionInvalid, match="legal hold"):
            decision_propose(**given, approve=approve, deny_reason=reason, tier=tier)
    hold_end(request_id=case.request_id, reviewer=eve)
    with pytest.raises(DecisionInvalid, match="escalated"):
        decision_propose(**given, approve=rows, deny_reason=None, tier="exact")
    request_decide(**given, approve=[], deny_reason="legal_duty", tier=None)
    assert (case.request.state, told) == (State.DENIED, [])


def test_an_escalation_in_the_last_second_beats_a_decision(
    rita: User, anna: User, told: list[int], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 0})
    case = factories.in_review()
    rows = [row.pk for row in case.candidates]

    real = decision_take

    def first_escalated(decision: Any, **names: Any) -> str:
        request_escalate(request_id=case.request_id, reviewer=rita)
        return real(decision, **names)

    monkeypatch.setattr(effects, "decision_take", first_escalated)
    proposal = decision_propose(
        request_id=case.request_id,
        reviewer=anna,
        approve=rows,
        deny_reason=None,
        statement="",
        tier="exact",
    )
    assert (proposal.state, told) == ("stale", [])
    assert proposals_take_effect() == 0


# --- the legal hold ---------------------------------------------------------------------------


def test_retention_leaves_alone_what_is_held(
    rita: User, eve: User, django_capture_on_commit_callbacks: Any
) -> None:
    case, free = escalated(rita), factories.in_review()
    RemovalRequest.objects.filter(pk=case.request_id).update(state=State.WITHDRAWN)
    RemovalRequest.objects.filter(pk=free.request_id).update(state=State.WITHDRAWN)
    for one in (case, free):
        long_ago(one)
    files = set(blobs.folder().glob("*"))
    with django_capture_on_commit_callbacks(execute=True):
        retention.retention_run()
    assert not RemovalRequest.objects.filter(pk=free.request_id).exists()
    held = case.request
    assert (held.photos_deleted_on, held.case_deleted_on) == (None, None)
    assert len(set(blobs.folder().glob("*"))) == len(files) - 1
    photo = Photo.objects.get(request=case.request_id)
    assert reveals.photo_reveal(photo_id=photo.pk, reviewer=eve)

    hold_end(request_id=case.request_id, reviewer=eve)
    with django_capture_on_commit_callbacks(execute=True):
        retention.retention_run()
    assert not RemovalRequest.objects.exists()
    audit_verify()


def test_neither_the_person_nor_a_command_destroys_what_is_held(
    rita: User, eve: User, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = escalated(rita)
    wraps = Wrap.objects.count()
    with django_capture_on_commit_callbacks(execute=True):
        review.photos_delete_now(opened=case.opened())
        review.request_withdraw(opened=case.opened())
    assert not photos_destroy(case.request_id)
    assert not case_destroy(case.request_id)
    with pytest.raises(RequestHeld):
        request_erase(case.request_id)
    monkeypatch.setattr("sys.stdin", _Typed(case.receipt))
    with pytest.raises(CommandError, match="legal hold"):
        call_command("erase_request")
    assert Wrap.objects.count() == wraps
    assert case.request.photos_deleted_on is None
    hold_end(request_id=case.request_id, reviewer=eve)
    assert photos_destroy(case.request_id)  # as the person wished, once it may be


class _Typed:
    def __init__(self, line: str) -> None:
        self.line = line

    def isatty(self) -> bool:
        return False

    def readline(self) -> str:
        return self.line + "\n"


def test_a_question_that_nobody_answered_ends_no_held_request(
    anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = factories.in_review()
    monkeypatch.setattr("removal.life.questions.row_picture", lambda *_: factories.photo_bytes())

    similar = case.candidates[2].pk
    question_put(request_id=case.request_id, reviewer=anna, candidate_ids=[similar])
    request_escalate(request_id=case.request_id, reviewer=anna)
    RemovalRequest.objects.update(answer_due_on=today() - dt.timedelta(days=1))
    assert requests_expire() == 0
    assert case.request.state == State.NEEDS_INFO


def test_only_the_escalation_role_ends_it_or_gives_it_back(
    rita: User, anna: User, eve: User
) -> None:
    case = escalated(rita)
    for end in (hold_end, escalation_return):
        with pytest.raises(RequestGone):
            end(request_id=case.request_id, reviewer=anna)
    escalation_return(request_id=case.request_id, reviewer=eve)
    assert (case.request.held_on, case.request.escalated_on) == (None, None)
    assert requests_seen(rita).count() == 1
    for end in (hold_end, escalation_return):
        with pytest.raises(EscalationRefused):
            end(request_id=case.request_id, reviewer=eve)
        with pytest.raises(EscalationRefused) as refused:
            end(request_id=case.request_id, reviewer=anna)
        assert refused.value.code == "no_right"
    acts = AuditEntry.objects.values_list("act", flat=True)
    assert list(acts)[-2:] == ["escalated", "escalation_returned"]


def test_it_is_escalated_once_and_can_be_held_again(rita: User, eve: User) -> None:
    case = escalated(rita)
    with pytest.raises(EscalationRefused) as refused:
        request_escalate(request_id=case.request_id, reviewer=eve)
    assert refused.value.code == "held_before"
    hold_end(request_id=case.request_id, reviewer=eve)
    request_escalate(request_id=case.request_id, reviewer=eve)
    assert case.request.held_on == today()


def test_an_auditor_escalates_nothing_and_what_is_gone_is_not_held(rita: User) -> None:
    case = factories.in_review()
    with pytest.raises(EscalationRefused, match="role of a reviewer"):
        request_escalate(
            request_id=case.request_id, reviewer=factories.role_user("audra", "auditor")
        )
    case_destroy(case.request_id)
    with pytest.raises(EscalationRefused) as refused:
        request_escalate(request_id=case.request_id, reviewer=rita)
    assert (refused.value.code, case.request.held_on) == ("gone", None)


def test_rows_that_were_listed_before_are_counted(rita: User) -> None:
    case = factories.decided()
    assert request_escalate(request_id=case.request_id, reviewer=rita) == 2
    assert not Proposal.objects.exists()


# --- the procedure ----------------------------------------------------------------------------


def test_the_operators_own_procedure_is_shown(settings: Any, tmp_path: Path) -> None:
    path = tmp_path / "procedure.txt"
    path.write_text("Call Sam: +49 30 1234.\n")
    settings.UNLIST = settings.UNLIST.model_copy(update={"escalation_procedure": path})
    assert escalation_procedure().text == "Call Sam: +49 30 1234."
    assert escalation_procedure().own


def test_without_one_the_least_is_said(settings: Any) -> None:
    told = escalation_procedure()
    assert not told.own
    assert settings.UNLIST.hotline_url in told.text
    assert "{" not in told.text


# --- rows that another request hits too ----------------------------------------------------------


def hide(case: Case) -> None:
    finder = factories.role_user("finder", "reviewer")
    request_escalate(request_id=case.request_id, reviewer=finder)


def twice(category: str = "personal") -> tuple[Case, Case]:
    """Return two requests that hit the same rows, of which the first is escalated."""
    rows = [match("exact", key="000000001", score=1.0), match("copy", key="000000002")]
    first, second = (factories.in_review(rows, category=category) for _ in range(2))
    hide(first)
    return first, second


def check(case: Case, *places: int) -> Any:
    return decision_check(
        request_id=case.request_id,
        approve=[case.candidates[place].pk for place in places],
        deny_reason=None if len(places) == 2 else "different_picture",
        statement="",
        tier="exact",
    )


@pytest.mark.parametrize("places", [(0,), (0, 1)])
def test_a_row_of_an_escalated_request_is_listed_for_no_other(places: tuple[int, ...]) -> None:
    first, second = twice()
    with pytest.raises(DecisionInvalid, match="escalated with another request"):
        check(second, *places)
    assert check(second).outcome == State.DENIED
    escalation_return(request_id=first.request_id, reviewer=factories.role_user("e", "escalation"))
    assert len(check(second, *places).approved) == len(places)


def test_a_rule_leaves_such_a_row_to_a_person(settings: Any) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"rule_categories": ("personal",)})
    rows = [match("exact", key="000000001", score=1.0)]
    first, second = factories.in_review(rows), factories.in_review(rows)
    hide(first)
    assert rules_apply() == 0
    assert second.request.state == State.IN_REVIEW


def test_a_copy_that_came_to_be_escalated_is_not_approved(settings: Any) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 0})
    case, other = factories.decided(), factories.in_review([match("copy", key="000000101")])
    [row, clean] = factories.offered(case, "000000101", "000000102")
    Candidate.objects.filter(pk=row.pk).update(row_tag=other.candidates[0].row_tag)
    hide(other)
    anna = factories.role_user("anna", "approver")
    with pytest.raises(DecisionInvalid, match="escalated with another request"):
        duplicates_propose(request_id=case.request_id, reviewer=anna, approve=[row.pk])
    duplicates_propose(request_id=case.request_id, reviewer=anna, approve=[clean.pk])
    assert {one.pk for one in case.candidates if one.verdict == "approved"} >= {clean.pk}


def test_nothing_is_fetched_for_such_a_row() -> None:
    first, second = twice()
    assert not any(fetch_wanted(candidate) for candidate in second.candidates)
    escalation_return(request_id=first.request_id, reviewer=factories.role_user("e", "escalation"))
    assert all(fetch_wanted(candidate) for candidate in second.candidates)
