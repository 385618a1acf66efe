"""Proposals: the time to undo, the second person, and what happens to a request that changed."""

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from removal import tasks
from removal.audit import audit_verify
from removal.custody.secrets import SecretUnavailable
from removal.life import claims, effects, messages, questions, review
from removal.life.appeals import request_appeal
from removal.life.deciding import AlreadyDecided, RequestChanged, decision_take
from removal.life.effects import (
    ProposalRefused,
    proposal_settle,
    proposals_due,
    proposals_take_effect,
)
from removal.life.listable import DecisionInvalid
from removal.life.proposals import (
    ProposalStands,
    decision_propose,
    proposal_confirm,
    proposal_put,
    proposal_refuse,
    proposal_undo,
)
from removal.life.review import request_extend
from removal.models import (
    AuditEntry,
    Proposal,
    ProposalKind,
    ProposalState,
    RemovalRequest,
    State,
)
from removal.selectors import RequestGone
from removal.selectors.proposals import proposal_open, proposal_untold
from tests.removal import factories
from tests.removal.deciding import request_decide
from tests.removal.factories import Case, match

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]

UNDO = 10


class Clock:
    """The time, which stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = timezone.now()

    def __call__(self) -> dt.datetime:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timezone, "now", clock)
    return clock


@pytest.fixture
def anna() -> User:
    return factories.role_user("anna", "approver")


@pytest.fixture
def bert() -> User:
    return factories.role_user("bert", "approver")


@pytest.fixture
def rita() -> User:
    return factories.role_user("rita", "reviewer")


@pytest.fixture(autouse=True)
def _undo_time(settings: Any) -> Iterator[None]:
    settings.UNLIST = settings.UNLIST.model_copy(
        update={"undo_seconds": UNDO, "two_person_rows": 3}
    )
    yield
    audit_verify()  # whatever a test did, the chain holds


def propose(case: Case, reviewer: User, *places: int, **changes: Any) -> Proposal:
    candidates = case.candidates
    given = {
        "approve": [candidates[place].pk for place in places],
        "deny_reason": None if places else "different_picture",
        "statement": "",
        "tier": "exact" if places else None,
    }
    return decision_propose(request_id=case.request_id, reviewer=reviewer, **{**given, **changes})


def state(proposal: Proposal) -> str:
    proposal.refresh_from_db()
    return proposal.state


def acts(*names: str) -> list[tuple[str, str]]:
    entries = AuditEntry.objects.filter(act__in=names or ["decided"]).order_by("seq")
    return [(entry.act, entry.actor) for entry in entries]


def medical() -> Case:
    return factories.in_review(category="medical")


# --- the time to undo -------------------------------------------------------------------------


def test_what_one_person_may_decide_takes_effect_when_its_time_is_over(
    clock: Clock, anna: User, told: list[int]
) -> None:
    case = factories.in_review()
    proposal = propose(case, anna, 0, 1)
    assert (proposal.state, proposal.needs_second) == (ProposalState.COUNTING, False)
    clock.passes(UNDO - 0.001)
    assert (proposals_due(), proposals_take_effect()) == ([], 0)
    assert (case.request.state, told) == (State.IN_REVIEW, [])
    clock.passes(0.001)
    assert proposals_due() == [proposal.pk]
    assert proposals_take_effect() == 1
    assert (case.request.state, state(proposal), told) == (State.APPROVED, "taken", [2])
    assert acts() == [("decided", f"staff:{anna.pk}")]


def test_taking_effect_again_changes_nothing(clock: Clock, anna: User, told: list[int]) -> None:
    case = factories.in_review()
    propose(case, anna, 0, 1)
    clock.passes(UNDO)
    assert [proposals_take_effect() for _ in range(3)] == [1, 0, 0]
    tasks.take_proposals()
    assert not proposal_settle(case.request_id)
    assert (told, len(acts())) == ([2], 1)


def test_any_page_of_the_request_settles_it(clock: Clock, anna: User) -> None:
    case, other = factories.in_review(), factories.in_review()
    propose(case, anna, 0, 1)
    propose(other, anna)
    clock.passes(UNDO)
    assert proposal_settle(case.request_id)
    assert (case.request.state, other.request.state) == (State.APPROVED, State.IN_REVIEW)


def test_it_can_be_undone_until_the_very_end_and_not_after(clock: Clock, anna: User) -> None:
    case = factories.in_review()
    proposal = propose(case, anna, 0, 1, statement="Gone soon.")
    clock.passes(UNDO - 0.001)
    said = proposal_undo(proposal_id=proposal.pk, reviewer=anna)
    assert said is not None
    assert (len(said.approve), said.statement, said.tier) == (2, "Gone soon.", "exact")
    clock.passes(UNDO)
    assert proposals_take_effect() == 0
    assert (state(proposal), bytes(proposal.payload_sealed)) == ("undone", b"")
    assert case.request.state == State.IN_REVIEW

    again = propose(case, anna, 0, 1)
    clock.passes(UNDO)
    with pytest.raises(ProposalRefused, match="has taken effect") as refused:
        proposal_undo(proposal_id=again.pk, reviewer=anna)
    assert refused.value.code == "too_late"
    assert (case.request.state, state(again)) == (State.APPROVED, "taken")


def test_nobody_else_can_undo_it(clock: Clock, anna: User, bert: User) -> None:
    proposal = propose(factories.in_review(), anna, 0, 1)
    with pytest.raises(ProposalRefused) as refused:
        proposal_undo(proposal_id=proposal.pk, reviewer=bert)
    assert (refused.value.code, state(proposal)) == ("not_yours", "counting")


def test_without_time_to_undo_it_takes_effect_at_once(settings: Any, anna: User) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 0})
    case = factories.in_review()
    assert propose(case, anna, 0, 1).state == ProposalState.TAKEN
    assert case.request.state == State.APPROVED


def test_what_is_proposed_is_checked_at_once(anna: User) -> None:
    case, decided = factories.in_review(), factories.decided()
    with pytest.raises(DecisionInvalid, match="need a reason"):
        propose(case, anna, 0)
    with pytest.raises(DecisionInvalid, match="Choose how"):
        propose(case, anna, 0, 1, tier=None)
    with pytest.raises(RequestChanged):
        propose(case, anna, 0, 1, seen=1)
    with pytest.raises(AlreadyDecided, match=r"maintainer decided it at \d\d:\d\d UTC .*approved"):
        propose(decided, anna)
    assert not Proposal.objects.exists()


def test_until_it_takes_effect_the_person_is_told_nothing(clock: Clock, anna: User) -> None:
    case = factories.in_review()
    propose(case, anna, statement="We looked again.")
    assert (case.request.state, case.request.outcome, case.request.reason) == ("in_review", "", "")
    clock.passes(UNDO)
    proposals_take_effect()
    assert (case.request.state, case.request.reason) == ("denied", "different_picture")


def test_what_a_proposal_says_is_sealed_and_goes_with_its_end(clock: Clock, anna: User) -> None:
    case = factories.in_review()
    proposal = propose(case, anna, 0, 1, statement="Your photo goes.")
    sealed = bytes(Proposal.objects.get().payload_sealed)
    assert b"photo goes" not in sealed
    assert str(case.candidates[0].pk).encode() not in sealed
    view = proposal_open(case.request_id)
    assert view is not None
    assert view.payload is not None
    assert (view.payload.statement, view.payload.outcome) == ("Your photo goes.", "approved")
    assert (view.proposed_by, view.seconds_left, view.undoable_by(anna)) == ("anna", UNDO, True)
    clock.passes(UNDO)
    proposals_take_effect()
    assert (state(proposal), bytes(proposal.payload_sealed)) == ("taken", b"")
    assert proposal_open(case.request_id) is None


# --- the second person ------------------------------------------------------------------------


@pytest.mark.parametrize("category", ["child", "intimate", "medical"])
@pytest.mark.parametrize("places", [(), (0,)], ids=["refused", "partly"])
def test_refusing_a_sensitive_request_needs_a_second_person(
    clock: Clock, anna: User, bert: User, category: str, places: tuple[int, ...]
) -> None:
    case = factories.in_review(category=category)
    proposal = propose(case, anna, *places, deny_reason="different_picture")
    assert (proposal.state, proposal.effective_at) == (ProposalState.WAITING, None)
    clock.passes(90 * 24 * 3600)
    assert proposals_take_effect() == 0
    assert proposal_confirm(proposal_id=proposal.pk, reviewer=bert).state == "counting"
    clock.passes(UNDO)
    assert proposals_take_effect() == 1
    entry = AuditEntry.objects.get(act="decided")
    assert (entry.actor, entry.detail["confirmed_by"]) == (
        f"staff:{anna.pk}",
        f"staff:{bert.pk}",
    )


@pytest.mark.parametrize("category", ["personal", "artwork", "other"])
def test_refusing_any_other_needs_one(anna: User, category: str) -> None:
    proposal = propose(factories.in_review(category=category), anna)
    assert (proposal.needs_second, proposal.state) == (False, "counting")


def test_approving_a_sensitive_request_needs_one(anna: User) -> None:
    """Look-alikes that are left out are no refusal."""
    assert propose(medical(), anna, 0, 1).state == ProposalState.COUNTING


@pytest.mark.parametrize(("rows", "second"), [(3, False), (4, True)])
def test_approving_more_rows_than_the_setting_needs_two(
    anna: User, rows: int, *, second: bool
) -> None:
    case = factories.in_review(matches=[match(key=f"00000000{n}") for n in range(rows)])
    proposal = propose(case, anna, *range(rows))
    assert proposal.needs_second is second


def test_many_rows_cannot_be_approved_in_two_small_parts(clock: Clock, anna: User) -> None:
    """The rows of the decision before the appeal count."""
    case = factories.in_review(matches=[match(key=f"00000000{n}") for n in range(5)])
    propose(case, anna, 0, 1, 2, deny_reason="different_picture")
    clock.passes(UNDO)
    assert proposals_take_effect() == 1
    request_appeal(opened=case.opened(), text="There are more.")
    assert propose(case, anna, 3, deny_reason="different_picture").needs_second


def test_what_a_reviewer_proposes_an_approver_confirms(
    clock: Clock, rita: User, anna: User
) -> None:
    case = factories.in_review()
    proposal = propose(case, rita, 0, 1)
    assert proposal.state == ProposalState.WAITING
    view = proposal_open(case.request_id)
    assert view is not None
    assert view.payload is not None
    assert view.payload.reasons == ("rita proposes, and an approver decides",)
    assert (view.confirmable_by(anna), view.confirmable_by(rita)) == (True, False)
    proposal_confirm(proposal_id=proposal.pk, reviewer=anna)
    clock.passes(UNDO)
    assert (proposals_take_effect(), case.request.state) == (1, "approved")


def test_nobody_is_the_second_to_themselves(anna: User) -> None:
    case = medical()
    proposal = propose(case, anna)
    for act in (proposal_confirm, proposal_refuse):
        with pytest.raises(ProposalRefused, match="another person") as refused:
            act(proposal_id=proposal.pk, reviewer=anna)
        assert refused.value.code == "own"
    root = factories.staff_user("root")
    own = propose(medical(), root)
    with pytest.raises(ProposalRefused, match="another person"):
        proposal_confirm(proposal_id=own.pk, reviewer=root)
    assert (state(proposal), state(own)) == ("waiting", "waiting")


def test_a_reviewer_is_no_second_person(rita: User, anna: User) -> None:
    proposal = propose(medical(), anna)
    for act in (proposal_confirm, proposal_refuse):
        with pytest.raises(ProposalRefused) as refused:
            act(proposal_id=proposal.pk, reviewer=rita)
        assert refused.value.code == "no_right"


def test_who_may_not_review_proposes_nothing() -> None:
    for role in ("auditor", "operator", "release manager"):
        with pytest.raises(ProposalRefused) as refused:
            propose(factories.in_review(), factories.role_user(role, role), 0, 1)
        assert refused.value.code == "no_right"


def test_the_second_person_can_refuse_and_the_first_is_told(
    clock: Clock, anna: User, bert: User
) -> None:
    case = medical()
    proposal = propose(case, anna)
    proposal_refuse(proposal_id=proposal.pk, reviewer=bert)
    view = proposal_untold(request_id=case.request_id, reviewer=anna)
    assert view is not None
    assert (view.state, view.ended_by) == ("refused", "bert")
    assert proposal_untold(request_id=case.request_id, reviewer=bert) is None
    with pytest.raises(ProposalRefused, match="bert refused it before"):
        proposal_confirm(proposal_id=proposal.pk, reviewer=factories.staff_user())
    clock.passes(1)
    propose(case, anna, 0, 1)  # the request is free for another
    assert proposal_untold(request_id=case.request_id, reviewer=anna) is None


def test_both_can_undo_what_was_confirmed(clock: Clock, anna: User, bert: User) -> None:
    for person in (anna, bert):
        proposal = propose(medical(), anna)
        proposal_confirm(proposal_id=proposal.pk, reviewer=bert)
        proposal_undo(proposal_id=proposal.pk, reviewer=person)
        clock.passes(UNDO)
        assert (proposals_take_effect(), state(proposal)) == (0, "undone")


def test_the_first_can_take_it_back_while_it_waits(anna: User, bert: User) -> None:
    proposal = propose(medical(), anna)
    proposal_undo(proposal_id=proposal.pk, reviewer=anna)
    with pytest.raises(ProposalRefused, match="anna undid it before"):
        proposal_confirm(proposal_id=proposal.pk, reviewer=bert)


def test_the_time_to_undo_begins_when_it_is_confirmed(clock: Clock, anna: User, bert: User) -> None:
    proposal = propose(medical(), anna)
    clock.passes(3600)
    confirmed = proposal_confirm(proposal_id=proposal.pk, reviewer=bert)
    assert confirmed.effective_at == clock.now + dt.timedelta(seconds=UNDO)


# --- what changes meanwhile -------------------------------------------------------------------


def test_a_request_that_was_taken_back_is_not_decided(clock: Clock, anna: User) -> None:
    case = factories.in_review()
    proposal = propose(case, anna, 0, 1)
    review.request_withdraw(opened=case.opened())
    clock.passes(UNDO)
    assert proposals_take_effect() == 0
    assert (state(proposal), case.request.state) == ("stale", "withdrawn")
    view = proposal_untold(request_id=case.request_id, reviewer=anna)
    assert view is not None
    assert view.state == "stale"
    assert acts("proposal_stale") == [("proposal_stale", "worker")]


def test_what_waits_for_a_second_person_goes_stale_at_once(
    anna: User, bert: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = medical()
    proposal = propose(case, anna)
    monkeypatch.setattr(questions, "row_picture", lambda *_: factories.photo_bytes())
    questions.question_put(
        request_id=case.request_id, reviewer=bert, candidate_ids=[case.candidates[2].pk]
    )
    with pytest.raises(ProposalRefused, match="request has changed"):
        proposal_confirm(proposal_id=proposal.pk, reviewer=bert)
    assert state(proposal) == "stale"


def test_words_between_the_two_sides_do_not_outrun_a_proposal(clock: Clock, anna: User) -> None:
    case = factories.in_review()
    propose(case, anna, 0, 1)
    messages.message_send(request_id=case.request_id, reviewer=anna, text="Nearly done.")
    RemovalRequest.objects.update(due_on=dt.date(2126, 1, 1))
    request_extend(request_id=case.request_id, reviewer=anna, reason="many")
    clock.passes(UNDO)
    assert proposals_take_effect() == 1


def test_the_rule_of_two_is_asked_again_at_the_end(clock: Clock, anna: User, settings: Any) -> None:
    """The number was lowered while the proposal counted."""
    case = factories.in_review()
    proposal = propose(case, anna, 0, 1)
    settings.UNLIST = settings.UNLIST.model_copy(update={"two_person_rows": 1})
    clock.passes(UNDO)
    assert (proposals_take_effect(), state(proposal)) == (0, "stale")
    assert case.request.state == State.IN_REVIEW


@pytest.mark.parametrize("who", ["anna", "bert"])
def test_who_left_meanwhile_decides_nothing(clock: Clock, anna: User, bert: User, who: str) -> None:
    case = medical()
    proposal = propose(case, anna)
    proposal_confirm(proposal_id=proposal.pk, reviewer=bert)
    User.objects.filter(username=who).update(is_active=False)
    clock.passes(UNDO)
    assert (proposals_take_effect(), state(proposal)) == (0, "stale")


def test_somebody_else_at_the_request_is_named(clock: Clock, anna: User, bert: User) -> None:
    case = factories.in_review()
    claims.claim(request_id=case.request_id, reviewer=bert)
    with pytest.raises(ProposalStands, match=r"bert works on this request until \d\d:\d\d UTC"):
        propose(case, anna, 0, 1)
    propose(case, bert, 0, 1)
    claims.release(request_id=case.request_id, reviewer=bert)
    with pytest.raises(ProposalStands, match=r"bert proposed a decision at .* in a moment"):
        propose(case, anna)
    clock.passes(UNDO)
    with pytest.raises(AlreadyDecided, match="bert decided it at"):
        propose(case, anna)


def test_one_that_fails_holds_up_no_other(
    clock: Clock, anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = factories.in_review(), factories.in_review()
    propose(first, anna, 0, 1)
    clock.passes(0.1)
    propose(second, anna, 0, 1)
    real = decision_take

    def failing(decision: Any, **names: Any) -> str:
        if decision.request.pk == first.request_id:
            raise RuntimeError("the ledger is away")
        return real(decision, **names)

    monkeypatch.setattr(effects, "decision_take", failing)
    clock.passes(UNDO)
    with pytest.raises(effects.ProposalsIncomplete):
        proposals_take_effect()
    assert (first.request.state, second.request.state) == ("in_review", "approved")
    monkeypatch.undo()
    monkeypatch.setattr(timezone, "now", clock)
    assert (proposals_take_effect(), first.request.state) == (1, "approved")


def test_a_process_without_the_reviewers_key_takes_nothing(
    clock: Clock, anna: User, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """It sees that something is due, and says so to those that have the key."""
    case = factories.in_review()
    proposal = propose(case, anna, 0, 1)
    clock.passes(UNDO)
    settings.UNLIST = settings.UNLIST.model_copy(update={"role": "worker"})
    with pytest.raises(SecretUnavailable):
        proposals_take_effect()
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(tasks, "hint", lambda task, *args, **named: sent.append((task, named)))
    tasks.sweep()
    assert (tasks.take_proposals, {"queue": "staff"}) in sent
    assert state(proposal) == "counting"


def test_a_proposal_about_what_is_gone_cannot_be_confirmed(anna: User, bert: User) -> None:
    proposal = propose(medical(), anna)
    Proposal.objects.all().delete()
    with pytest.raises(RequestGone):
        proposal_confirm(proposal_id=proposal.pk, reviewer=bert)


# --- the database keeps the rules too ---------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        lambda p: {"confirmed_by": p.proposed_by},
        lambda p: {"state": "counting", "effective_at": p.proposed_at},
        lambda p: {"state": "taken"},
        lambda p: {"state": "counting", "needs_second": False},
    ],
    ids=["own", "counting alone", "taken alone", "counting to no time"],
)
def test_the_database_refuses_what_breaks_the_rule_of_two(anna: User, changes: Any) -> None:
    proposal = propose(medical(), anna)
    with pytest.raises(IntegrityError), transaction.atomic():
        Proposal.objects.filter(pk=proposal.pk).update(**changes(proposal))


def test_the_database_takes_one_open_proposal_per_request(anna: User) -> None:
    proposal = propose(medical(), anna)
    proposal.pk = None
    proposal.id = uuid.uuid4()
    with pytest.raises(IntegrityError), transaction.atomic():
        proposal.save(force_insert=True)


@pytest.mark.parametrize("refused", [State.DENIED, State.NO_MATCH])
def test_nobody_can_be_refused_without_a_reason(refused: State) -> None:
    case = factories.in_review()
    with pytest.raises(IntegrityError), transaction.atomic():
        RemovalRequest.objects.filter(pk=case.request_id).update(state=refused)
    request = case.request
    request.state = refused
    with pytest.raises(IntegrityError), transaction.atomic():
        request.save()
    with pytest.raises(DecisionInvalid, match="need a reason"):
        request_decide(
            request_id=case.request_id,
            reviewer=factories.staff_user(),
            approve=[],
            deny_reason="",
            statement="no",
            tier=None,
        )


# --- proposals of other kinds -----------------------------------------------------------------


@pytest.fixture
def effects_seen(monkeypatch: pytest.MonkeyPatch) -> list[Proposal]:
    """Have the withdrawals that take effect noted here, in place of what they do."""
    seen: list[Proposal] = []
    monkeypatch.setitem(effects._EFFECTS, ProposalKind.WITHDRAWAL, seen.append)
    return seen


def withdrawal(reviewer: User, **changes: Any) -> Proposal:
    facts = {"keys": ["aa"]}
    given = {"facts": facts, "needs_second": True, **changes}
    return proposal_put(ProposalKind.WITHDRAWAL, reviewer=reviewer, **given)


def test_what_is_about_no_request_waits_counts_down_and_takes_effect_once(
    clock: Clock, anna: User, bert: User, effects_seen: list[Proposal]
) -> None:
    proposal = withdrawal(anna)
    assert (proposal.state, proposals_due()) == (ProposalState.WAITING, [])
    with pytest.raises(ProposalRefused) as refusal:
        proposal_confirm(proposal_id=proposal.pk, reviewer=anna)
    assert refusal.value.code == "own"
    proposal_confirm(proposal_id=proposal.pk, reviewer=bert)
    assert proposals_take_effect() == 0
    clock.passes(UNDO)
    assert [proposals_take_effect() for _ in range(2)] == [1, 0]
    assert [one.facts for one in effects_seen] == [{"keys": ["aa"]}]
    assert state(proposal) == "taken"


@pytest.mark.parametrize("end", ["undone", "refused"])
def test_what_is_about_no_request_can_be_undone_and_refused(
    clock: Clock, anna: User, bert: User, effects_seen: list[Proposal], end: str
) -> None:
    proposal = withdrawal(anna)
    if end == "undone":
        proposal_undo(proposal_id=proposal.pk, reviewer=anna)
    else:
        proposal_refuse(proposal_id=proposal.pk, reviewer=bert)
    clock.passes(UNDO)
    assert (proposals_take_effect(), effects_seen, state(proposal)) == (0, [], end)


def test_an_effect_that_cannot_be_done_any_more_ends_the_proposal(
    clock: Clock, anna: User, bert: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(proposal: Proposal) -> None:
        raise effects.EffectStale

    monkeypatch.setitem(effects._EFFECTS, ProposalKind.WITHDRAWAL, gone)
    proposal = withdrawal(anna)
    proposal_confirm(proposal_id=proposal.pk, reviewer=bert)
    clock.passes(UNDO)
    assert proposals_take_effect() == 0
    assert (state(proposal), len(acts("proposal_stale"))) == ("stale", 1)


@pytest.mark.parametrize("kind", [ProposalKind.WITHDRAWAL, ProposalKind.SWEEP])
def test_the_database_refuses_one_person_for_what_takes_two(anna: User, kind: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        proposal_put(ProposalKind(kind), reviewer=anna, needs_second=False)
