"""The appeal: once, in time, and nothing that was approved is taken back or listed twice."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from removal import audit
from removal.life import appeals, review
from removal.life.closing import request_release
from removal.life.deciding import RequestChanged
from removal.life.destroying import request_erase
from removal.life.listable import DecisionInvalid
from removal.life.questions import question_put, requests_expire
from removal.lifecycle import TransitionRefused
from removal.models import AuditEntry, RemovalRequest, State, Verdict, today
from removal.selectors import requests_awaiting_release, review_case
from tests.removal import factories
from tests.removal.deciding import request_decide
from tests.removal.factories import Case

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]
FAR = 10**9


def appeal(case: Case, text: str = "Look again, please.") -> str:
    return appeals.request_appeal(opened=case.opened(), text=text)


def decide(case: Case, *places: int, reason: str | None = None, **changes: Any) -> str:
    candidates = case.candidates
    return request_decide(
        request_id=case.request_id,
        reviewer=factories.staff_user(),
        approve=[candidates[place].pk for place in places],
        deny_reason=reason,
        statement="",
        tier="exact" if places else None,
        **changes,
    )


def partly(**changes: Any) -> Case:
    return factories.decided(approve=(0,), reason="different_picture", **changes)


def denied() -> Case:
    return factories.decided(approve=(), reason="public_interest", statement="no")


def partly_released() -> Case:
    case = partly()
    request_release(request_id=case.request_id, release=1)
    return case


def aged(case: Case, days: int) -> Case:
    """Let some days pass since the decision."""
    request = case.request
    passed = dt.timedelta(days=days)
    RemovalRequest.objects.filter(pk=case.request_id).update(
        received_on=request.received_on - passed,
        due_on=request.due_on - passed,
        decided_on=(request.decided_on or today()) - passed,
        closed_on=request.closed_on and request.closed_on - passed,
        photos_delete_on=request.photos_delete_on - passed,
    )
    return case


@pytest.mark.parametrize("make", [denied, factories.no_match, partly, partly_released])
def test_an_appeal_brings_the_request_back_with_a_clock_of_its_own(
    make: Callable[[], Case],
) -> None:
    case = aged(make(), 10)
    before = case.request
    assert appeals.appeal_until(before) == today() + dt.timedelta(days=4)
    assert appeal(case, " words 5521 ") == "in_review"
    request = case.request
    assert (request.state, request.appealed_on) == (State.IN_REVIEW, today())
    assert request.closed_on is None
    assert (request.outcome, request.reason) == (before.outcome, before.reason)
    assert request.due_on > today() + dt.timedelta(days=27)
    assert request.photos_delete_on == request.received_on + dt.timedelta(days=120)
    assert request.released_in == before.released_in
    view = review_case(request_id=case.request_id, reviewer=factories.staff_user())
    assert view.appeal == "words 5521"
    assert b"5521" not in bytes(request.appeal_sealed)
    entry = AuditEntry.objects.latest("seq")
    assert (entry.act, entry.actor, entry.at, entry.detail) == (
        "appealed",
        "subject",
        None,
        {"state": "in_review"},
    )
    audit.audit_verify()


def test_a_second_appeal_is_refused() -> None:
    case = denied()
    appeal(case)
    decide(case, reason="unfounded")
    assert appeals.appeal_until(case.request) is None
    with pytest.raises(appeals.AppealRefused) as refusal:
        appeal(case)
    assert refusal.value.code == "appealed_before"
    assert case.request.state == State.DENIED


def test_an_appeal_after_fourteen_days_is_too_late() -> None:
    last, late = aged(denied(), 14), aged(denied(), 15)
    appeal(last)
    with pytest.raises(appeals.AppealRefused) as refusal:
        appeal(late)
    assert refusal.value.code == "too_late"
    assert (last.request.state, late.request.state) == (State.IN_REVIEW, State.DENIED)


@pytest.mark.parametrize(
    "make", [factories.received, factories.in_review, factories.decided, factories.released]
)
def test_what_refuses_nothing_cannot_be_appealed(make: Callable[[], Case]) -> None:
    case = make()
    with pytest.raises(appeals.AppealRefused) as refusal:
        appeal(case)
    assert refusal.value.code == "nothing_to_appeal"
    assert isinstance(refusal.value, TransitionRefused)
    assert appeals.appeal_until(case.request) is None


def test_an_appeal_needs_words() -> None:
    case = denied()
    for text in ("", "x" * (appeals.APPEAL_MAX + 1)):
        with pytest.raises(appeals.AppealInvalid):
            appeal(case, text)
    assert case.request.state == State.DENIED


def test_an_erased_request_cannot_be_appealed() -> None:
    case = denied()
    opened = case.opened()
    request_erase(case.request_id)
    with pytest.raises(TransitionRefused):
        appeals.request_appeal(opened=opened, text="words")


def test_photos_that_are_gone_stay_gone_and_what_is_due_stays_due() -> None:
    gone = denied()
    review.photos_delete_now(opened=gone.opened())
    appeal(gone)
    assert gone.request.photos_deleted_on == today()
    due = aged(denied(), 14)
    appeal(due)
    assert due.request.photos_delete_on == today()


def test_the_clocks_of_retention_begin_anew_with_the_new_decision() -> None:
    case = aged(denied(), 9)
    appeal(case)
    decide(case, reason="unfounded")
    request = case.request
    assert request.decided_on == request.closed_on == today()
    assert request.photos_delete_on == today() + dt.timedelta(days=14)


def test_nothing_found_twice_has_a_reason_of_its_own() -> None:
    case = factories.no_match()
    appeal(case)
    assert decide(case, reason="nothing_found") == "denied"


def test_the_month_of_an_appeal_is_not_extended() -> None:
    case = denied()
    appeal(case)
    with pytest.raises(DecisionInvalid, match="not appealed"):
        review.request_extend(
            request_id=case.request_id, reviewer=factories.staff_user(), reason="busy"
        )


def test_what_was_approved_stays_and_only_the_new_is_listed(told: list[int]) -> None:
    case = partly()
    appeal(case)
    assert decide(case, 0, 1) == "approved"
    assert told == [1, 1]
    verdicts = [candidate.verdict for candidate in case.candidates]
    assert verdicts == [Verdict.APPROVED, Verdict.APPROVED, Verdict.DENIED]
    entry = AuditEntry.objects.filter(act="decided").latest("seq")
    assert (entry.detail["approved"], entry.detail["listed_before"]) == (1, 1)


def test_an_appeal_in_vain_takes_nothing_back(told: list[int]) -> None:
    case = partly()
    appeal(case)
    with pytest.raises(DecisionInvalid, match="need a reason"):
        decide(case)
    assert decide(case, reason="public_interest") == "partly_approved"
    assert (told, case.request.tier) == ([1], "exact")
    assert case.candidates[0].verdict == Verdict.APPROVED
    assert requests_awaiting_release(up_to_seq=FAR) == [case.request_id]


def test_a_released_part_is_not_released_again(told: list[int]) -> None:
    case = partly_released()
    appeal(case)
    assert requests_awaiting_release(up_to_seq=FAR) == []
    assert decide(case, reason="public_interest") == "released"
    request = case.request
    assert (request.state, request.outcome) == (State.RELEASED, State.PARTLY_APPROVED)
    assert (request.released_in, request.closed_on) == ([1], today())
    assert requests_awaiting_release(up_to_seq=FAR) == []
    assert told == [1]
    audit.audit_verify()


def test_a_released_part_with_more_after_the_appeal_is_told_of_both() -> None:
    case = partly_released()
    appeal(case)
    assert decide(case, 1) == "approved"
    assert requests_awaiting_release(up_to_seq=FAR) == [case.request_id]
    request_release(request_id=case.request_id, release=2)
    request_release(request_id=case.request_id, release=2)
    assert (case.request.state, case.request.released_in) == (State.RELEASED, [1, 2])


def test_an_appeal_delays_no_release_of_what_was_approved() -> None:
    case = partly()
    appeal(case)
    assert requests_awaiting_release(up_to_seq=FAR) == [case.request_id]
    request_release(request_id=case.request_id, release=4)
    request_release(request_id=case.request_id, release=4)
    assert (case.request.state, case.request.released_in) == (State.IN_REVIEW, [4])
    assert requests_awaiting_release(up_to_seq=FAR) == []
    assert decide(case, reason="public_interest") == "released"
    acts = AuditEntry.objects.values_list("act", flat=True).order_by("seq")
    assert list(acts)[-3:] == ["release_noted", "decided", "released"]


def test_who_withdraws_during_the_appeal_keeps_what_was_approved() -> None:
    case = partly()
    appeal(case)
    review.request_withdraw(opened=case.opened())
    request_release(request_id=case.request_id, release=4)
    request = case.request
    assert (request.state, request.outcome) == (State.WITHDRAWN, State.PARTLY_APPROVED)
    assert request.released_in == [4]
    other = denied()
    appeal(other)
    review.request_withdraw(opened=other.opened())
    with pytest.raises(TransitionRefused):
        request_release(request_id=other.request_id, release=4)


def test_a_decision_on_what_was_seen_before_the_appeal_changes_nothing() -> None:
    case = factories.in_review()
    seen = case.request.state_seq
    decide(case, reason="public_interest", seen=seen)
    appeal(case)
    with pytest.raises(RequestChanged):
        decide(case, reason="unfounded", seen=seen)
    assert case.request.state == State.IN_REVIEW
    decide(case, reason="unfounded", seen=case.request.state_seq)


def test_the_subject_can_be_asked_during_an_appeal(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = factories.photo_bytes(side=200)
    monkeypatch.setattr("removal.life.questions.row_picture", lambda *row: picture)
    case = partly()
    appeal(case)
    question_put(
        request_id=case.request_id,
        reviewer=factories.staff_user(),
        candidate_ids=[case.candidates[2].pk],
    )
    RemovalRequest.objects.update(answer_due_on=today() - dt.timedelta(days=1))
    requests_expire()
    assert (case.request.state, case.request.outcome) == (State.EXPIRED, State.PARTLY_APPROVED)
    assert requests_awaiting_release(up_to_seq=FAR) == [case.request_id]
