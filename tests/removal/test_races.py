"""Races, on a database that several connections really share."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from removal.audit import audit_verify
from removal.life import retention, review
from removal.life.deciding import AlreadyDecided
from removal.lifecycle import TransitionRefused
from removal.models import AuditEntry, Candidate, SearchUnit, State
from removal.search import draining, fingerprinting, matching
from removal.signals import rows_approved
from tests.removal import factories
from tests.removal.deciding import request_decide

THREADS = 6
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("real_database")]


def at_once(work: Callable[[int], Any], times: int = THREADS) -> Counter[Any]:
    """Run `work(n)` in threads that start together; return what each returned or raised."""
    gate = threading.Barrier(times)

    def one(n: int) -> Any:
        gate.wait()
        try:
            return work(n)
        except (AlreadyDecided, TransitionRefused) as refusal:
            return type(refusal).__name__
        finally:
            connections.close_all()

    with ThreadPoolExecutor(times) as pool:
        return Counter(pool.map(one, range(times)))


def test_nothing_is_decided_twice() -> None:
    case = factories.in_review()
    chosen = [candidate.pk for candidate in case.candidates]
    reviewer = factories.staff_user()
    sent = []
    receiver = lambda **kwargs: sent.append(len(kwargs["rows"]))  # noqa: E731
    rows_approved.connect(receiver)
    try:
        outcomes = at_once(
            lambda n: request_decide(
                request_id=case.request_id,
                reviewer=reviewer,
                approve=chosen if n % 2 else [],
                deny_reason=None if n % 2 else "public_interest",
                statement="",
                tier="exact" if n % 2 else None,
            )
        )
    finally:
        rows_approved.disconnect(receiver)
    assert outcomes["AlreadyDecided"] == THREADS - 1
    assert AuditEntry.objects.filter(act="decided").count() == 1
    approved = Candidate.objects.filter(verdict="approved").count()
    assert (sent, approved) == (([3], 3) if outcomes["approved"] else ([], 0))
    audit_verify()


def test_a_withdrawal_and_a_decision_never_both_win() -> None:
    case = factories.in_review()
    opened, reviewer = case.opened(), factories.staff_user()

    def work(n: int) -> Any:
        if n % 2:
            return review.request_withdraw(opened=opened)
        return request_decide(
            request_id=case.request_id,
            reviewer=reviewer,
            approve=[],
            deny_reason="public_interest",
            statement="",
            tier=None,
        )

    outcomes = at_once(work)
    assert outcomes["withdrawn"] + outcomes["denied"] == 1
    assert case.request.state == ("withdrawn" if outcomes["withdrawn"] else "denied")
    audit_verify()


def test_parallel_writers_make_one_chain() -> None:
    receipts = at_once(lambda n: factories.submitted(photos=[factories.photo_bytes(n)]).receipt)
    assert len(receipts) == THREADS
    assert audit_verify().seq == THREADS


def test_workers_share_the_work_and_each_request_is_concluded_once() -> None:
    cases = [factories.received(photos=[factories.photo_bytes(n)]) for n in range(8)]
    group = factories.catalog_group()
    searcher = factories.FakeSearcher([factories.match("exact")])

    def worker(n: int) -> Any:
        for case in cases:
            fingerprinting.request_fingerprint(case.request_id, searcher=searcher)
        draining.group_drain(group.pk, searcher=searcher)
        return sum(matching.request_conclude(c.request_id, searcher=searcher) for c in cases)

    concluded = at_once(worker, times=3)
    # A worker that found nothing more to claim may leave before another hands its batch in.
    rest = sum(matching.request_conclude(c.request_id, searcher=searcher) for c in cases)
    assert sum(number * times for number, times in concluded.items()) + rest == len(cases)
    assert {case.request.state for case in cases} == {State.IN_REVIEW}
    assert SearchUnit.objects.count() == Candidate.objects.count() == len(cases)
    audit_verify()


def test_workers_share_both_stages_and_each_row_is_compared_once() -> None:
    cases = [factories.received(photos=[factories.photo_bytes(n)]) for n in range(6)]
    group = factories.catalog_group(pictured=True)
    searcher = factories.FakeSearcher(
        [factories.match()], rows=[factories.row_to_verify()], inliers={"000000012": 77}
    )

    def worker(n: int) -> int:
        concluded = 0
        for _ in range(3):
            for case in cases:
                fingerprinting.request_fingerprint(case.request_id, searcher=searcher)
            draining.group_drain(group.pk, searcher=searcher)
            concluded += sum(
                matching.request_conclude(c.request_id, searcher=searcher) for c in cases
            )
        return concluded

    concluded = at_once(worker, times=3)
    draining.group_drain(group.pk, searcher=searcher)
    rest = sum(matching.request_conclude(c.request_id, searcher=searcher) for c in cases)
    assert sum(number * times for number, times in concluded.items()) + rest == len(cases)
    assert {case.request.state for case in cases} == {State.IN_REVIEW}
    assert sum(len(pairs) for pairs in searcher.verified) == len(cases)
    assert SearchUnit.objects.filter(stage=SearchUnit.Stage.VERIFY).count() == len(cases)
    audit_verify()


def test_retention_may_run_twice_at_once(settings: Any) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"keep_photo_days": 0})
    factories.no_match()
    runs = at_once(lambda n: retention.retention_run()["photos"], times=3)
    assert runs == {1: 1, 0: 2}
    audit_verify()
