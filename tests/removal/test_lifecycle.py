"""The table of steps, the conditional UPDATE, and the clock."""

import datetime as dt
import itertools

import pytest

from removal import audit
from removal.lifecycle import CLOSED, OPEN, STEPS, TransitionRefused, months_added, step_taken
from removal.models import AuditEntry, RemovalRequest, State
from tests.removal import factories

pytestmark = pytest.mark.django_db

# The life of a request, written out by hand.
PAIRS = {
    ("received", "searching"),
    ("received", "in_review"),  # never searched in 120 days: docs/adr/0007
    ("searching", "in_review"),
    ("searching", "no_match"),
    ("in_review", "needs_info"),
    ("needs_info", "in_review"),
    ("needs_info", "expired"),
    ("in_review", "approved"),
    ("in_review", "partly_approved"),
    ("in_review", "denied"),
    ("approved", "released"),
    ("partly_approved", "released"),
    ("received", "withdrawn"),
    ("searching", "withdrawn"),
    ("in_review", "withdrawn"),
    ("needs_info", "withdrawn"),
    ("denied", "in_review"),
    ("no_match", "in_review"),
    ("partly_approved", "in_review"),
    ("released", "in_review"),  # where only a part was approved: docs/adr/0011
    *itertools.product(  # copies of approved rows: to what the decision made it, docs/adr/0022
        ("approved", "partly_approved", "released"), ("approved", "partly_approved")
    ),
}


def test_the_table_is_the_designs() -> None:
    pairs = {
        (source.value, target.value)
        for step in STEPS.values()
        for source, target in itertools.product(step.sources, step.targets)
    }
    assert pairs == PAIRS
    assert not OPEN & CLOSED


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_taken_from_its_sources_alone_and_once(
    made_secrets: None, state: State, step: str
) -> None:
    case = factories.received()
    RemovalRequest.objects.update(state=state, reason="unfounded")  # nobody is refused without
    target = min(STEPS[step].targets)
    before = AuditEntry.objects.count()
    if state not in STEPS[step].sources:
        with (
            pytest.raises(TransitionRefused),
            step_taken(case.request_id, step, target, actor=audit.WORKER),
        ):
            pytest.fail("the body must not run")
        assert case.request.state == state
        assert AuditEntry.objects.count() == before
        return
    with step_taken(case.request_id, step, target, actor=audit.WORKER):
        pass
    entry = AuditEntry.objects.last()
    assert entry is not None
    assert (entry.act, entry.detail["state"]) == (step, target)
    assert case.request.state == target
    assert case.request.state_seq == entry.seq
    seen = {"state_seq": entry.seq - 1} if target in STEPS[step].sources else {}
    with (
        pytest.raises(TransitionRefused),
        step_taken(case.request_id, step, target, actor=audit.WORKER, where=seen),
    ):
        pytest.fail("the body must not run")


def test_a_body_that_fails_takes_the_step_back(made_secrets: None) -> None:
    case = factories.received()
    entries = AuditEntry.objects.count()
    with (
        pytest.raises(ZeroDivisionError),
        step_taken(case.request_id, "withdrawn", State.WITHDRAWN, actor=audit.SUBJECT),
    ):
        raise ZeroDivisionError
    assert case.request.state == State.RECEIVED
    assert AuditEntry.objects.count() == entries


def test_a_target_that_is_not_the_steps_is_a_mistake_of_ours(made_secrets: None) -> None:
    case = factories.received()
    with (
        pytest.raises(ValueError, match="does not lead"),
        step_taken(case.request_id, "withdrawn", State.DENIED, actor=audit.SUBJECT),
    ):
        pytest.fail("the body must not run")


@pytest.mark.parametrize(
    ("day", "months", "due"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2028-01-31", 1, "2028-02-29"),
        ("2026-03-15", 1, "2026-04-15"),
        ("2026-12-31", 1, "2027-01-31"),
        ("2026-11-30", 3, "2027-02-28"),
        ("2026-08-31", 3, "2026-11-30"),
    ],
)
def test_a_month_later_is_the_same_day_or_the_last(day: str, months: int, due: str) -> None:
    assert months_added(dt.date.fromisoformat(day), months) == dt.date.fromisoformat(due)
