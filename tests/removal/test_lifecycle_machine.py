"""The whole life of a request, in any order and at any time, against a plain model of it.

Hypothesis draws the acts; each is tried in the service and in `lifecycle_model`. What the model
forbids must be refused and leave no trace, what it allows must do what it does there, and the audit
chain must be whole after every act. Days jump, so that months end and leap days come.
"""

import datetime as dt
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any
from unittest import mock

import pytest
from django.conf import settings as live
from django.db import transaction
from django.test import TestCase, override_settings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from removal import audit
from removal.life import appeals, retention, review, spreading
from removal.life.closing import request_release
from removal.life.deciding import AlreadyDecided
from removal.life.listable import DecisionInvalid
from removal.life.messages import ConversationInvalid, message_post, message_send
from removal.life.questions import question_answer, question_put
from removal.lifecycle import TransitionRefused
from removal.models import AuditEntry, Candidate, Message, Question, RemovalRequest, Verdict
from removal.search import draining, fingerprinting, matching
from removal.selectors import RequestGone, request_open, requests_awaiting_release
from removal.selectors.duplicates import copies_unreleased
from removal.selectors.status import request_status
from removal.signals import rows_approved
from tests.removal import factories
from tests.removal.deciding import request_decide
from tests.removal.factories import FakeSearcher, match
from tests.removal.lifecycle_model import SIMILAR, Model, days

REFUSALS = (
    TransitionRefused,
    AlreadyDecided,
    DecisionInvalid,
    ConversationInvalid,
    appeals.AppealInvalid,
    RequestGone,
)
PICTURE = factories.photo_bytes(side=96)
FOUND = [
    match("exact", key="000000001", score=1.0),
    match("copy", key="000000002", score=0.9),
    match("similar", key="000000003", score=0.4),
    match("similar", key="000000004", score=0.3),
]
BEGINNINGS = ("2026-01-31", "2027-11-30", "2027-12-31", "2028-01-31", "2028-02-29", "2027-08-31")
PLACES = st.sets(st.integers(0, 3), max_size=4)
JUMPS = st.sampled_from((1, 2, 13, 14, 15, 28, 29, 30, 31, 61, 90, 120, 366))


class LifecycleMachine(RuleBasedStateMachine):
    """One request and everybody who can do something to it."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.model: Model | None = None
        self.told: list[int] = []
        self.release = 0

    @initialize(day=st.sampled_from(BEGINNINGS), found=st.booleans())
    def submit(self, day: str, found: bool) -> None:
        self.begin(day, found)

    def begin(self, day: str, found: bool) -> None:
        """Have a request that was just sent."""
        self.now = dt.datetime.fromisoformat(f"{day}T12:00:00+00:00")
        self.stack.enter_context(mock.patch("django.utils.timezone.now", self._now))
        self.stack.enter_context(
            mock.patch("removal.life.questions.row_picture", return_value=PICTURE)
        )
        at_once = live.UNLIST.model_copy(update={"undo_seconds": 0})
        self.stack.enter_context(override_settings(UNLIST=at_once))
        self.stack.enter_context(rolled_back())
        rows_approved.connect(self._hear)
        self.stack.callback(rows_approved.disconnect, self._hear)
        self.case = factories.received()
        self.group = factories.catalog_group()
        self.searcher = FakeSearcher(FOUND if found else ())
        self.model = Model(received=self.now.date(), found=found, today=self.now.date())
        self.staff = [factories.staff_user(name) for name in ("ann", "ben")]
        self.places: list[uuid.UUID] = []
        self.found: list[str] = []

    def teardown(self) -> None:
        self.stack.close()

    # --- acts ---------------------------------------------------------------------------------

    @precondition(lambda self: self.alive() and self.model.state == "received")
    @rule()
    def search(self) -> None:
        def done() -> None:
            fingerprinting.request_fingerprint(self.case.request_id, searcher=self.searcher)
            draining.group_drain(self.group.pk, searcher=self.searcher)
            assert matching.request_conclude(self.case.request_id, searcher=self.searcher)

        self.tried(True, done, self.the.search)
        self.places = [candidate.pk for candidate in self.case.candidates]

    @precondition(lambda self: self.alive())
    @rule(places=st.sets(st.sampled_from(SIMILAR), min_size=1))
    def ask(self, places: set[int]) -> None:
        self.tried(
            self.the.may_ask(places),
            lambda: question_put(
                request_id=self.case.request_id,
                reviewer=self.staff[0],
                candidate_ids=self.ids(places),
            ),
            lambda: self.the.ask(places),
        )

    @precondition(lambda self: self.alive())
    @rule(place=st.sampled_from(SIMILAR), mine=st.booleans())
    def answer(self, place: int, mine: bool) -> None:
        asked = Question.objects.filter(candidate__in=self.ids({place})).first()
        allowed = self.the.state == "needs_info" and place in self.the.asked
        self.tried(
            allowed,
            lambda: question_answer(
                opened=self.opened(), question=asked.pk if asked else uuid.uuid4(), mine=mine
            ),
            lambda: self.the.answer(place, mine),
        )

    @precondition(lambda self: self.alive())
    @rule()
    def post(self) -> None:
        self.tried(
            self.the.may_post(),
            lambda: message_post(opened=self.opened(), text="words"),
            lambda: self.the.messages.append("subject"),
        )

    @precondition(lambda self: self.alive())
    @rule()
    def send(self) -> None:
        self.tried(
            self.the.may_write(),
            lambda: message_send(
                request_id=self.case.request_id, reviewer=self.staff[1], text="words"
            ),
            lambda: self.the.messages.append("maintainer"),
        )

    @precondition(lambda self: self.alive())
    @rule(places=PLACES, reasoned=st.sampled_from((None, True, False)), who=st.integers(0, 1))
    def decide(self, places: set[int], reasoned: bool | None, who: int) -> None:
        """Decide, with a reason where it needs one (or where it does not)."""
        places &= self.the.rows
        if reasoned is None:
            reasoned = self.the.outcome_of(places) != "approved"
        self.tried(
            self.the.may_decide(places, reasoned=reasoned),
            lambda: request_decide(
                request_id=self.case.request_id,
                reviewer=self.staff[who],
                approve=self.ids(places),
                deny_reason="public_interest" if reasoned else None,
                statement="",
                tier="exact" if places else None,
            ),
            lambda: self.the.decide(places),
        )

    @precondition(lambda self: self.alive() and self.the.stands_decided() and self.the.listed)
    @rule(number=st.integers(1, 3))
    def find_copies(self, number: int) -> None:
        """Do what the search for duplicates does when it ends."""
        source = Candidate.objects.get(pk=self.places[min(self.the.listed)])
        self.tried(
            True,
            lambda: factories.offered(self.case, *self.new_keys(number), source=source),
            lambda: self.the.offered.update(self.found[-number:]),
        )

    @precondition(lambda self: self.alive() and self.found)
    @rule(
        some=st.sets(st.integers(0, 3), min_size=1),
        rest=st.booleans(),
        old=st.sampled_from((0, 0, 0, 1)),
    )
    def spread(self, some: set[int], rest: bool, old: int) -> None:
        """Approve some copies, sometimes with one that is not offered any more."""
        offered = sorted(self.the.offered)
        chosen = {offered[place] for place in some if place < len(offered)}
        chosen |= set(sorted(self.the.copies | self.the.aside)[:old])
        left = self.the.offered - chosen if rest else set()
        self.tried(
            self.the.may_spread(chosen),
            lambda: spreading.duplicates_propose(
                request_id=self.case.request_id,
                reviewer=self.staff[0],
                approve=self.copies(chosen),
                leave=self.copies(left),
            ),
            lambda: self.the.spread(chosen, left),
        )

    @precondition(lambda self: self.alive() and self.found)
    @rule()
    def set_aside(self) -> None:
        self.tried(
            self.the.stands_decided() and bool(self.the.offered),
            lambda: spreading.duplicates_dismiss(
                request_id=self.case.request_id,
                reviewer=self.staff[1],
                rows=self.copies(self.the.offered),
            ),
            self.the.set_aside,
        )

    @precondition(lambda self: self.alive() and self.found)
    @rule()
    def offer_again(self) -> None:
        self.tried(
            self.the.stands_decided() and bool(self.the.aside),
            lambda: spreading.duplicates_restore(
                request_id=self.case.request_id, reviewer=self.staff[1]
            ),
            self.the.offer_again,
        )

    @precondition(lambda self: self.alive())
    @rule()
    def publish(self) -> None:
        self.release += 1
        head = audit.audit_head().seq
        waiting = requests_awaiting_release(up_to_seq=head)
        assert bool(waiting) is self.the.awaits_release()
        for request_id in waiting:
            self.tried(
                True,
                partial(
                    request_release, request_id=request_id, release=self.release, up_to_seq=head
                ),
                lambda: self.the.release(self.release),
            )

    @precondition(lambda self: self.alive())
    @rule()
    def extend(self) -> None:
        self.tried(
            self.the.may_extend(),
            lambda: review.request_extend(
                request_id=self.case.request_id, reviewer=self.staff[0], reason="busy"
            ),
            self.the.extend,
        )

    @precondition(lambda self: self.alive())
    @rule()
    def appeal(self) -> None:
        self.tried(
            self.the.may_appeal(),
            lambda: appeals.request_appeal(opened=self.opened(), text="again"),
            self.the.appeal,
        )

    @precondition(lambda self: self.alive())
    @rule()
    def withdraw(self) -> None:
        self.tried(
            self.the.state in {"received", "searching", "in_review", "needs_info"},
            lambda: review.request_withdraw(opened=self.opened()),
            self.the.withdraw,
        )

    @precondition(lambda self: self.alive())
    @rule()
    def delete_photos(self) -> None:
        self.tried(
            self.the.may_delete_photos(),
            lambda: review.photos_delete_now(opened=self.opened()),
            self.the.delete_photos,
        )

    @precondition(lambda self: self.alive())
    @rule()
    def retain(self) -> None:
        with TestCase.captureOnCommitCallbacks(execute=True):
            retention.retention_run()
        self.the.retain()

    @precondition(lambda self: self.alive())
    @rule(number=JUMPS)
    def days_pass(self, number: int) -> None:
        self.now += days(number)
        self.the.today = self.now.date()

    # --- what always holds --------------------------------------------------------------------

    @invariant()
    def is_as_modelled(self) -> None:
        if self.model is None:
            return
        stored = RemovalRequest.objects.filter(pk=self.case.request_id).first()
        assert (stored is None) is self.the.purged
        if stored is None:
            return
        facts = [stored.state, stored.outcome, stored.due_on, stored.extended_on]
        facts += [stored.decided_on, stored.closed_on, stored.appealed_on, stored.answer_due_on]
        facts += [stored.photos_delete_on, stored.photos_deleted_on, stored.case_deleted_on]
        the = self.the
        wanted = [the.state, the.outcome, the.due, the.extended]
        wanted += [the.decided, the.closed, the.appealed, the.answer_due]
        wanted += [the.photos_due, the.photos_gone, the.case_gone]
        assert facts == wanted
        assert (stored.released_in, copies_unreleased(stored).exists()) == (
            the.releases,
            the.unreleased,
        )
        authors = Message.objects.order_by("n").values_list("author", flat=True)
        assert list(authors) == the.messages

    @invariant()
    def rows_are_listed_once(self) -> None:
        if self.model is None or self.the.case_gone or self.the.purged:
            return
        approved = Candidate.objects.filter(verdict=Verdict.APPROVED).values_list("pk", flat=True)
        listed = {*self.ids(self.the.listed), *self.copies(self.the.copies)}
        assert set(approved) == listed
        assert sum(self.told) == len(listed)

    @invariant()
    def copies_are_told_once_they_are_approved(self) -> None:
        if self.model is None or self.the.case_gone or self.the.purged:
            return
        if not self.found:
            return
        for keys, verdict in ((self.the.offered, "pending"), (self.the.aside, "denied")):
            stored = Candidate.objects.filter(offered=True, verdict=verdict)
            assert set(stored.values_list("pk", flat=True)) == set(self.copies(keys))
        status = request_status(opened=self.opened())
        told = sum(found["rows"] for found in status["found"])
        assert told == len({0, 1} & self.the.rows) + len(self.the.copies)
        assert sum(more["rows"] for more in status["more_found"]) == len(self.the.copies)

    @invariant()
    def what_is_released_is_all_released(self) -> None:
        if self.model is not None and self.the.state == "released":
            assert not self.the.unreleased
            assert self.the.releases

    @invariant()
    def audit_is_whole(self) -> None:
        if self.model is None:
            return
        audit.audit_verify()
        acts = list(AuditEntry.objects.values_list("act", flat=True))
        assert acts.count("appealed") <= 1
        assert acts.count("decided") <= 1 + acts.count("appealed")
        assert acts.count("extended") <= 1

    # --- helpers ------------------------------------------------------------------------------

    @property
    def the(self) -> Model:
        assert self.model is not None
        return self.model

    def alive(self) -> bool:
        return self.model is not None and not self.model.purged

    def opened(self) -> Any:
        return request_open(receipt=self.case.receipt)

    def ids(self, places: set[int]) -> list[uuid.UUID]:
        return [self.places[place] for place in sorted(places) if place < len(self.places)]

    def new_keys(self, number: int) -> list[str]:
        """Name rows that no search has found before."""
        first = 100 + len(self.found)
        self.found += [f"{first + place:09}" for place in range(number)]
        return self.found[-number:]

    def copies(self, keys: set[str]) -> list[uuid.UUID]:
        """Return the candidates of copies, of those gone included."""
        return [uuid.uuid5(self.case.request_id, key) for key in sorted(keys)]

    def tried(self, allowed: bool, act: Callable[[], Any], happens: Callable[[], Any]) -> None:
        """Act; what is refused leaves no trace, what is not is what the model says."""
        before = audit.audit_head()
        try:
            with TestCase.captureOnCommitCallbacks(execute=True):
                act()
        except REFUSALS:
            assert not allowed
            assert audit.audit_head() == before
        else:
            assert allowed
            happens()

    def _now(self) -> dt.datetime:
        return self.now

    def _hear(self, sender: Any, signal: Any, **told: Any) -> None:
        self.told.append(len(told["rows"]))


class CopiesMachine(LifecycleMachine):
    """The same from where copies of approved rows were found: few lives get that far by chance."""

    @initialize(
        day=st.sampled_from(BEGINNINGS),
        released=st.booleans(),
        places=st.sampled_from(({0}, {0, 1})),
        approved=st.integers(0, 3),
    )
    def submit(self, day: str, released: bool, places: set[int], approved: int) -> None:
        """Have a request decided, perhaps released, and copies found, some of them approved."""
        self.begin(day, found=True)
        self.search()
        self.decide(places=places, reasoned=None, who=0)
        if released:
            self.publish()
        self.find_copies(number=3)
        if approved:
            self.spread(some=set(range(approved)), rest=False, old=0)


class rolled_back:  # noqa: N801 - used like a function
    """A transaction that is taken back at the end: each example begins with an empty database."""

    def __enter__(self) -> None:
        self.atomic = transaction.atomic()
        self.atomic.__enter__()

    def __exit__(self, *exception: object) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)


@pytest.mark.timeout(900)  # seconds of work; a limit that strikes amid an act looks like a fault
@pytest.mark.django_db
@pytest.mark.parametrize(("machine", "examples"), [(LifecycleMachine, 20), (CopiesMachine, 12)])
def test_a_request_lives_as_it_is_modelled(machine: type[LifecycleMachine], examples: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
