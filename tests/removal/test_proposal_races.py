"""Maintainers at the same requests in the same moment: nothing is lost, nothing done twice."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections

from removal.audit import audit_verify
from removal.life import claims, retention, review
from removal.life.deciding import AlreadyDecided
from removal.life.effects import ProposalRefused, proposal_settle, proposals_take_effect
from removal.life.escalation import EscalationRefused, request_escalate
from removal.life.listable import DecisionInvalid
from removal.life.proposals import decision_propose, proposal_confirm, proposal_undo
from removal.lifecycle import TransitionRefused
from removal.models import AuditEntry, Candidate, Proposal, ProposalState, RemovalRequest, State
from removal.selectors import RequestGone
from tests.removal import factories
from tests.removal.factories import Case

REFUSALS = (
    AlreadyDecided,
    claims.ClaimedByOther,
    DecisionInvalid,
    EscalationRefused,
    ProposalRefused,
    RequestGone,
    TransitionRefused,
)
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("real_database")]


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run acts in threads that start together; return what each gave, or its refusal."""
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return act()
        except REFUSALS as refused:
            return refused
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


@pytest.fixture
def people() -> list[User]:
    return [factories.role_user(f"approver-{n}", "approver") for n in range(4)]


@pytest.fixture
def undo(settings: Any) -> Callable[[int], None]:
    def seconds(number: int) -> None:
        settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": number})

    return seconds


def proposing(case: Case, person: User, *, approve: bool) -> Callable[[], Any]:
    rows = list(Candidate.objects.filter(request=case.request_id).values_list("pk", flat=True))
    return lambda: decision_propose(
        request_id=case.request_id,
        reviewer=person,
        approve=rows if approve else [],
        deny_reason=None if approve else "public_interest",
        statement="",
        tier="exact" if approve else None,
    )


def decided() -> int:
    return AuditEntry.objects.filter(act="decided").count()


@pytest.mark.parametrize("seconds", [0, 3600])
def test_reviewers_who_decide_at_once_get_one_decision_and_the_others_a_name(
    people: list[User], undo: Callable[[int], None], told: list[int], seconds: int
) -> None:
    undo(seconds)
    case = factories.in_review()
    acts = [proposing(case, person, approve=n % 2 == 0) for n, person in enumerate(people)]
    results = at_once(*acts)
    (won,) = [one for one in results if isinstance(one, Proposal)]
    lost = [one for one in results if not isinstance(one, Proposal)]
    assert len(lost) == len(people) - 1
    for refusal in lost:
        assert isinstance(refusal, AlreadyDecided)
        assert won.proposed_by.username in refusal.first
    assert Proposal.objects.count() == 1
    if not seconds:
        assert decided() == 1
        assert len(told) == (case.request.state == State.APPROVED)
    audit_verify()


def test_two_reviewers_work_off_the_same_queue_without_losing_or_doubling(
    people: list[User], undo: Callable[[int], None], told: list[int]
) -> None:
    """Each takes what is next until nothing is left; every request ends with one decision."""
    undo(0)
    cases = [factories.in_review() for _ in range(6)]

    def work(person: User) -> Callable[[], Counter[str]]:
        def off() -> Counter[str]:
            did: Counter[str] = Counter()
            for case in cases:
                try:
                    proposing(case, person, approve=True)()
                    did["decided"] += 1
                except AlreadyDecided as refused:
                    did["lost" if refused.first else "not told who was first"] += 1
            return did

        return off

    first, second = at_once(work(people[0]), work(people[1]))
    assert first["decided"] + second["decided"] == len(cases)
    assert first["lost"] + second["lost"] == len(cases)
    assert {case.request.state for case in cases} == {State.APPROVED}
    assert (decided(), told) == (len(cases), [3] * len(cases))
    audit_verify()


def test_everybody_who_looks_takes_effect_once(
    people: list[User], undo: Callable[[int], None], told: list[int]
) -> None:
    undo(3600)
    case = factories.in_review()
    proposal = proposing(case, people[0], approve=True)()
    Proposal.objects.filter(pk=proposal.pk).update(effective_at=proposal.proposed_at)
    results = at_once(*[lambda: proposal_settle(case.request_id)] * 3, *[proposals_take_effect] * 3)
    assert sum(map(int, results)) == 1
    assert (decided(), told, case.request.state) == (1, [3], State.APPROVED)


def test_undoing_at_the_edge_either_comes_in_time_or_is_told_that_it_did_not(
    people: list[User], undo: Callable[[int], None], told: list[int]
) -> None:
    undo(1)
    for _ in range(3):
        case = factories.in_review()
        proposal = proposing(case, people[0], approve=True)()
        ends = proposal.effective_at
        edge = threading.Event()
        threading.Timer(
            max(0, (ends - proposal.proposed_at).total_seconds() - 0.05), edge.set
        ).start()

        def undone(proposal_id: uuid.UUID = proposal.pk, edge: threading.Event = edge) -> Any:
            edge.wait()
            return proposal_undo(proposal_id=proposal_id, reviewer=people[0])

        def settled(case: Case = case, edge: threading.Event = edge) -> Any:
            edge.wait()
            for _ in range(20):
                if proposal_settle(case.request_id):
                    return True
                threading.Event().wait(0.01)
            return False

        was_undone, took = at_once(undone, settled)
        proposal.refresh_from_db()
        if took:
            assert isinstance(was_undone, ProposalRefused)
        in_time = not isinstance(was_undone, ProposalRefused)
        assert (proposal.state == ProposalState.UNDONE) == in_time
        assert (case.request.state == State.IN_REVIEW) == in_time
    assert len(told) == decided()


def test_one_of_many_confirms(people: list[User], undo: Callable[[int], None]) -> None:
    undo(3600)
    case = factories.in_review(category="medical")
    proposal = proposing(case, people[0], approve=False)()
    confirm = partial(proposal_confirm, proposal_id=proposal.pk)
    results = at_once(*(partial(confirm, reviewer=person) for person in people))
    assert isinstance(results[0], ProposalRefused)  # their own
    (won,) = [one for one in results if isinstance(one, Proposal)]
    proposal.refresh_from_db()
    assert proposal.confirmed_by == won.confirmed_by != people[0]
    for refused in results[1:]:
        if refused is not won:
            assert isinstance(refused, ProposalRefused)
            assert str(won.confirmed_by) in str(refused)
    assert AuditEntry.objects.filter(act="proposal_confirmed").count() == 1


def test_a_withdrawal_and_an_effect_in_one_moment(
    people: list[User], undo: Callable[[int], None], told: list[int]
) -> None:
    undo(0)
    for _ in range(3):
        case = factories.in_review()
        opened = case.opened()
        at_once(
            partial(review.request_withdraw, opened=opened),
            proposing(case, people[0], approve=True),
        )
        assert case.request.state in {State.WITHDRAWN, State.APPROVED}
    approved = RemovalRequest.objects.filter(state=State.APPROVED).count()
    assert len(told) == decided() == approved
    audit_verify()


def test_an_escalation_and_everything_else_in_one_moment(
    people: list[User], undo: Callable[[int], None], told: list[int]
) -> None:
    """Whoever comes first: what is held keeps its keys, and what is listed was not held."""
    undo(0)
    for _ in range(3):
        case = factories.in_review()
        opened = case.opened()
        at_once(
            partial(request_escalate, request_id=case.request_id, reviewer=people[1]),
            proposing(case, people[0], approve=True),
            partial(review.photos_delete_now, opened=opened),
            retention.retention_run,
        )
        request = case.request
        assert request.held_on is not None
        acts = list(
            AuditEntry.objects.filter(act__in=["escalated", "decided", "photos_destroyed"])
            .order_by("-seq")
            .values_list("act", flat=True)
        )
        assert acts[0] == "escalated"  # nothing was decided or destroyed after it
    assert len(told) == decided()
    audit_verify()
