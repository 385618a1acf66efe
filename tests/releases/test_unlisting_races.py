"""Two persons at withdrawals, in the same moment and in any order; approvals in between."""

import datetime as dt
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar

import pytest
from django.contrib.auth.models import Group, User
from django.db import connections, transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from releases.ledger import entries_add
from releases.lookup import entries_look
from releases.models import ListEntry
from releases.unlisting import UnlistingRefused, withdrawal_propose
from removal.audit import audit_verify
from removal.life.effects import ProposalRefused, proposals_take_effect
from removal.life.proposals import (
    proposal_confirm,
    proposal_put,
    proposal_refuse,
    proposal_undo,
)
from removal.models import AuditEntry, Proposal, ProposalState
from removal.selectors.desk import RequestGone
from tests.releases.conftest import DAY, listed, rows
from tests.removal import factories
from tests.removal.conftest import real_database, tables_file  # noqa: F401  # fixtures

REFUSALS = (ProposalRefused, RequestGone, UnlistingRefused)
UNDO = 10


def url(number: int) -> str:
    return f"https://example.org/{number}.jpg"


def propose(person: User, *numbers: int) -> Proposal:
    looked = entries_look([url(number) for number in numbers])
    chosen = [str(entry.pk) for one in looked for entry in one.entries]
    return withdrawal_propose(
        looked=looked, chosen=chosen, reason="mistake", words="", reviewer=person
    )


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


def undo_seconds(given: Any, seconds: int) -> None:
    given.UNLIST = given.UNLIST.model_copy(update={"undo_seconds": seconds})


# --- in the same moment --------------------------------------------------------------------------

at_the_database = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("real_database"),
]


class TestAtOnce:
    pytestmark = at_the_database

    @pytest.fixture
    def people(self) -> list[User]:
        return [factories.role_user(f"approver-{n}", "approver") for n in range(4)]

    def test_one_of_many_confirms_and_it_takes_effect_once(
        self, people: list[User], settings: Any
    ) -> None:
        undo_seconds(settings, 0)
        listed(2)
        proposal = propose(people[0], 2)
        confirm = partial(proposal_confirm, proposal_id=proposal.pk)
        results = at_once(*(partial(confirm, reviewer=person) for person in people))
        assert isinstance(results[0], ProposalRefused)  # their own
        (won,) = [one for one in results if isinstance(one, Proposal)]
        proposal.refresh_from_db()
        assert proposal.state == ProposalState.TAKEN
        assert proposal.confirmed_by == won.confirmed_by != people[0]
        for lost in results[1:]:
            if lost is not won:
                assert isinstance(lost, ProposalRefused)
        assert AuditEntry.objects.filter(act="unlisted").count() == 1
        assert not ListEntry.objects.filter(kind="url").exists()
        audit_verify()

    def test_two_who_confirm_each_others_proposals_of_one_row(
        self, people: list[User], settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        undo_seconds(settings, 0)
        monkeypatch.setattr("releases.unlisting._not_proposed_check", lambda _: None)
        for _ in range(4):
            listed(2, 4)
            first, second = propose(people[0], 2, 4), propose(people[1], 4, 2)
            at_once(
                partial(proposal_confirm, proposal_id=first.pk, reviewer=people[1]),
                partial(proposal_confirm, proposal_id=second.pk, reviewer=people[0]),
            )
            states = {Proposal.objects.get(pk=one.pk).state for one in (first, second)}
            assert states == {ProposalState.TAKEN, ProposalState.STALE}
            assert not ListEntry.objects.filter(kind="url").exists()
        assert AuditEntry.objects.filter(act="unlisted").count() == 4
        audit_verify()

    def test_a_confirmation_and_a_refusal_in_one_moment(
        self, people: list[User], settings: Any
    ) -> None:
        undo_seconds(settings, 0)
        for n in range(2, 12, 2):
            listed(n)
            proposal = propose(people[0], n)
            at_once(
                partial(proposal_confirm, proposal_id=proposal.pk, reviewer=people[1]),
                partial(proposal_refuse, proposal_id=proposal.pk, reviewer=people[2]),
                partial(proposal_undo, proposal_id=proposal.pk, reviewer=people[0]),
            )
            proposal.refresh_from_db()
            taken = proposal.state == ProposalState.TAKEN
            [looked] = entries_look([url(n)])
            assert bool(looked.entries) is not taken

    def test_an_approval_in_the_same_moment_is_never_lost(
        self, people: list[User], settings: Any
    ) -> None:
        """Whoever comes first, what was just approved is on the list afterwards."""
        undo_seconds(settings, 0)
        became = set()
        for n in range(2, 26, 2):
            listed(n)
            proposal = propose(people[0], n)
            at_once(
                partial(proposal_confirm, proposal_id=proposal.pk, reviewer=people[1]),
                partial(entries_add, rows=rows(n), tier="exact", on=DAY),
            )
            became.add(Proposal.objects.get(pk=proposal.pk).state)
            [looked] = entries_look([url(n)])
            assert looked.entries
        assert became <= {ProposalState.TAKEN, ProposalState.STALE}


# --- in any order --------------------------------------------------------------------------------


class UnlistMachine(RuleBasedStateMachine):
    """Everything that people can do about withdrawals; it knows nothing of the rule of two."""

    people: ClassVar[dict[str, User]] = {}
    names: ClassVar[tuple[str, ...]] = ()
    taken: ClassVar[set[int]] = set()
    monkeypatch: ClassVar[pytest.MonkeyPatch]

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.now = dt.datetime.now(dt.UTC)
        self.monkeypatch.setattr(timezone, "now", lambda: self.now)
        self.put = 0
        listed(2, 4)
        self.put = ListEntry.objects.count()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    def someone(self, data: st.DataObject) -> User:
        name = data.draw(st.sampled_from(self.names))
        return User.objects.get(pk=self.people[name].pk)  # with the rights of this moment

    @rule(data=st.data(), numbers=st.sampled_from([(2,), (4,), (2, 4)]))
    def propose(self, data: st.DataObject, numbers: tuple[int, ...]) -> None:
        self.now += dt.timedelta(milliseconds=1)
        with suppress(*REFUSALS):
            propose(self.someone(data), *numbers)

    @rule(data=st.data(), act=st.sampled_from([proposal_confirm, proposal_refuse, proposal_undo]))
    def answer(self, data: st.DataObject, act: Any) -> None:
        known = list(Proposal.objects.order_by("proposed_at").values_list("pk", flat=True))
        chosen = data.draw(st.sampled_from(known)) if known else uuid.uuid4()
        with suppress(*REFUSALS):
            act(proposal_id=chosen, reviewer=self.someone(data))

    @rule(data=st.data(), numbers=st.sampled_from([(2,), (2, 4)]))
    def the_whole_way(self, data: st.DataObject, numbers: tuple[int, ...]) -> None:
        self.propose(data, numbers)
        last = Proposal.objects.order_by("proposed_at").last()
        if last is not None:
            with suppress(*REFUSALS):
                proposal_confirm(proposal_id=last.pk, reviewer=self.someone(data))
        self.time_passes(UNDO)

    @rule(seconds=st.sampled_from([UNDO, 1, UNDO - 1]))
    def time_passes(self, seconds: int) -> None:
        self.now += dt.timedelta(seconds=seconds)
        proposals_take_effect()

    @rule(number=st.sampled_from([2, 4]))
    def approved_anew(self, number: int) -> None:
        before = ListEntry.objects.count()
        listed(number)
        self.put += ListEntry.objects.count() - before

    @rule(data=st.data(), back=st.booleans())
    def role_changes(self, data: st.DataObject, back: bool) -> None:
        group, person = Group.objects.get(name="approver"), self.someone(data)
        (person.groups.add if back else person.groups.remove)(group)

    @invariant()
    def two_people_stand_behind_what_went(self) -> None:
        gone = 0
        for entry in AuditEntry.objects.filter(act="unlisted"):
            assert entry.detail["confirmed_by"] not in {None, entry.actor}
            gone += entry.detail["entries"]
        self.taken.add(gone)
        assert ListEntry.objects.count() == self.put - gone


def play(*names: str, shrink: bool = True) -> None:
    UnlistMachine.names = names
    run_state_machine_as_test(
        UnlistMachine,
        settings=settings(
            max_examples=40,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def _stage(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    factories.secrets_made()
    undo_seconds(settings, UNDO)
    UnlistMachine.people = {
        "anna": factories.role_user("anna", "approver"),
        "bert": factories.role_user("bert", "approver"),
        "rita": factories.role_user("rita", "reviewer"),
        "root": factories.staff_user("root"),
    }
    UnlistMachine.monkeypatch = monkeypatch
    UnlistMachine.taken = set()


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("_stage")
def test_people_in_any_order_keep_the_rule_of_two() -> None:
    play("anna", "bert", "rita", "root")
    assert max(UnlistMachine.taken) > 0  # and it does happen


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("_stage")
@pytest.mark.parametrize("alone", ["anna", "root"])
def test_one_person_alone_takes_nothing_off(alone: str) -> None:
    play(alone)
    assert UnlistMachine.taken == {0}


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("_stage")
def test_the_machine_would_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the rule switched off, a single person's proposal goes through and it says so."""

    def alone(kind: Any, **given: Any) -> Proposal:
        proposal = real(kind, **given)
        other = UnlistMachine.people["bert"]
        Proposal.objects.filter(pk=proposal.pk).update(
            state=ProposalState.COUNTING, effective_at=timezone.now(), confirmed_by=other
        )
        return proposal

    real = proposal_put
    monkeypatch.setattr("releases.unlisting.proposal_put", alone)
    play("anna", shrink=False)
    assert max(UnlistMachine.taken) > 0  # one person's acts alone took entries off
