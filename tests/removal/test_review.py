"""Review: what a decision needs, what it does, and what it tells nobody."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from removal.life import retention, reveals, review
from removal.life.closing import request_release
from removal.life.deciding import AlreadyDecided
from removal.life.destroying import case_destroy
from removal.life.listable import DecisionInvalid
from removal.life.reveals import candidate_reveal, photo_reveal
from removal.lifecycle import TransitionRefused
from removal.models import AuditEntry, Candidate, RemovalRequest, State, Verdict, today
from removal.selectors import RequestGone, queue, review_case, review_photo
from removal.selectors.desk import case_key_held
from removal.selectors.subject import ApprovedRow
from removal.signals import rows_approved
from tests.removal import factories
from tests.removal.deciding import request_decide
from tests.removal.factories import Case, match

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]


@pytest.fixture
def reviewer() -> Any:
    return factories.staff_user()


@pytest.fixture
def told() -> Any:
    """Collect what is told of approvals."""
    messages = []

    def hear(sender: Any, signal: Any, **kwargs: Any) -> None:
        messages.append(kwargs)

    rows_approved.connect(hear)
    yield messages
    rows_approved.disconnect(hear)


def decide(case: Any, reviewer: User, *places: int, **changes: Any) -> str:
    candidates = case.candidates
    given = {
        "approve": [candidates[place].pk for place in places],
        "deny_reason": None,
        "statement": "",
        "tier": "exact" if places else None,
    }
    return request_decide(request_id=case.request_id, reviewer=reviewer, **{**given, **changes})


def test_approval_of_every_exact_and_copy_row_is_approval(
    reviewer: User, told: list[dict[str, Any]]
) -> None:
    case = factories.in_review()
    assert decide(case, reviewer, 0, 1) == "approved"
    assert [c.verdict for c in case.candidates] == [
        Verdict.APPROVED,
        Verdict.APPROVED,
        Verdict.DENIED,
    ]
    [message] = told
    row = ApprovedRow("sample", "https://pictures.example.org/marked-url.jpg", "ab" * 32, None)
    assert message == {"rows": [row, row], "tier": "exact", "on": dt.datetime.now(dt.UTC).date()}
    request = case.request
    assert request.decided_on is not None
    assert request.photos_delete_on == request.decided_on + dt.timedelta(days=14)
    assert request.closed_on is None


def test_partly_approved_and_denied_need_a_reason(
    reviewer: User, told: list[dict[str, Any]]
) -> None:
    case = factories.in_review()
    for places in ((0,), ()):
        for reason in (None, "", "not_found", "nonsense"):
            with pytest.raises(DecisionInvalid, match="need a reason"):
                decide(case, reviewer, *places, deny_reason=reason)
    assert (case.request.state, told) == (State.IN_REVIEW, [])
    assert decide(case, reviewer, 0, deny_reason="public_interest") == "partly_approved"


def test_denied_is_closed_at_once_and_tells_nobody(
    reviewer: User, told: list[dict[str, Any]]
) -> None:
    case = factories.in_review()
    assert decide(case, reviewer, deny_reason="different_picture", statement=" no ") == "denied"
    assert case.request.closed_on == case.request.decided_on
    assert told == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tier": None}, "Choose how"),
        ({"tier": "masked"}, "Choose how"),
        ({"deny_reason": "public_interest"}, "nothing is refused"),
        ({"statement": "x" * 4001}, "Shorten"),
    ],
)
def test_a_decision_that_lacks_something_changes_nothing(
    reviewer: User, told: list[dict[str, Any]], changes: dict[str, Any], says: str
) -> None:
    case = factories.in_review()
    with pytest.raises(DecisionInvalid, match=says):
        decide(case, reviewer, 0, 1, **changes)
    assert (case.request.state, told) == (State.IN_REVIEW, [])


def test_a_row_of_another_request_cannot_be_approved(reviewer: User) -> None:
    case, other = factories.in_review(), factories.in_review()
    with pytest.raises(DecisionInvalid, match="does not belong"):
        decide(case, reviewer, approve=[other.candidates[0].pk], tier="exact")


def test_a_row_that_no_list_can_name_is_told(reviewer: User) -> None:
    case = factories.in_review(matches=[match("copy", url=None, sha256=None)])
    with pytest.raises(DecisionInvalid, match="no list can name it"):
        decide(case, reviewer, 0)


def test_nothing_is_decided_twice(reviewer: User, told: list[dict[str, Any]]) -> None:
    case = factories.in_review()
    decide(case, reviewer, 0, 1)
    with pytest.raises(AlreadyDecided):
        decide(case, reviewer, deny_reason="public_interest")
    assert len(told) == 1
    assert AuditEntry.objects.filter(act="decided").count() == 1


def test_who_refuses_what_a_colleague_approves_in_that_moment_is_told_so(
    reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The approval makes the refusal contradict itself; that is no fault of the form."""
    case, opening = factories.in_review(), case_key_held

    def while_a_colleague_decides(request: RemovalRequest) -> Any:
        monkeypatch.setattr("removal.life.deciding.case_key_held", opening)
        assert decide(case, reviewer, 0, 1) == "approved"
        return opening(request)

    monkeypatch.setattr("removal.life.deciding.case_key_held", while_a_colleague_decides)
    with pytest.raises(AlreadyDecided):
        decide(case, reviewer, deny_reason="public_interest")
    assert case.request.state == State.APPROVED


def test_a_decision_gives_no_more_days_to_photos_that_their_owner_had_deleted(
    reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process died between the click and the destruction; retention is to complete it."""
    case = factories.in_review()
    monkeypatch.setattr("removal.life.review.photos_destroy", lambda _: False)
    review.photos_delete_now(opened=case.opened())
    monkeypatch.undo()
    assert decide(case, reviewer, 0, 1) == "approved"
    assert case.request.photos_delete_on == today()
    retention.retention_run()
    assert case.request.photos_deleted_on == today()


def test_a_receiver_that_fails_takes_the_decision_back(reviewer: User) -> None:
    case = factories.in_review()

    def fail(**kwargs: Any) -> None:
        raise RuntimeError("the ledger is away")

    rows_approved.connect(fail)
    try:
        with pytest.raises(RuntimeError, match="ledger"):
            decide(case, reviewer, 0, 1)
    finally:
        rows_approved.disconnect(fail)
    assert case.request.state == State.IN_REVIEW
    assert {c.verdict for c in Candidate.objects.all()} == {Verdict.PENDING}
    assert not AuditEntry.objects.filter(act="decided").exists()


def test_a_decision_has_an_author_a_reason_and_a_time(reviewer: User) -> None:
    case = factories.in_review()
    decide(case, reviewer, 0, deny_reason="public_interest")
    entry = AuditEntry.objects.get(act="decided")
    assert (entry.actor, entry.at is not None) == (f"staff:{reviewer.pk}", True)
    assert entry.detail == {
        "state": "partly_approved",
        "reason": "public_interest",
        "tier": "exact",
        "approved": 1,
    }


# --- the clock --------------------------------------------------------------------------------


def test_the_clock_is_extended_once_before_the_due_date_with_a_reason(reviewer: User) -> None:
    case = factories.in_review()
    RemovalRequest.objects.update(received_on=dt.date(2126, 1, 31), due_on=dt.date(2126, 2, 28))
    with pytest.raises(DecisionInvalid, match="needs a reason"):
        review.request_extend(request_id=case.request_id, reviewer=reviewer, reason="  ")
    review.request_extend(request_id=case.request_id, reviewer=reviewer, reason="many requests")
    assert case.request.due_on == dt.date(2126, 4, 30)
    view = review_case(request_id=case.request_id, reviewer=reviewer)
    assert view.extension_reason == "many requests"
    with pytest.raises(DecisionInvalid, match="once"):
        review.request_extend(request_id=case.request_id, reviewer=reviewer, reason="again")


def test_a_due_overdue_or_decided_request_cannot_be_extended(reviewer: User) -> None:
    due, late, decided = factories.in_review(), factories.in_review(), factories.decided()
    today = dt.datetime.now(dt.UTC).date()
    RemovalRequest.objects.filter(pk=due.request_id).update(due_on=today)
    RemovalRequest.objects.filter(pk=late.request_id).update(due_on=dt.date(2020, 1, 1))
    for case in (due, late, decided):
        with pytest.raises(DecisionInvalid, match="before the first due date"):
            review.request_extend(request_id=case.request_id, reviewer=reviewer, reason="busy")


# --- the subject withdraws --------------------------------------------------------------------


@pytest.mark.parametrize("make", [factories.received, factories.in_review])
def test_withdrawal_closes_and_destroys_the_photos_at_once(
    make: Callable[[], Case], django_capture_on_commit_callbacks: Any
) -> None:
    case = make()
    with django_capture_on_commit_callbacks(execute=True):
        review.request_withdraw(opened=case.opened())
    request = case.request
    assert (request.state, request.closed_on) == (State.WITHDRAWN, request.photos_deleted_on)
    assert request.closed_on is not None
    with pytest.raises(TransitionRefused):
        review.request_withdraw(opened=case.opened())


@pytest.mark.parametrize("make", [factories.decided, factories.no_match, factories.released])
def test_a_closed_request_is_not_withdrawn(make: Callable[[], Case]) -> None:
    case = make()
    state = case.request.state
    with pytest.raises(TransitionRefused):
        review.request_withdraw(opened=case.opened())
    assert case.request.state == state


# --- releases ---------------------------------------------------------------------------------


def test_a_release_is_noted_once_however_often_it_is_told() -> None:
    case = factories.decided()
    for _ in range(2):
        request_release(request_id=case.request_id, release=3)
    assert (case.request.state, case.request.released_in) == (State.RELEASED, [3])
    assert case.request.closed_on is not None
    assert AuditEntry.objects.filter(act="released").count() == 1


def test_a_request_that_was_not_approved_is_not_released() -> None:
    case = factories.no_match()
    with pytest.raises(TransitionRefused):
        request_release(request_id=case.request_id, release=3)


# --- what maintainers read --------------------------------------------------------------------


def test_the_queue_is_ordered_by_what_is_due(reviewer: User) -> None:
    later, sooner = factories.in_review(category="medical"), factories.in_review()
    RemovalRequest.objects.filter(pk=sooner.request_id).update(
        due_on=dt.datetime.now(dt.UTC).date() - dt.timedelta(days=2)
    )
    first, second = queue()
    assert (first.request_id, second.request_id) == (sooner.request_id, later.request_id)
    assert first.days_left == -2
    assert (second.exact, second.copy, second.similar) == (1, 1, 1)
    assert (second.photos, second.urls, second.category) == (1, 0, "medical")
    assert queue(states=[State.APPROVED]) == []


def test_a_case_shows_all_that_is_needed_to_decide(reviewer: User) -> None:
    case = factories.in_review(note="please remove", urls=["https://example.org/x"])
    view = review_case(request_id=case.request_id, reviewer=reviewer)
    assert (view.note, view.urls) == ("please remove", ("https://example.org/x",))
    assert [candidate.kind for candidate in view.candidates] == ["exact", "copy", "similar"]
    best = view.candidates[0]
    assert (best.score, best.domain, best.shard) == (1.0, "pictures.example.org", "00000")
    assert best.evidence["pdq"] == 12
    assert [photo.n for photo in view.photos] == [1]
    assert [entry.act for entry in view.history] == [
        "submitted",
        "search_begun",
        "search_concluded",
    ]


def test_reveals_are_audited_and_carry_no_metadata(reviewer: User) -> None:
    case = factories.in_review()
    view = review_case(request_id=case.request_id, reviewer=reviewer)
    picture = photo_reveal(photo_id=view.photos[0].id, reviewer=reviewer)
    assert picture.startswith(b"\xff\xd8")
    assert b"Exif" not in picture
    entry = AuditEntry.objects.get(act="photo_revealed")
    assert entry.actor == f"staff:{reviewer.pk}"


def test_a_rows_picture_is_revealed_from_the_dataset(
    reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = factories.in_review()
    asked = []

    def picture(*row: Any) -> Any:
        asked.append(row)
        return factories.photo_bytes()

    monkeypatch.setattr(reveals, "row_picture", picture)
    shown = candidate_reveal(candidate_id=case.candidates[0].pk, reviewer=reviewer)
    assert shown is not None
    assert shown.startswith(b"\xff\xd8")
    assert asked == [("sample", "00000", "000000001", 1, None)]
    assert AuditEntry.objects.filter(act="row_revealed").count() == 1
    for gone in (None, factories.PLAIN):
        monkeypatch.setattr(reveals, "row_picture", lambda *row, gone=gone: gone)
        chosen = case.candidates[0].pk
        assert candidate_reveal(candidate_id=chosen, reviewer=reviewer) is None
    assert AuditEntry.objects.filter(act="row_revealed").count() == 1


def test_what_is_gone_is_said_to_be_gone(reviewer: User) -> None:
    case = factories.in_review()
    photo = review_case(request_id=case.request_id, reviewer=reviewer).photos[0].id
    case_destroy(case.request_id)
    with pytest.raises(RequestGone):
        review_photo(photo_id=photo, reviewer=reviewer)
    with pytest.raises(RequestGone):
        decide(case, reviewer, approve=[], deny_reason="public_interest")
    with pytest.raises(RequestGone):
        review_case(request_id=photo, reviewer=reviewer)
    view = review_case(request_id=case.request_id, reviewer=reviewer)
    assert (view.deleted, view.candidates, view.note) == (True, (), "")
