"""Copies of approved rows: offered, approved, set aside; and told to nobody before that."""

import datetime as dt
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from removal import audit
from removal.life import effects, spreading
from removal.life.acts import status_told
from removal.life.appeals import request_appeal
from removal.life.closing import request_release
from removal.life.deciding import RequestChanged, decision_check
from removal.life.destroying import case_destroy
from removal.life.effects import ProposalRefused, proposals_take_effect
from removal.life.escalation import escalation_return, hold_end, request_escalate
from removal.life.listable import DecisionInvalid
from removal.life.proposals import (
    ProposalStands,
    proposal_confirm,
    proposal_put,
    proposal_refuse,
    proposal_undo,
)
from removal.life.questions import question_put
from removal.life.review import request_withdraw
from removal.life.spreading import SecondPersonNeeded
from removal.lifecycle import TransitionRefused
from removal.models import (
    AuditEntry,
    Candidate,
    Proposal,
    ProposalKind,
    ProposalState,
    RemovalRequest,
    State,
    Verdict,
    today,
)
from removal.selectors import RequestGone, approved_rows, requests_awaiting_release, review_case
from removal.selectors.dashboard import match_quality
from removal.selectors.duplicates import copies_unreleased, copies_waiting
from removal.selectors.queue import found_of
from removal.selectors.subject import release_awaited_since
from tests.removal import factories
from tests.removal.deciding import request_decide
from tests.removal.factories import Case, match

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]

KEYS = ("000000101", "000000102", "000000103")


@pytest.fixture(autouse=True)
def _at_once(settings: Any) -> Any:
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 0})
    yield
    audit.audit_verify()


@pytest.fixture
def undoing(settings: Any, _at_once: None) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 10})


@pytest.fixture
def anna() -> User:
    return factories.role_user("anna", "approver")


@pytest.fixture
def bert() -> User:
    return factories.role_user("bert", "approver")


@pytest.fixture
def rita() -> User:
    return factories.role_user("rita", "reviewer")


def ids(rows: list[Candidate]) -> list[Any]:
    return [row.pk for row in rows]


def propose(case: Case, reviewer: User, rows: list[Candidate], **more: Any) -> Proposal:
    return spreading.duplicates_propose(
        request_id=case.request_id, reviewer=reviewer, approve=ids(rows), **more
    )


def verdicts(rows: list[Candidate]) -> list[tuple[str, bool]]:
    found = {row.pk: row for row in Candidate.objects.filter(pk__in=ids(rows))}
    return [(found[row.pk].verdict, found[row.pk].offered) for row in rows]


def partly(**submission: Any) -> Case:
    """Return a request of which a copy was refused: it can be appealed."""
    return factories.decided(approve=(0,), reason="public_interest", **submission)


# --- approving ----------------------------------------------------------------------------------


@pytest.mark.parametrize("released", [False, True])
def test_approved_copies_are_the_requests_own_and_wait_for_the_next_release(
    anna: User, told: list[int], released: bool
) -> None:
    case = factories.released() if released else factories.decided()
    rows = factories.offered(case, *KEYS)
    proposal = propose(case, anna, rows)
    assert (proposal.kind, proposal.state) == (ProposalKind.DUPLICATES, ProposalState.TAKEN)
    request = case.request
    assert (request.state, request.closed_on) == (State.APPROVED, None)
    assert verdicts(rows) == [(Verdict.APPROVED, False)] * 3
    assert told == [2, 3]
    assert len(approved_rows(opened=case.opened())) == 5
    seq = audit.audit_head().seq
    assert requests_awaiting_release(up_to_seq=seq) == [case.request_id]
    request_release(request_id=case.request_id, release=2, up_to_seq=seq)
    request = case.request
    assert (request.state, request.closed_on) == (State.RELEASED, today())
    assert request.released_in == ([1, 2] if released else [2])
    assert not copies_unreleased(request).exists()


def test_the_log_says_how_many_and_by_whom(anna: User) -> None:
    case = factories.decided()
    rows = factories.offered(case, *KEYS[:2]) + factories.offered(case, KEYS[2], kind="similar")
    propose(case, anna, rows[1:], leave=ids(rows[:1]))
    entry = AuditEntry.objects.get(act="duplicates_approved")
    assert entry.actor == audit.staff(anna.pk)
    assert entry.detail == {
        "state": "approved",
        "tier": "exact",
        "copies": 1,
        "similar": 1,
        "left_out": 1,
        "listed_before": 2,
    }
    assert verdicts(rows) == [
        (Verdict.DENIED, True),
        (Verdict.APPROVED, False),
        (Verdict.APPROVED, False),
    ]


def test_copies_found_since_the_page_was_shown_stay_offered(anna: User) -> None:
    case = factories.decided()
    first, second = factories.offered(case, *KEYS[:2])
    later = factories.offered(case, KEYS[2])
    propose(case, anna, [first], leave=[second.pk])
    assert verdicts(later) == [(Verdict.PENDING, True)]


def test_a_partly_approved_request_stays_partly_approved_and_can_be_appealed(anna: User) -> None:
    case = partly()
    before = case.request
    propose(case, anna, factories.offered(case, *KEYS))
    request = case.request
    assert request.state == request.outcome == State.PARTLY_APPROVED
    assert (request.decided_on, request.reason) == (before.decided_on, before.reason)
    assert request.photos_delete_on == before.photos_delete_on
    assert request_appeal(opened=case.opened(), text="again") == State.IN_REVIEW


def test_it_can_be_undone_and_then_nothing_has_happened(
    undoing: None, anna: User, told: list[int]
) -> None:
    case = factories.decided()
    rows = factories.offered(case, *KEYS)
    proposal = propose(case, anna, rows[:2], leave=[rows[2].pk])
    assert proposal.state == ProposalState.COUNTING
    payload = proposal_undo(proposal_id=proposal.pk, reviewer=anna)
    assert payload is not None
    assert (set(payload.approve), payload.leave) == (set(ids(rows[:2])), (rows[2].pk,))
    assert verdicts(rows) == [(Verdict.PENDING, True)] * 3
    assert (case.request.state, told) == (State.APPROVED, [2])


# --- two persons --------------------------------------------------------------------------------


def test_a_reviewer_proposes_and_an_approver_confirms(
    anna: User, rita: User, told: list[int]
) -> None:
    case = factories.decided()
    rows = factories.offered(case, *KEYS)
    proposal = propose(case, rita, rows)
    assert (proposal.state, told) == (ProposalState.WAITING, [2])
    with pytest.raises(ProposalRefused, match="another person"):
        proposal_confirm(proposal_id=proposal.pk, reviewer=rita)
    proposal_confirm(proposal_id=proposal.pk, reviewer=anna)
    assert told == [2, 3]
    entry = AuditEntry.objects.get(act="duplicates_approved")
    assert entry.actor == audit.staff(rita.pk)
    assert entry.detail["confirmed_by"] == audit.staff(anna.pk)


def test_many_rows_need_two_persons_counted_with_those_listed_before(
    settings: Any, anna: User, bert: User
) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"two_person_rows": 4})
    case = factories.decided()
    rows = factories.offered(case, *KEYS)
    proposal = propose(case, anna, rows)
    assert proposal.state == ProposalState.WAITING
    proposal_refuse(proposal_id=proposal.pk, reviewer=bert)
    assert verdicts(rows) == [(Verdict.PENDING, True)] * 3
    assert propose(case, anna, rows[:2]).state == ProposalState.TAKEN
    assert propose(case, anna, rows[2:]).state == ProposalState.WAITING  # no small parts


def test_the_rule_of_two_is_asked_again_when_it_takes_effect(
    undoing: None, settings: Any, anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = factories.decided()
    proposal = propose(case, anna, factories.offered(case, *KEYS))
    settings.UNLIST = settings.UNLIST.model_copy(update={"two_person_rows": 1})
    later = timezone.now() + dt.timedelta(seconds=11)
    monkeypatch.setattr(timezone, "now", lambda: later)
    assert proposals_take_effect() == 0
    proposal.refresh_from_db()
    assert (proposal.state, copies_unreleased(case.request).exists()) == (
        ProposalState.STALE,
        False,
    )


# --- refusals -----------------------------------------------------------------------------------


def test_no_row_is_approved_that_is_not_offered(anna: User) -> None:
    case, other = factories.decided(), factories.decided()
    own = case.candidates[2:]
    for rows in (own, factories.offered(other, KEYS[0])):
        with pytest.raises(DecisionInvalid, match="not offered"):
            propose(case, anna, rows)
    with pytest.raises(DecisionInvalid, match="No copy is chosen"):
        propose(case, anna, [])
    row = factories.offered(case, KEYS[1], url=None, sha256=None, md5=None)
    with pytest.raises(DecisionInvalid, match="no list can name"):
        propose(case, anna, row)
    assert not Proposal.objects.exists()


def test_a_request_that_changed_or_is_not_decided_is_refused(anna: User) -> None:
    case = partly()
    rows = factories.offered(case, *KEYS)
    with pytest.raises(RequestChanged):
        propose(case, anna, rows, seen=case.request.state_seq - 1)
    request_appeal(opened=case.opened(), text="again")
    for act in (
        lambda: propose(case, anna, rows),
        lambda: spreading.duplicates_dismiss(
            request_id=case.request_id, reviewer=anna, rows=ids(rows)
        ),
        lambda: spreading.duplicates_restore(request_id=case.request_id, reviewer=anna),
    ):
        with pytest.raises(DecisionInvalid, match="appealed, or has ended"):
            act()


def test_of_what_is_escalated_or_held_nothing_is_approved(anna: User) -> None:
    case, boss = factories.decided(), factories.staff_user()
    rows = factories.offered(case, *KEYS)
    request_escalate(request_id=case.request_id, reviewer=anna)
    with pytest.raises(RequestGone):
        propose(case, anna, rows)
    for held in (True, False):
        if not held:
            hold_end(request_id=case.request_id, reviewer=boss)
        with pytest.raises(DecisionInvalid, match="escalated"):
            propose(case, boss, rows)
    escalation_return(request_id=case.request_id, reviewer=boss)
    assert propose(case, boss, rows).state == ProposalState.TAKEN


def test_an_escalation_ends_what_was_proposed(undoing: None, anna: User, told: list[int]) -> None:
    case = factories.decided()
    proposal = propose(case, anna, factories.offered(case, *KEYS))
    request_escalate(request_id=case.request_id, reviewer=anna)
    proposal.refresh_from_db()
    assert (proposal.state, told) == (ProposalState.STALE, [2])


@pytest.mark.parametrize("change", ["released", "appealed"])
def test_a_request_that_goes_on_meanwhile_makes_it_stale(
    undoing: None, monkeypatch: pytest.MonkeyPatch, anna: User, told: list[int], change: str
) -> None:
    case = partly()
    rows = factories.offered(case, *KEYS)
    proposal = propose(case, anna, rows)
    if change == "released":
        request_release(request_id=case.request_id, release=1)
    else:
        request_appeal(opened=case.opened(), text="again")
    later = timezone.now() + dt.timedelta(seconds=11)
    monkeypatch.setattr(timezone, "now", lambda: later)
    assert proposals_take_effect() == 0
    proposal.refresh_from_db()
    assert (proposal.state, told) == (ProposalState.STALE, [1])
    assert verdicts(rows) == [(Verdict.PENDING, True)] * 3


def test_one_who_may_not_review_does_nothing(anna: User) -> None:
    case, nobody = factories.decided(), factories.role_user("olga", "operator")
    rows = factories.offered(case, *KEYS)
    with pytest.raises(ProposalRefused, match="role of a reviewer"):
        propose(case, nobody, rows)
    with pytest.raises(ProposalRefused, match="role of a reviewer"):
        spreading.duplicates_dismiss(request_id=case.request_id, reviewer=nobody, rows=ids(rows))


def test_a_deleted_case_has_nothing_to_approve(anna: User) -> None:
    case = factories.released()
    rows = factories.offered(case, *KEYS)
    case_destroy(case.request_id)
    with pytest.raises(RequestGone):
        propose(case, anna, rows)
    assert not Candidate.objects.filter(request=case.request_id).exists()


def test_the_database_lets_no_duplicates_take_effect_twice(anna: User, told: list[int]) -> None:
    case = factories.decided()
    rows = factories.offered(case, *KEYS)
    proposal = propose(case, anna, rows)
    assert effects.proposal_take(proposal.pk) is False
    assert told == [2, 3]


def test_a_proposal_without_what_it_says_is_stale(undoing: None, anna: User) -> None:
    case = factories.decided()
    proposal = proposal_put(
        ProposalKind.DUPLICATES, reviewer=anna, request=case.request, needs_second=False
    )
    Proposal.objects.filter(pk=proposal.pk).update(effective_at=timezone.now())
    assert proposals_take_effect() == 0
    proposal.refresh_from_db()
    assert proposal.state == ProposalState.STALE


# --- setting aside ------------------------------------------------------------------------------


def test_what_is_set_aside_can_be_offered_again(anna: User, rita: User, told: list[int]) -> None:
    case = factories.released()
    rows = factories.offered(case, *KEYS)
    seq = case.request.state_seq
    dismiss = partial(
        spreading.duplicates_dismiss,
        request_id=case.request_id,
        reviewer=rita,
        rows=ids(rows[:2]),
    )
    restore = partial(spreading.duplicates_restore, request_id=case.request_id, reviewer=rita)
    assert dismiss() == 2
    assert verdicts(rows) == [(Verdict.DENIED, True)] * 2 + [(Verdict.PENDING, True)]
    with pytest.raises(DecisionInvalid, match="not offered"):
        propose(case, anna, rows)
    with pytest.raises(DecisionInvalid, match="None of these"):
        dismiss()
    assert restore() == 2
    with pytest.raises(DecisionInvalid, match="No copy"):
        restore()
    assert (case.request.state, case.request.state_seq, told) == (State.RELEASED, seq, [2])
    acts = AuditEntry.objects.filter(act__startswith="duplicates").order_by("seq")
    assert [(one.act, one.actor, one.detail) for one in acts] == [
        ("duplicates_set_aside", audit.staff(rita.pk), {"rows": 2}),
        ("duplicates_offered_again", audit.staff(rita.pk), {"rows": 2}),
    ]


def test_copies_in_a_sensitive_request_are_set_aside_by_two_persons(
    anna: User, bert: User, rita: User
) -> None:
    case = factories.decided(category="medical")
    rows = factories.offered(case, *KEYS)
    about: dict[str, Any] = {"request_id": case.request_id, "reviewer": anna}
    with pytest.raises(SecondPersonNeeded):
        spreading.duplicates_dismiss(**about, rows=ids(rows))
    with pytest.raises(DecisionInvalid, match="No copy"):
        spreading.duplicates_propose(**about, approve=[], leave=[])
    proposal = spreading.duplicates_propose(**about, approve=[], leave=ids(rows))
    assert (proposal.state, proposal.needs_second) == (ProposalState.WAITING, True)
    with pytest.raises(ProposalRefused):
        proposal_confirm(proposal_id=proposal.pk, reviewer=anna)
    with pytest.raises(ProposalRefused):
        proposal_confirm(proposal_id=proposal.pk, reviewer=rita)
    seq = case.request.state_seq
    assert proposal_confirm(proposal_id=proposal.pk, reviewer=bert).state == ProposalState.TAKEN
    assert verdicts(rows) == [(Verdict.DENIED, True)] * 3
    assert (case.request.state, case.request.state_seq) == (State.APPROVED, seq)
    [entry] = AuditEntry.objects.filter(act="duplicates_set_aside")
    assert (entry.actor, entry.detail) == (audit.staff(anna.pk), {"rows": 3})


def test_leaving_one_copy_out_of_a_sensitive_request_takes_two_persons(anna: User) -> None:
    case = factories.decided(category="intimate")
    rows = factories.offered(case, *KEYS)
    proposal = propose(case, anna, rows[:2], leave=ids(rows[2:]))
    assert (proposal.state, proposal.needs_second) == (ProposalState.WAITING, True)
    proposal_undo(proposal_id=proposal.pk, reviewer=anna)
    assert propose(case, anna, rows).state == ProposalState.TAKEN


def test_look_alikes_in_a_sensitive_request_are_set_aside_by_one(anna: User) -> None:
    case = factories.decided(approve=(0, 1, 2), category="medical")
    rows = factories.offered(case, *KEYS, kind="similar", source=2)
    dismissed = spreading.duplicates_dismiss(
        request_id=case.request_id, reviewer=anna, rows=ids(rows)
    )
    assert dismissed == 3


def test_what_a_release_carries_does_not_wait_again_with_later_copies(anna: User) -> None:
    case = factories.released()
    rows = factories.offered(case, *KEYS)
    propose(case, anna, rows[:2])
    request_release(request_id=case.request_id, release=2)
    before = status_told(opened=case.opened())["found"]
    assert sum(one["waiting"] for one in before) == 0
    propose(case, anna, rows[2:])
    after = status_told(opened=case.opened())["found"]
    assert sum(one["waiting"] for one in after) == 1
    assert sum(one["rows"] for one in after) == sum(one["rows"] for one in before) + 1
    assert all(one["released_in"] == [1, 2] for one in after)


def test_nothing_is_set_aside_under_an_open_proposal(undoing: None, anna: User, bert: User) -> None:
    case = factories.decided()
    rows = factories.offered(case, *KEYS)
    propose(case, anna, rows)
    with pytest.raises(ProposalStands, match="anna"):
        spreading.duplicates_dismiss(request_id=case.request_id, reviewer=bert, rows=ids(rows))
    with pytest.raises(ProposalStands, match="anna"):
        propose(case, bert, rows)


# --- beside an appeal and a release --------------------------------------------------------------


def test_an_appeal_decides_no_offered_row_and_keeps_it_offered(anna: User) -> None:
    case = partly()
    rows = factories.offered(case, *KEYS)
    request_appeal(opened=case.opened(), text="again")
    own = case.candidates
    with pytest.raises(DecisionInvalid, match="does not belong"):
        decision_check(
            request_id=case.request_id,
            approve=ids(rows),
            deny_reason="public_interest",
            statement="",
            tier="exact",
        )
    outcome = request_decide(
        request_id=case.request_id,
        reviewer=anna,
        approve=ids(own[:2]),
        deny_reason=None,
        statement="",
        tier="exact",
    )
    assert outcome == State.APPROVED  # the copies that are offered do not count against it
    assert verdicts(rows) == [(Verdict.PENDING, True)] * 3
    assert propose(case, anna, rows).state == ProposalState.TAKEN


def test_an_appeal_before_the_release_loses_no_copy(anna: User) -> None:
    """Released, copies approved, appealed before the next release, refused: all are carried."""
    case = partly()
    request_release(request_id=case.request_id, release=1)
    propose(case, anna, factories.offered(case, *KEYS))
    request_appeal(opened=case.opened(), text="again")
    assert copies_unreleased(case.request).exists()
    outcome = request_decide(
        request_id=case.request_id,
        reviewer=anna,
        approve=(),
        deny_reason="public_interest",
        statement="",
        tier=None,
    )
    assert outcome == State.PARTLY_APPROVED  # not released: no release carries the copies yet
    request_release(request_id=case.request_id, release=2)
    request = case.request
    assert (request.state, request.released_in) == ("released", [1, 2])
    assert not copies_unreleased(request).exists()


@pytest.mark.parametrize("ends", [False, True])
def test_a_release_during_the_appeal_is_noted(anna: User, ends: bool) -> None:
    case = partly()
    request_release(request_id=case.request_id, release=1)
    propose(case, anna, factories.offered(case, *KEYS))
    request_appeal(opened=case.opened(), text="again")
    if ends:
        request_withdraw(opened=case.opened())
    seq = audit.audit_head().seq
    assert requests_awaiting_release(up_to_seq=seq) == [case.request_id]
    request_release(request_id=case.request_id, release=2, up_to_seq=seq)
    request = case.request
    assert request.state == (State.WITHDRAWN if ends else State.IN_REVIEW)
    assert request.released_in == [1, 2]
    assert not copies_unreleased(request).exists()
    assert requests_awaiting_release(up_to_seq=seq) == []


def test_a_release_built_before_the_copies_is_not_taken_for_theirs(anna: User) -> None:
    """The publisher read whom to tell, and the copies were approved before it told them."""
    case = factories.decided()
    seq = audit.audit_head().seq
    assert requests_awaiting_release(up_to_seq=seq) == [case.request_id]
    propose(case, anna, factories.offered(case, *KEYS))
    with pytest.raises(TransitionRefused):
        request_release(request_id=case.request_id, release=1, up_to_seq=seq)
    assert (case.request.state, case.request.released_in) == (State.APPROVED, [])


def test_what_waits_for_a_release_is_dated_by_the_approval_of_the_copies(
    anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = factories.released()
    rows = factories.offered(case, *KEYS)
    assert release_awaited_since() is None
    later = timezone.now() + dt.timedelta(days=20)
    monkeypatch.setattr(timezone, "now", lambda: later)
    propose(case, anna, rows)
    assert release_awaited_since() == later.date()
    other = factories.decided()
    RemovalRequest.objects.filter(pk=other.request_id).update(decided_on=dt.date(2026, 1, 2))
    assert release_awaited_since() == dt.date(2026, 1, 2)


# --- who reads candidates --------------------------------------------------------------------


def test_nobody_is_told_of_what_is_offered(anna: User) -> None:
    case = factories.released()
    before = status_told(opened=case.opened())
    rows = factories.offered(case, *KEYS) + factories.offered(case, "000000104", kind="similar")
    assert status_told(opened=case.opened()) == before
    assert len(approved_rows(opened=case.opened())) == 2
    spreading.duplicates_dismiss(request_id=case.request_id, reviewer=anna, rows=ids(rows[:1]))
    assert status_told(opened=case.opened()) == before


def test_the_desk_counts_them_apart(anna: User) -> None:
    case = factories.released()
    counts, quality = found_of([case.request_id]), match_quality()
    rows = factories.offered(case, *KEYS)
    spreading.duplicates_dismiss(request_id=case.request_id, reviewer=anna, rows=ids(rows[:1]))
    assert (found_of([case.request_id]), match_quality()) == (counts, quality)
    shown = review_case(request_id=case.request_id, reviewer=anna)
    assert len(shown.candidates) == 3
    assert ({one.id for one in shown.offered}, shown.set_aside) == (set(ids(rows[1:])), 1)
    waiting = copies_waiting(RemovalRequest.objects.all())
    assert [one.pk for one in waiting] == [case.request_id]


def test_rows_that_another_request_is_offered_are_hit_by_none(anna: User) -> None:
    case, other = factories.decided(), factories.decided()
    one = factories.offered(other, KEYS[0])[0]
    hit = case.candidates[0]
    Candidate.objects.filter(pk=one.pk).update(row_tag=b"t" * 32)
    Candidate.objects.filter(pk=hit.pk).update(row_tag=b"t" * 32)
    rows = {
        row.id: row for row in review_case(request_id=case.request_id, reviewer=anna).candidates
    }
    assert rows[hit.pk].other_requests == 0


def test_the_person_is_asked_about_none_of_them(anna: User) -> None:
    case = factories.decided(approve=(0,), reason="public_interest")
    row = factories.offered(case, KEYS[0], kind="similar")[0]
    request_appeal(opened=case.opened(), text="again")
    with pytest.raises(Exception, match="Choose similar rows"):
        question_put(request_id=case.request_id, reviewer=anna, candidate_ids=[row.pk])


@pytest.mark.parametrize(
    ("state", "there"),
    [("approved", True), ("appealed", False), ("escalated", False), ("aside", False)],
)
def test_the_queue_shows_those_that_can_be_looked_at(anna: User, state: str, there: bool) -> None:
    case = partly(matches=[match("exact", key="000000001", score=1.0), match("copy")])
    rows = factories.offered(case, *KEYS)
    if state == "appealed":
        request_appeal(opened=case.opened(), text="again")
    elif state == "escalated":
        request_escalate(request_id=case.request_id, reviewer=anna)
    elif state == "aside":
        spreading.duplicates_dismiss(request_id=case.request_id, reviewer=anna, rows=ids(rows))
    assert copies_waiting(RemovalRequest.objects.all()).exists() is there
