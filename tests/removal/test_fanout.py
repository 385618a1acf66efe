"""Groups that fail, change, come and go under a search; who is served first; what it costs."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest
from django.utils import timezone

from catalog.models import Dataset, Group
from catalog.stores import stores_announce
from indexer.decode import ImageRefused
from removal import tasks
from removal.models import AuditEntry, Photo, RemovalRequest, SearchUnit, State
from removal.search import draining, fingerprinting, matching
from removal.search.searching import EncoderMissing, GroupUnavailable
from removal.selectors import request_status, review_case
from removal.site.timeline import timeline
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

PERSON, BATCH = SearchUnit.Priority.PERSON, SearchUnit.Priority.BATCH


def fingerprinted(
    searcher: FakeSearcher, *, priority: SearchUnit.Priority = PERSON, **submission: Any
) -> Case:
    case = factories.received(**submission)
    fingerprinting.request_fingerprint(case.request_id, searcher=searcher, priority=priority)
    return case


class Broken(FakeSearcher):
    """Cannot open any group, and says so to the catalog, as the service's own search does."""

    def group_search(self, group: Group, fingerprints: Sequence[Any], *, top: int) -> Any:
        self.batches.append(len(fingerprints))
        Group.objects.filter(pk=group.pk, failed_at=None).update(failed_at=timezone.now())
        Group.objects.filter(pk=group.pk).update(state=Group.State.FAILED)
        raise GroupUnavailable("its disk is away")


def lapse() -> None:
    SearchUnit.objects.exclude(lease_until=None).update(
        lease_until=timezone.now() - dt.timedelta(seconds=1)
    )


# --- a group that cannot be opened ---------------------------------------------------------------


def test_a_request_waits_for_a_group_that_fails_when_it_comes_in() -> None:
    """Leaving it out would be to answer "not found" for what nobody looked through."""
    sound, failing = catalog_group(number=0), catalog_group(number=1)
    Group.objects.filter(pk=failing.pk).update(state=Group.State.FAILED)
    case = fingerprinted(FakeSearcher())
    assert draining.group_drain(sound.pk, searcher=FakeSearcher()) == [case.request_id]
    assert not matching.request_conclude(case.request_id, searcher=FakeSearcher())
    assert groups_waited_for() == [failing.pk]


def test_a_group_that_answers_again_is_taken_back() -> None:
    group = catalog_group()
    case = fingerprinted(FakeSearcher())
    draining.group_drain(group.pk, searcher=Broken())
    lapse()
    assert draining.group_drain(group.pk, searcher=FakeSearcher()) == [case.request_id]
    group.refresh_from_db()
    assert (group.state, group.error, group.failed_at) == (Group.State.READY, "", None)
    assert matching.request_conclude(case.request_id, searcher=FakeSearcher())


def test_a_failing_group_is_tried_once_for_all_and_ever_more_rarely() -> None:
    group = catalog_group()
    for n in range(3):
        fingerprinted(FakeSearcher(), photos=[photo_bytes(n)])
    broken = Broken()
    SearchUnit.objects.filter(pk=SearchUnit.objects.earliest("pk").pk).update(attempts=1)
    draining.group_drain(group.pk, searcher=broken)
    assert broken.batches == [2]
    waits = SearchUnit.objects.filter(lease_until__gt=timezone.now(), error="group_unavailable")
    assert waits.count() == 3
    assert sorted(SearchUnit.objects.values_list("attempts", flat=True)) == [0, 0, 1]
    lapse()
    Group.objects.update(failed_at=timezone.now() - dt.timedelta(hours=2))
    draining.group_drain(group.pk, searcher=broken)
    until = SearchUnit.objects.latest("lease_until").lease_until
    assert until is not None
    assert dt.timedelta(minutes=29) < until - timezone.now() < dt.timedelta(minutes=31)


def test_after_the_repair_searches_go_on_at_the_next_sweep() -> None:
    group = catalog_group()
    fingerprinted(FakeSearcher())
    draining.group_drain(group.pk, searcher=Broken())
    assert groups_waited_for() == []
    Group.objects.update(state=Group.State.READY, failed_at=None)  # as index_dataset leaves it
    assert groups_waited_for() == [group.pk]


def test_a_group_that_is_indexed_anew_is_waited_for() -> None:
    group = catalog_group()
    case = fingerprinted(FakeSearcher())
    Group.objects.update(state=Group.State.PENDING)
    assert groups_waited_for() == []
    assert draining.group_drain(group.pk, searcher=FakeSearcher()) == []
    assert not matching.request_conclude(case.request_id, searcher=FakeSearcher())
    later = factories.received(photos=[photo_bytes(4)])
    fingerprinting.request_fingerprint(later.request_id, searcher=FakeSearcher())
    assert SearchUnit.objects.filter(request=later.request_id).count() == 1


# --- encoders ------------------------------------------------------------------------------------


class Encoding(FakeSearcher):
    """Notes the encoders that photos are fingerprinted by."""

    def __init__(self) -> None:
        super().__init__([match()])
        self.encoders: list[list[str]] = []

    def fingerprint_photo(self, data: bytes, encoders: Sequence[str]) -> Any:
        self.encoders.append(list(encoders))
        return super().fingerprint_photo(data, encoders)


def test_a_group_indexed_by_another_encoder_meanwhile_has_the_photo_fingerprinted_again() -> None:
    searcher = Encoding()
    group = catalog_group()
    case = fingerprinted(searcher)
    Group.objects.update(encoder="ViT-L-14/openai")
    assert draining.group_drain(group.pk, searcher=searcher) == []
    unit = SearchUnit.objects.get()
    assert (unit.state, unit.error) == (SearchUnit.State.FAILED, "encoder_missing")
    assert groups_waited_for() == []
    assert matching.work_waiting().to_fingerprint == ()
    lapse()
    assert matching.work_waiting().to_fingerprint == (case.request_id,)
    assert fingerprinting.request_fingerprint(case.request_id, searcher=searcher) == [group.pk]
    assert searcher.encoders == [["efficientnet-lite0/imagenet"], ["ViT-L-14/openai"]]
    assert draining.group_drain(group.pk, searcher=searcher) == [case.request_id]
    assert matching.request_conclude(case.request_id, searcher=searcher)
    assert case.request.encoders == ["ViT-L-14/openai"]


def test_a_photo_that_can_be_read_only_later_was_not_looked_for_in_every_group() -> None:
    """One of two photos was away when the first group was searched; nobody looked for it there."""

    class Away(FakeSearcher):
        def fingerprint_photo(self, data: bytes, encoders: Sequence[str]) -> Any:
            if data == photo_bytes(2):
                raise ImageRefused("broken")
            return super().fingerprint_photo(data, encoders)

    first, second = catalog_group(number=0), catalog_group(number=1)
    case = fingerprinted(Away(), photos=[photo_bytes(1), photo_bytes(2)])
    draining.group_drain(first.pk, searcher=FakeSearcher())
    Group.objects.filter(pk=second.pk).update(encoder="ViT-L-14/openai")
    draining.group_drain(second.pk, searcher=FakeSearcher())
    lapse()
    assert fingerprinting.request_fingerprint(case.request_id, searcher=FakeSearcher())
    draining.group_drain(second.pk, searcher=FakeSearcher())
    assert matching.request_conclude(case.request_id, searcher=FakeSearcher())
    assert case.request.state == State.IN_REVIEW


def test_an_index_by_another_version_of_the_encoder_is_reported_and_not_tried_at_once() -> None:
    class Older(FakeSearcher):
        def group_search(self, group: Group, fingerprints: Sequence[Any], *, top: int) -> Any:
            raise EncoderMissing("the index was made by another version of the encoder")

    group = catalog_group()
    case = fingerprinted(FakeSearcher())
    for tried in range(1, 4):
        draining.group_drain(group.pk, searcher=Older())
        unit = SearchUnit.objects.get()
        assert (unit.error, unit.attempts) == ("encoder_missing", tried)
        pause = (unit.lease_until or timezone.now()) - timezone.now()
        assert pause > dt.timedelta(seconds=59 * 2 ** (tried - 1))
        lapse()
        fingerprinting.request_fingerprint(case.request_id, searcher=FakeSearcher())


def test_a_request_of_addresses_needs_no_encoder() -> None:
    group = catalog_group()
    case = fingerprinted(FakeSearcher(), photos=[], urls=["https://a.example/b.jpg"])
    Group.objects.update(encoder="ViT-L-14/openai")
    assert draining.group_drain(group.pk, searcher=FakeSearcher()) == [case.request_id]


# --- groups that come and go ---------------------------------------------------------------------


def test_a_group_added_during_a_search_is_left_to_later_requests() -> None:
    first = catalog_group(number=0)
    case = fingerprinted(FakeSearcher())
    catalog_group(number=1)
    draining.group_drain(first.pk, searcher=FakeSearcher())
    assert matching.request_conclude(case.request_id, searcher=FakeSearcher())
    [dataset] = request_status(opened=case.opened())["datasets"]
    assert (dataset["groups_searched"], dataset["groups"]) == (1, 2)


def test_a_dataset_removed_during_a_search_is_waited_for_no_longer_and_the_record_says_so() -> None:
    kept, removed = catalog_group(), catalog_group(dataset="removed")
    case = fingerprinted(FakeSearcher())
    draining.group_drain(kept.pk, searcher=FakeSearcher())
    assert matching.work_waiting().to_conclude == ()
    removed.delete()
    Dataset.objects.get(name="removed").delete()
    assert matching.work_waiting().to_conclude == (case.request_id,)
    assert matching.request_conclude(case.request_id, searcher=FakeSearcher())
    # "Not found" would be said of what nobody looked through.
    assert case.request.state == State.IN_REVIEW
    assert AuditEntry.objects.get(act="search_concluded").detail["groups_gone"] == 1
    status = request_status(opened=case.opened())
    assert status["groups_gone"] == 1
    assert [dataset["name"] for dataset in status["datasets"]] == ["sample"]


def test_what_was_found_in_a_dataset_that_is_gone_is_not_judged() -> None:
    kept, removed = catalog_group(), catalog_group(dataset="removed")
    searcher = FakeSearcher([match()])
    case = fingerprinted(searcher)
    for group in (kept, removed):
        draining.group_drain(group.pk, searcher=searcher)
    removed.delete()
    assert matching.request_conclude(case.request_id, searcher=searcher)


def test_what_a_group_that_is_gone_may_have_found_is_never_answered_not_found() -> None:
    """Its evidence opens no more, so that nobody knows whether it was a match."""
    kept, removed = catalog_group(number=0), catalog_group(number=1)
    case = fingerprinted(FakeSearcher())
    for group in (kept, removed):
        draining.group_drain(group.pk, searcher=FakeSearcher())
    removed.delete()
    assert matching.request_conclude(case.request_id, searcher=FakeSearcher())
    assert case.request.state == State.IN_REVIEW


def test_a_request_of_which_every_group_is_gone_goes_to_a_maintainer() -> None:
    group = catalog_group()
    case = fingerprinted(FakeSearcher())
    group.delete()
    assert matching.request_conclude(case.request_id, searcher=FakeSearcher())
    assert case.request.state == State.IN_REVIEW


def test_a_group_that_goes_while_it_is_searched_stops_nobody() -> None:
    group = catalog_group()
    fingerprinted(FakeSearcher())

    class Going(FakeSearcher):
        def group_search(self, group: Group, fingerprints: Sequence[Any], *, top: int) -> Any:
            Group.objects.all().delete()
            return super().group_search(group, fingerprints, top=top)

    draining.group_drain(group.pk, searcher=Going())
    assert SearchUnit.objects.get().group is None


# --- who goes first ------------------------------------------------------------------------------


class Order(FakeSearcher):
    """Notes which photos were searched for, call by call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[set[str]] = []

    def group_search(self, group: Group, fingerprints: Sequence[Any], *, top: int) -> Any:
        self.calls.append({fingerprint.text for fingerprint in fingerprints})
        return super().group_search(group, fingerprints, top=top)


def test_a_person_goes_before_a_batch_and_a_batch_gives_way_after_each_part() -> None:
    group, searcher = catalog_group(), Order()
    batch = [
        fingerprinted(searcher, photos=[photo_bytes(n)], priority=BATCH).request_id
        for n in range(3)
    ]
    person = fingerprinted(searcher, photos=[photo_bytes(9)]).request_id
    assert matching.work_waiting().to_search[0].priority == PERSON
    assert draining.group_drain(group.pk, searcher=searcher) == [person, *batch]
    assert [len(call) for call in searcher.calls] == [1, 3]
    more = [
        fingerprinted(searcher, photos=[photo_bytes(n)], priority=BATCH).request_id
        for n in range(2)
    ]
    SearchUnit.objects.filter(request=more[0]).update(attempts=1)
    assert draining.group_drain(group.pk, searcher=searcher) == [more[1]]
    assert matching.groups_waiting()[0].priority == BATCH


def test_the_oldest_go_first_and_what_comes_in_meanwhile_is_left_to_another_message() -> None:
    group = catalog_group()
    first = fingerprinted(FakeSearcher(), photos=[photo_bytes(1)])
    late: list[Case] = []

    class Busy(FakeSearcher):
        def group_search(self, group: Group, fingerprints: Sequence[Any], *, top: int) -> Any:
            late.append(fingerprinted(FakeSearcher(), photos=[photo_bytes(50 + len(late))]))
            return super().group_search(group, fingerprints, top=top)

    assert draining.group_drain(group.pk, searcher=Busy()) == [first.request_id]
    assert len(late) == 1
    assert groups_waited_for() == [group.pk]


def test_messages_go_to_the_queue_of_the_groups_store_and_carry_ids_alone(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    near, far = catalog_group(), catalog_group(dataset="far", store="disk-2")
    fingerprinted(FakeSearcher())
    fingerprinted(FakeSearcher(), photos=[photo_bytes(3)], priority=BATCH)
    SearchUnit.objects.filter(group=far, priority=PERSON).delete()
    stores_announce(["local", "disk-2"])
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks.search_group, "apply_async", lambda **words: sent.append(words))
    with django_capture_on_commit_callbacks(execute=True):
        tasks.sweep()
    assert [(one["args"], one["queue"], one["priority"]) for one in sent] == [
        ((near.pk,), "search.local", 0),
        ((far.pk,), "search.disk-2", 6),
    ]


# --- what is told --------------------------------------------------------------------------------


def test_the_status_says_what_was_searched_and_what_was_not_and_why() -> None:
    groups = [catalog_group(number=n) for n in range(3)]
    failing = catalog_group(dataset="failing")
    catalog_group(dataset="far", store="disk-2")
    catalog_group(dataset="far", number=1, state=Group.State.PENDING)
    stores_announce(["local"])
    case = fingerprinted(FakeSearcher())
    draining.group_drain(groups[0].pk, searcher=FakeSearcher())
    draining.group_drain(failing.pk, searcher=Broken())
    status = request_status(opened=case.opened())
    told = {
        dataset["name"]: (
            dataset["groups_searched"],
            [(part["reason"], part["groups"]) for part in dataset["not_searched"]],
        )
        for dataset in status["datasets"]
    }
    assert told == {
        "sample": (1, [("waiting", 2)]),
        "failing": (0, [("unavailable", 1)]),
        "far": (0, [("no_worker", 1), ("not_indexed", 1)]),
    }
    now = next(step.text for step in timeline(status) if step.progress == "now")
    assert now.startswith("1 of 5 parts of the datasets searched so far.")
    assert "1 of 5 parts cannot be searched just now; we keep trying." in now
    assert "1 of 5 parts wait for a computer that is away" in now
    desk = review_case(request_id=case.request_id, reviewer=factories.staff_user()).progress
    assert (desk.parts_searched, desk.parts, desk.total("unavailable")) == (1, 5, 1)


def test_progress_is_live_group_by_group() -> None:
    groups = [catalog_group(number=n) for n in range(3)]
    case = fingerprinted(FakeSearcher([match()]))
    seen = []
    for group in groups:
        draining.group_drain(group.pk, searcher=FakeSearcher([match()]))
        status = request_status(opened=case.opened())
        seen.append(status["datasets"][0]["groups_searched"])
        assert status["found"] == []
    assert seen == [1, 2, 3]
    now = next(step.text for step in timeline(status) if step.progress == "now")
    assert now == "3 parts of the datasets searched. The result is being drawn up."


# --- what it costs -------------------------------------------------------------------------------


def test_a_batch_takes_the_same_queries_but_one_per_request(
    django_assert_max_num_queries: Any,
) -> None:
    """Claim, keys, photos and group are read for all at once; each unit is handed in by itself."""
    group, count = catalog_group(), 20
    for n in range(count):
        fingerprinted(FakeSearcher(), photos=[photo_bytes(n)])
    searcher = FakeSearcher()
    with django_assert_max_num_queries(16 + count):
        assert len(draining.group_drain(group.pk, searcher=searcher)) == count
    assert searcher.batches == [count]


def test_verifying_a_batch_takes_the_same_queries_but_one_per_request(
    django_assert_max_num_queries: Any,
) -> None:
    group, count = catalog_group(pictured=True), 8
    searcher = FakeSearcher([match()], rows=[factories.row_to_verify()], inliers={"000000012": 70})
    cases = [fingerprinted(searcher, photos=[photo_bytes(n)]) for n in range(count)]
    draining.group_drain(group.pk, searcher=searcher)
    for case in cases:
        matching.request_conclude(case.request_id, searcher=searcher)
    with django_assert_max_num_queries(17 + count):
        assert len(draining.group_drain(group.pk, searcher=searcher)) == count
    assert len(searcher.verified) == 1


def test_the_queries_to_conclude_do_not_grow_with_the_groups(
    django_assert_max_num_queries: Any,
) -> None:
    groups = [catalog_group(number=n) for n in range(12)]
    case = fingerprinted(FakeSearcher([match()]))
    for group in groups:
        draining.group_drain(group.pk, searcher=FakeSearcher())
    with django_assert_max_num_queries(32):
        assert matching.request_conclude(case.request_id, searcher=FakeSearcher([match()]))


def test_a_photo_is_searched_by_the_encoders_of_all_groups() -> None:
    searcher = Encoding()
    catalog_group()
    other = catalog_group(dataset="other")
    Dataset.objects.filter(pk=other.dataset_id).update(encoder="ViT-L-14/openai")
    case = fingerprinted(searcher)
    assert searcher.encoders == [["ViT-L-14/openai", "efficientnet-lite0/imagenet"]]
    assert RemovalRequest.objects.get(pk=case.request_id).encoders == searcher.encoders[0]
    assert Photo.objects.count() == 1
