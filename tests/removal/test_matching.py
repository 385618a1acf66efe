"""Matching: each step is taken once, survives its worker, and leaves nothing to be misread."""

import datetime as dt
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from django.utils import timezone

from catalog.models import Group
from catalog.stores import stores_announce
from indexer.decode import ImageRefused
from indexer.evidence.verdict import Match
from removal import tasks
from removal.custody.content import row_opened
from removal.custody.sealing import role_key, unwrap
from removal.life import review
from removal.models import (
    Candidate,
    Kind,
    Photo,
    Purpose,
    Recipient,
    RemovalRequest,
    SearchUnit,
    State,
    Wrap,
)
from removal.search import draining, fingerprinting, matching
from removal.search.leases import FRAIL, lease_kept
from removal.search.matching import work_waiting
from removal.search.searching import GroupUnavailable
from removal.selectors import review_case
from tests.removal import factories
from tests.removal.factories import (
    Case,
    FakeSearcher,
    catalog_group,
    groups_waited_for,
    match,
    photo_bytes,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]


@pytest.fixture
def searcher() -> Any:
    return FakeSearcher([match("exact", key="000000001"), match("similar", key="000000002")])


def lease_lapses(rows: Any) -> None:
    rows.update(lease_until=timezone.now() - dt.timedelta(seconds=1))


def worker_wraps() -> int:
    return Wrap.objects.filter(recipient=Recipient.WORKER).count()


def fingerprinted(searcher: FakeSearcher, **submission: Any) -> Case:
    case = factories.received(**submission)
    fingerprinting.request_fingerprint(case.request_id, searcher=searcher)
    return case


def test_without_a_ready_group_a_request_waits(searcher: FakeSearcher) -> None:
    case = factories.received()
    catalog_group(state=Group.State.PENDING)
    assert fingerprinting.request_fingerprint(case.request_id, searcher=searcher) == []
    assert work_waiting().to_fingerprint == ()
    assert case.request.state == State.RECEIVED
    Group.objects.update(state=Group.State.READY)
    assert work_waiting().to_fingerprint == (case.request_id,)


def test_each_ready_group_gets_one_unit(searcher: FakeSearcher) -> None:
    groups = [catalog_group(number=n) for n in range(3)]
    case = factories.received()
    assert fingerprinting.request_fingerprint(case.request_id, searcher=searcher) == [
        group.pk for group in groups
    ]
    assert case.request.state == State.SEARCHING
    assert fingerprinting.request_fingerprint(case.request_id, searcher=searcher) == []
    assert SearchUnit.objects.count() == 3


def test_a_group_answers_all_that_waits_in_one_batch(searcher: FakeSearcher) -> None:
    group = catalog_group()
    cases = [fingerprinted(searcher, photos=[photo_bytes(n)]) for n in range(5)]
    advanced = draining.group_drain(group.pk, searcher=searcher)
    assert sorted(advanced) == sorted(case.request_id for case in cases)
    assert searcher.batches == [5]
    assert draining.group_drain(group.pk, searcher=searcher) == []


def test_nothing_is_concluded_before_every_group_answered(searcher: FakeSearcher) -> None:
    groups = [catalog_group(number=n) for n in range(2)]
    case = fingerprinted(searcher)
    draining.group_drain(groups[0].pk, searcher=searcher)
    assert not matching.request_conclude(case.request_id, searcher=searcher)
    draining.group_drain(groups[1].pk, searcher=searcher)
    assert work_waiting().to_conclude == (case.request_id,)
    assert matching.request_conclude(case.request_id, searcher=searcher)
    assert not matching.request_conclude(case.request_id, searcher=searcher)
    assert case.request.state == State.IN_REVIEW
    assert Candidate.objects.count() == 2


def test_the_worker_loses_its_keys_when_the_search_is_over(searcher: FakeSearcher) -> None:
    group = catalog_group()
    case = fingerprinted(searcher)
    assert worker_wraps() == 2
    draining.group_drain(group.pk, searcher=searcher)
    matching.request_conclude(case.request_id, searcher=searcher)
    assert worker_wraps() == 0
    assert not SearchUnit.objects.exclude(hits_sealed=b"").exists()
    assert unwrap(
        case.request_id, Purpose.PHOTO, Recipient.REVIEWER, role_key(Recipient.REVIEWER)
    ).raw


def test_the_same_row_is_kept_once_with_its_best_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several photos of one request: their matches are joined, each row with its best."""
    group = catalog_group()
    searcher = FakeSearcher()
    case = fingerprinted(searcher, photos=[photo_bytes(1), photo_bytes(2)])
    answers = iter(
        [
            [match("similar", score=0.6), match("copy", key="000000001", score=0.95)],
            [match("copy", score=0.91), match("copy", key="000000001", score=0.99)],
        ]
    )
    monkeypatch.setattr(searcher, "conclude", lambda hits, top, geometry: next(answers))
    draining.group_drain(group.pk, searcher=searcher)
    matching.request_conclude(case.request_id, searcher=searcher)
    key = case.opened().key(Purpose.CASE)
    rows = [(c.kind, row_opened(c, key)) for c in Candidate.objects.all()]
    assert sorted((kind, row.key, row.score, row.photos) for kind, row in rows) == [
        (Kind.COPY, "000000001", 0.99, (1, 2)),
        (Kind.COPY, "000000012", 0.91, (1, 2)),
    ]


def test_each_query_is_concluded_by_itself_over_all_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [catalog_group(number=n) for n in range(3)]
    searcher = FakeSearcher()
    case = fingerprinted(searcher, photos=[photo_bytes(1), photo_bytes(2)], urls=["http://a.b/"])
    seen: list[Sequence[bytes]] = []

    def conclude(hits: Sequence[bytes], *, top: int, geometry: Any) -> list[Match]:
        seen.append(hits)
        return []

    monkeypatch.setattr(searcher, "conclude", conclude)
    for group in groups:
        draining.group_drain(group.pk, searcher=searcher)
    matching.request_conclude(case.request_id, searcher=searcher)
    assert [len(hits) for hits in seen] == [3, 3, 3]
    assert all(len(set(hits)) == 1 for hits in seen)
    assert len({hits[0] for hits in seen}) == 3


def test_equal_rows_of_different_requests_bear_the_same_tag_and_are_counted(
    searcher: FakeSearcher,
) -> None:
    first, second = factories.in_review(), factories.in_review(photos=[photo_bytes(9)])
    tags = [{bytes(c.row_tag) for c in case.candidates} for case in (first, second)]
    assert tags[0] == tags[1]
    view = review_case(request_id=first.request_id, reviewer=factories.staff_user())
    assert [candidate.other_requests for candidate in view.candidates] == [1, 1, 1]


# --- what goes wrong --------------------------------------------------------------------------


def test_a_worker_that_died_fingerprinting_is_replaced_when_its_lease_lapses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    catalog_group()
    case = factories.received()

    def dies(data: bytes, encoders: Sequence[str]) -> None:
        raise KeyboardInterrupt

    dying = FakeSearcher()
    monkeypatch.setattr(dying, "fingerprint_photo", dies)
    with pytest.raises(KeyboardInterrupt):
        fingerprinting.request_fingerprint(case.request_id, searcher=dying)
    assert work_waiting().to_fingerprint == ()
    assert fingerprinting.request_fingerprint(case.request_id, searcher=FakeSearcher()) == []
    lease_lapses(RemovalRequest.objects)
    assert work_waiting().to_fingerprint == (case.request_id,)
    assert len(fingerprinting.request_fingerprint(case.request_id, searcher=FakeSearcher())) == 1


def test_a_worker_that_died_searching_is_replaced_and_its_late_answer_is_dropped(
    searcher: FakeSearcher,
) -> None:
    group = catalog_group()
    case = fingerprinted(searcher)

    class Slow(FakeSearcher):
        """While this worker searches, its lease lapses and another does the work."""

        def group_search(self, group: Any, fingerprints: Sequence[Any], *, top: int) -> Any:
            lease_lapses(SearchUnit.objects)
            assert groups_waited_for() == [group.pk]
            draining.group_drain(group.pk, searcher=searcher)
            return super().group_search(group, fingerprints, top=top)

    late = Slow()
    assert draining.group_drain(group.pk, searcher=late) == []
    unit = SearchUnit.objects.get()
    assert (unit.state, unit.attempts) == (SearchUnit.State.DONE, 2)
    assert matching.request_conclude(case.request_id, searcher=searcher)
    assert Candidate.objects.count() == 2


def test_a_late_fingerprint_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    catalog_group()
    case = factories.received()
    other, late = FakeSearcher(), FakeSearcher()

    def slow(data: bytes, encoders: Sequence[str]) -> Any:
        lease_lapses(RemovalRequest.objects)
        assert fingerprinting.request_fingerprint(case.request_id, searcher=other)
        return FakeSearcher().fingerprint_photo(data, encoders)

    monkeypatch.setattr(late, "fingerprint_photo", slow)
    assert fingerprinting.request_fingerprint(case.request_id, searcher=late) == []
    assert SearchUnit.objects.count() == 1


def test_a_group_that_cannot_be_opened_holds_its_requests_back_until_it_can(
    searcher: FakeSearcher,
) -> None:
    group = catalog_group()
    case = fingerprinted(searcher)

    class Broken(FakeSearcher):
        def group_search(self, group: Any, fingerprints: Sequence[Any], *, top: int) -> Any:
            Group.objects.update(state=Group.State.FAILED, failed_at=timezone.now())
            raise GroupUnavailable("damaged")

    assert draining.group_drain(group.pk, searcher=Broken()) == []
    unit = SearchUnit.objects.get()
    assert (unit.state, unit.error) == (SearchUnit.State.FAILED, "group_unavailable")
    assert not matching.request_conclude(case.request_id, searcher=searcher)
    assert groups_waited_for() == []
    lease_lapses(SearchUnit.objects)
    assert groups_waited_for() == [group.pk]
    draining.group_drain(group.pk, searcher=searcher)
    assert matching.request_conclude(case.request_id, searcher=searcher)


def test_a_unit_that_was_tried_before_goes_alone(searcher: FakeSearcher) -> None:
    group = catalog_group()
    for n in range(3):
        fingerprinted(searcher, photos=[photo_bytes(n)])
    SearchUnit.objects.filter(pk=SearchUnit.objects.earliest("pk").pk).update(attempts=1)
    draining.group_drain(group.pk, searcher=searcher)
    assert searcher.batches == [2, 1]


def test_work_that_kills_its_workers_is_tried_once_an_hour(searcher: FakeSearcher) -> None:
    group = catalog_group()
    fingerprinted(searcher)
    SearchUnit.objects.update(attempts=FRAIL)
    lease_lapses(SearchUnit.objects)
    assert groups_waited_for() == []
    SearchUnit.objects.update(lease_until=timezone.now() - dt.timedelta(hours=1, seconds=1))
    assert groups_waited_for() == [group.pk]


def test_a_request_withdrawn_in_mid_search_is_left_alone(
    searcher: FakeSearcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = catalog_group()
    case = fingerprinted(searcher)
    other = fingerprinted(searcher, photos=[photo_bytes(4)])

    class Slow(FakeSearcher):
        def group_search(self, group: Any, fingerprints: Sequence[Any], *, top: int) -> Any:
            review.request_withdraw(opened=case.opened())
            return super().group_search(group, fingerprints, top=top)

    assert draining.group_drain(group.pk, searcher=Slow()) == [other.request_id]
    assert not matching.request_conclude(case.request_id, searcher=searcher)
    assert case.request.state == State.WITHDRAWN
    assert Candidate.objects.count() == 0


def test_a_unit_whose_keys_are_gone_does_not_stop_the_others(searcher: FakeSearcher) -> None:
    group = catalog_group()
    broken = fingerprinted(searcher)
    sound = fingerprinted(searcher, photos=[photo_bytes(4)])
    Wrap.objects.filter(key__request=broken.request_id, recipient=Recipient.WORKER).delete()
    assert draining.group_drain(group.pk, searcher=searcher) == [sound.request_id]
    assert SearchUnit.objects.get(request=broken.request_id).error == "key_gone"


def test_what_cannot_be_read_is_never_answered_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    group = catalog_group()
    searcher = FakeSearcher()

    def refuse(data: bytes, encoders: Sequence[str]) -> None:
        raise ImageRefused("broken")

    monkeypatch.setattr(searcher, "fingerprint_photo", refuse)
    case = fingerprinted(searcher)
    draining.group_drain(group.pk, searcher=searcher)
    assert matching.request_conclude(case.request_id, searcher=searcher)
    assert case.request.state == State.IN_REVIEW
    assert Photo.objects.get().flags == ["unreadable"]


def test_leases_are_renewed_while_the_body_works_and_no_longer() -> None:
    renewed = []

    def renew() -> int:
        renewed.append(threading.get_ident())
        return 1

    with lease_kept(renew, every=0.01):
        deadline = time.monotonic() + 5
        while len(renewed) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
    seen = len(renewed)
    assert seen >= 3
    assert threading.get_ident() not in renewed
    time.sleep(0.05)
    assert len(renewed) == seen


def test_a_lost_lease_is_not_renewed_again() -> None:
    asked = []

    def renew() -> int:
        asked.append(1)
        return 0

    with lease_kept(renew, every=0.01):
        time.sleep(0.1)
    assert asked == [1]


def test_sweep_sends_what_waits(
    searcher: FakeSearcher, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    group = catalog_group()
    received = factories.received(photos=[photo_bytes(1)])
    fingerprinted(searcher, photos=[photo_bytes(2)])
    done = fingerprinted(searcher, photos=[photo_bytes(3)])
    SearchUnit.objects.filter(request=done.request_id).update(state=SearchUnit.State.DONE)
    sent = {}
    for task in (tasks.fingerprint_request, tasks.search_group, tasks.conclude_request):
        name = task.name.rsplit(".", 1)[1]
        monkeypatch.setattr(
            task, "apply_async", lambda name=name, **kwargs: sent.update({name: kwargs})
        )
    with django_capture_on_commit_callbacks(execute=True):
        tasks.sweep()
    assert "search_group" not in sent  # what nobody takes would lie in the broker for ever
    stores_announce(["default", "local"])
    with django_capture_on_commit_callbacks(execute=True):
        tasks.sweep()
    assert {name: kwargs["args"] for name, kwargs in sent.items()} == {
        "fingerprint_request": (str(received.request_id),),
        "search_group": (group.pk,),
        "conclude_request": (str(done.request_id),),
    }
    assert all(kwargs["expires"] for kwargs in sent.values())
    assert {name: kwargs["queue"] for name, kwargs in sent.items()} == {
        "fingerprint_request": "default",
        "search_group": "search.local",
        "conclude_request": "default",
    }
