"""No order of acts lets one person pass what needs two.

A machine plays every act that the service offers to people, in any order, at any time, while the
clock and the settings move; it knows nothing of how the rule is kept. After each act it reads the
audit log alone: whatever was decided against the rule of one must bear the names of two people, of
whom the second may decide and is not the first.
"""

import datetime as dt
import uuid
from contextlib import suppress
from typing import Any, ClassVar

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from removal import audit
from removal.life.appeals import request_appeal
from removal.life.deciding import AlreadyDecided
from removal.life.effects import ProposalRefused, proposals_take_effect
from removal.life.escalation import EscalationRefused, escalation_return, request_escalate
from removal.life.listable import DecisionInvalid
from removal.life.proposals import (
    decision_propose,
    proposal_confirm,
    proposal_refuse,
    proposal_undo,
)
from removal.lifecycle import TransitionRefused
from removal.models import AuditEntry, Candidate, Proposal, Verdict
from removal.permissions import DECIDE
from removal.selectors import RequestGone
from tests.removal import factories
from tests.removal.factories import Case, match

UNDO, MOST = 10, 2
ROWS = 4
REFUSALS = (
    AlreadyDecided,
    DecisionInvalid,
    EscalationRefused,
    ProposalRefused,
    RequestGone,
    TransitionRefused,
)


class PeopleMachine(RuleBasedStateMachine):
    """People at two requests: one medical, one with more rows than one person may approve."""

    cases: ClassVar[list[Case]] = []
    people: ClassVar[dict[str, User]] = {}
    names: ClassVar[tuple[str, ...]] = ()
    decided: ClassVar[set[bool]] = set()
    """Whether decisions came about that need two people, and such that need one."""
    monkeypatch: ClassVar[pytest.MonkeyPatch]

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.now = dt.datetime.now(dt.UTC)
        self.monkeypatch.setattr(timezone, "now", lambda: self.now)

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    def someone(self, data: st.DataObject) -> User:
        return self.people[data.draw(st.sampled_from(self.names))]

    def proposal(self, data: st.DataObject) -> Any:
        known = list(Proposal.objects.order_by("proposed_at").values_list("pk", flat=True))
        return data.draw(st.sampled_from(known)) if known else uuid.uuid4()

    @rule(data=st.data(), place=st.integers(0, 1), rows=st.integers(0, ROWS))
    def propose(self, data: st.DataObject, place: int, rows: int) -> None:
        case, person = self.cases[place], self.someone(data)
        self.now += dt.timedelta(milliseconds=1)  # so that proposals have an order
        chosen = [row.pk for row in Candidate.objects.filter(request=case.request_id)][:rows]
        with suppress(*REFUSALS):
            decision_propose(
                request_id=case.request_id,
                reviewer=person,
                approve=chosen,
                deny_reason=None if rows == ROWS else "different_picture",
                statement="",
                tier="exact" if chosen else None,
            )

    @rule(data=st.data(), place=st.integers(0, 1), rows=st.sampled_from([0, 1, ROWS]))
    def the_whole_way(self, data: st.DataObject, place: int, rows: int) -> None:
        """Propose, have somebody confirm it, and wait: the way that most decisions go."""
        self.propose(data, place, rows)
        self.confirm_the_last(data)
        self.time_passes(UNDO)

    @rule(data=st.data(), act=st.sampled_from([proposal_confirm, proposal_refuse, proposal_undo]))
    def answer(self, data: st.DataObject, act: Any) -> None:
        proposal_id, person = self.proposal(data), self.someone(data)
        with suppress(*REFUSALS):
            act(proposal_id=proposal_id, reviewer=person)

    @rule(seconds=st.sampled_from([UNDO, 3600, 1, UNDO - 1]))
    def time_passes(self, seconds: int) -> None:
        self.now += dt.timedelta(seconds=seconds)
        proposals_take_effect()

    @rule(data=st.data())
    def confirm_the_last(self, data: st.DataObject) -> None:
        last, person = Proposal.objects.order_by("proposed_at").last(), self.someone(data)
        if last is not None:
            with suppress(*REFUSALS):
                proposal_confirm(proposal_id=last.pk, reviewer=person)

    @precondition(lambda _: AuditEntry.objects.filter(act="decided").exists())
    @rule(place=st.integers(0, 1))
    def appeal(self, place: int) -> None:
        with suppress(*REFUSALS):
            request_appeal(opened=self.cases[place].opened(), text="Look again.")

    @rule(data=st.data(), place=st.integers(0, 1))
    def escalate_and_give_back(self, data: st.DataObject, place: int) -> None:
        request_id = self.cases[place].request_id
        first, second = self.someone(data), self.someone(data)
        with suppress(*REFUSALS):
            request_escalate(request_id=request_id, reviewer=first)
        with suppress(*REFUSALS):
            escalation_return(request_id=request_id, reviewer=second)

    @invariant()
    def two_people_where_two_are_needed(self) -> None:
        by_id = {person.pk: person for person in self.people.values()}
        sensitive = audit.subject_tag(self.cases[0].request)
        for entry in AuditEntry.objects.filter(act="decided"):
            first = by_id[int(entry.actor.removeprefix("staff:"))]
            refuses = entry.detail["state"] != "approved" and bytes(entry.subject) == sensitive
            rows = entry.detail["approved"] + entry.detail.get("listed_before", 0)
            many = bool(entry.detail["approved"]) and rows > MOST
            needed = refuses or many or not first.has_perm(DECIDE)
            self.decided.add(needed)
            if needed:
                assert "confirmed_by" in entry.detail
                second = by_id[int(entry.detail["confirmed_by"].removeprefix("staff:"))]
                assert second != first
                assert second.has_perm(DECIDE)

    @invariant()
    def what_is_listed_was_decided(self) -> None:
        told = sum(entry.detail["approved"] for entry in AuditEntry.objects.filter(act="decided"))
        assert Candidate.objects.filter(verdict=Verdict.APPROVED).count() == told


class AloneMachine(PeopleMachine):
    """One person at it: nobody's name stands beside theirs, and nothing that needs two is done."""

    @invariant()
    def nothing_that_needs_two(self) -> None:
        for entry in AuditEntry.objects.filter(act="decided"):
            assert "confirmed_by" not in entry.detail
        assert self.cases[0].request.outcome in {"", "approved"}
        for case in self.cases:
            listed = Candidate.objects.filter(request=case.request_id, verdict=Verdict.APPROVED)
            assert listed.count() <= MOST


@pytest.fixture
def _stage(made_secrets: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.UNLIST = django_settings.UNLIST.model_copy(
        update={"undo_seconds": UNDO, "two_person_rows": MOST}
    )
    rows = [match(key=f"00000000{n}") for n in range(ROWS)]
    PeopleMachine.cases = [
        factories.in_review(matches=rows, category="medical"),
        factories.in_review(matches=rows),
    ]
    PeopleMachine.people = {
        "anna": factories.role_user("anna", "approver"),
        "bert": factories.role_user("bert", "approver", "escalation"),
        "rita": factories.role_user("rita", "reviewer"),
        "root": factories.staff_user("root"),
    }
    PeopleMachine.monkeypatch = monkeypatch


def play(
    machine: type[PeopleMachine], *names: str, examples: int = 60, shrink: bool = True
) -> None:
    machine.names = names
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(900)
@pytest.mark.django_db
@pytest.mark.usefixtures("_stage")
def test_people_in_any_order_keep_the_rule_of_two() -> None:
    PeopleMachine.decided.clear()
    play(PeopleMachine, "anna", "bert", "rita", "root")
    assert PeopleMachine.decided == {True, False}  # by two and by one: both came up


@pytest.mark.timeout(900)
@pytest.mark.django_db
@pytest.mark.usefixtures("_stage")
@pytest.mark.once
@pytest.mark.parametrize("alone", ["anna", "root"])
def test_one_person_alone_never_passes_it(alone: str) -> None:
    PeopleMachine.decided.clear()
    play(AloneMachine, alone, examples=30)
    assert PeopleMachine.decided == {False}


@pytest.mark.timeout(900)
@pytest.mark.django_db
@pytest.mark.usefixtures("_stage")
@pytest.mark.once
def test_the_machine_would_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the rule switched off, it finds a way past it."""
    monkeypatch.setattr("removal.life.proposals.second_needed", lambda *_, **__: [])
    monkeypatch.setattr("removal.life.effects.second_needed", lambda *_, **__: [])
    with pytest.raises(AssertionError):
        play(PeopleMachine, "anna", "root", shrink=False)
