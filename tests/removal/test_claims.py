"""Nobody does the same work twice: claims, and what is next in whose turn."""

import datetime as dt
import threading
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.utils import timezone

from removal.life import claims
from removal.life.claims import ClaimedByOther
from removal.life.proposals import decision_propose
from removal.models import Claim, RemovalRequest, State, today
from removal.selectors import RequestGone, queue
from removal.selectors.queue_page import queue_counts
from tests.removal import factories
from tests.removal.factories import Case, match

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _keys(made_secrets: None) -> None:
    """Make the keys that requests need."""


def changed(case: Case, **fields: Any) -> None:
    RemovalRequest.objects.filter(pk=case.request_id).update(**fields)


def pair() -> tuple[User, User]:
    return factories.role_user("ann", "reviewer"), factories.role_user("ben", "approver")


def proposed(case: Case, reviewer: User) -> None:
    rows = [row.pk for row in case.candidates]
    decision_propose(
        request_id=case.request_id,
        reviewer=reviewer,
        approve=rows,
        deny_reason=None,
        statement="",
        tier="exact",
    )


def test_a_claim_is_told_to_others_with_who_and_until_when() -> None:
    (ann, ben), case = pair(), factories.in_review()
    mine = claims.claim(request_id=case.request_id, reviewer=ann)
    assert claims.claim_of(case.request_id) == mine
    with pytest.raises(ClaimedByOther, match="ann is working on this request until"):
        claims.claim(request_id=case.request_id, reviewer=ben)
    claims.claim_check(request_id=case.request_id, reviewer=ann)
    with pytest.raises(ClaimedByOther):
        claims.claim_check(request_id=case.request_id, reviewer=ben)


def test_a_claim_is_renewed_by_its_holder_and_runs_out_without() -> None:
    (ann, ben), case = pair(), factories.in_review()
    claims.claim(request_id=case.request_id, reviewer=ann)
    Claim.objects.update(until=timezone.now() + dt.timedelta(seconds=5))
    renewed = claims.claim(request_id=case.request_id, reviewer=ann)
    assert renewed.until > timezone.now() + dt.timedelta(minutes=29)
    Claim.objects.update(until=timezone.now())
    assert claims.claim_of(case.request_id) is None
    assert claims.claim(request_id=case.request_id, reviewer=ben).reviewer == "ben"
    assert Claim.objects.count() == 1


def test_a_claim_is_given_back_by_its_holder_alone() -> None:
    (ann, ben), case = pair(), factories.in_review()
    claims.claim(request_id=case.request_id, reviewer=ann)
    assert not claims.release(request_id=case.request_id, reviewer=ben)
    assert claims.release(request_id=case.request_id, reviewer=ann)
    assert claims.claim_of(case.request_id) is None


def test_what_is_decided_or_gone_cannot_be_claimed() -> None:
    ann, _ = pair()
    with pytest.raises(RequestGone):
        claims.claim(request_id=factories.decided().request_id, reviewer=ann)
    with pytest.raises(RequestGone):
        claims.claim(request_id=uuid.uuid4(), reviewer=ann)


def test_claims_that_ran_out_and_those_of_decided_requests_are_deleted() -> None:
    (ann, _), late, done, kept = pair(), *(factories.in_review() for _ in range(3))
    for case in (late, done, kept):
        claims.claim(request_id=case.request_id, reviewer=ann)
    Claim.objects.filter(request=late.request_id).update(until=timezone.now())
    changed(done, state=State.APPROVED)
    assert claims.claims_expire() == 2
    assert [claim.request_id for claim in Claim.objects.all()] == [kept.request_id]


def test_next_is_what_may_miss_its_day_then_by_category_then_the_certain() -> None:
    day, ann = today(), pair()[0]
    sure = factories.in_review([match("copy")])
    unsure = factories.in_review([match("similar", score=0.4)])
    child = factories.in_review(category="child")
    medical = factories.in_review(category="medical")
    late = factories.in_review([match("similar", score=0.4)])
    for case, due in ((sure, 20), (unsure, 20), (child, 33), (medical, 28), (late, 2)):
        changed(case, due_on=day + dt.timedelta(days=due))
    order = [late, child, sure, unsure, medical]
    assert [item.request_id for item in queue()] == [case.request_id for case in order]
    taken = [claims.next_take(ann) for _ in range(6)]
    assert taken == [*(case.request_id for case in order), None]


def test_next_passes_over_what_others_have_and_what_is_decided_already(settings: Any) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 600})
    (ann, ben), theirs, mine = pair(), factories.in_review(), factories.in_review()
    claims.claim(request_id=theirs.request_id, reviewer=ann)
    assert claims.next_for(ben) == mine.request_id
    proposed(mine, ben)
    assert claims.next_for(ben) is None
    assert claims.next_for(ann) is None


def test_what_waits_for_a_second_person_is_next_for_who_may_be_it() -> None:
    (ann, ben), case = pair(), factories.in_review()
    proposed(case, ann)
    assert claims.next_for(ann) is None
    assert claims.next_for(factories.role_user("eve", "reviewer")) is None
    assert claims.next_for(ben) == case.request_id
    assert queue_counts(ben).second == 1


def test_escalated_requests_are_nobodys_next_and_in_no_count() -> None:
    case, (ann, _) = factories.in_review(), pair()
    changed(case, escalated_on=today())
    assert claims.next_for(ann) is None
    assert queue() == []
    assert queue_counts(ann).waiting == 0
    with pytest.raises(RequestGone):
        claims.claim(request_id=case.request_id, reviewer=ann)


@pytest.mark.django_db(transaction=True)
def test_two_who_take_the_next_at_once_get_two(real_database: None) -> None:
    """Every request goes to one of them, and no request to both."""
    people = [factories.role_user(name, "reviewer") for name in ("ann", "ben", "eve")]
    wanted = {factories.in_review().request_id for _ in range(6)}
    begins, got = threading.Barrier(len(people)), []

    def work(person: User) -> None:
        begins.wait()
        try:
            while (request_id := claims.next_take(person)) is not None:
                got.append(request_id)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(wanted)
