"""The second stage: the best rows' pictures are compared, once, by whoever holds them."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest
from django.utils import timezone

from removal.custody import blobs
from removal.custody.content import RowToVerify, row_opened
from removal.custody.sealing import Place, role_key, unwrap
from removal.life import retention, review
from removal.models import (
    Candidate,
    Photo,
    Purpose,
    Recipient,
    RemovalRequest,
    SearchUnit,
    State,
    Wrap,
)
from removal.search import draining, fingerprinting, matching
from removal.search.leases import FRAIL
from removal.search.searching import PicturesUnavailable
from removal.selectors import request_status, review_case
from tests.removal import factories
from tests.removal.factories import (
    Case,
    FakeSearcher,
    catalog_group,
    groups_waited_for,
    match,
    photo_bytes,
    row_to_verify,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]

VERIFY = SearchUnit.Stage.VERIFY


@pytest.fixture
def searcher() -> FakeSearcher:
    """Finds one copy, whose picture agrees in 77 points."""
    return FakeSearcher([match()], rows=[row_to_verify()], inliers={"000000012": 77})


def shortlisted(searcher: FakeSearcher, **submission: Any) -> Case:
    """Return a request that every group has answered and whose best rows are to be compared."""
    group = catalog_group(pictured=True)
    case = factories.received(**submission)
    fingerprinting.request_fingerprint(case.request_id, searcher=searcher)
    draining.group_drain(group.pk, searcher=searcher)
    assert not matching.request_conclude(case.request_id, searcher=searcher)
    return case


def evidence_of(case: Case) -> list[dict[str, Any]]:
    key = case.opened().key(Purpose.CASE)
    return [row_opened(candidate, key).evidence for candidate in Candidate.objects.all()]


def test_the_best_rows_are_compared_before_the_conclusion(searcher: FakeSearcher) -> None:
    case = shortlisted(searcher)
    unit = SearchUnit.objects.get(stage=VERIFY)
    assert case.request.state == State.SEARCHING
    assert Candidate.objects.count() == 0
    assert groups_waited_for() == [unit.group_id]
    assert draining.group_drain(unit.group_id or 0, searcher=searcher) == [case.request_id]
    assert matching.request_conclude(case.request_id, searcher=searcher)
    assert [evidence["inliers"] for evidence in evidence_of(case)] == [77]
    [[(probe, row)]] = searcher.verified
    assert (probe, row) == (searcher.photo_probe(photo_bytes()), row_to_verify())


def test_a_dataset_without_pictures_makes_no_second_stage(searcher: FakeSearcher) -> None:
    catalog_group(pictured=False)
    case = factories.searched(searcher)
    assert case.request.state == State.IN_REVIEW
    assert not SearchUnit.objects.filter(stage=VERIFY).exists()
    assert [evidence["inliers"] for evidence in evidence_of(case)] == [None]
    assert bytes(Photo.objects.get().probe_sealed) == b""


def test_only_the_groups_of_pictured_datasets_are_asked(searcher: FakeSearcher) -> None:
    pictured = catalog_group(pictured=True)
    other = catalog_group(dataset="plain")
    away = RowToVerify("plain", 0, "00000", -1, 3, "3")
    searcher.rows = [row_to_verify(), away]
    case = factories.received()
    fingerprinting.request_fingerprint(case.request_id, searcher=searcher)
    for group in (pictured, other):
        draining.group_drain(group.pk, searcher=searcher)
    matching.request_conclude(case.request_id, searcher=searcher)
    assert SearchUnit.objects.get(stage=VERIFY).group == pictured


def test_a_request_of_addresses_alone_is_concluded_at_once(searcher: FakeSearcher) -> None:
    group = catalog_group(pictured=True)
    case = factories.received(photos=[], urls=["https://a.example/b.jpg"])
    fingerprinting.request_fingerprint(case.request_id, searcher=searcher)
    draining.group_drain(group.pk, searcher=searcher)
    assert matching.request_conclude(case.request_id, searcher=searcher)
    assert case.request.state == State.NO_MATCH


def test_a_picture_that_cannot_be_read_is_counted_and_says_nothing(searcher: FakeSearcher) -> None:
    searcher.inliers = {}
    case = shortlisted(searcher)
    unit = SearchUnit.objects.get(stage=VERIFY)
    draining.group_drain(unit.group_id or 0, searcher=searcher)
    assert matching.request_conclude(case.request_id, searcher=searcher)
    assert SearchUnit.objects.get(stage=VERIFY).rows_unread == 1
    assert [evidence["inliers"] for evidence in evidence_of(case)] == [None]
    progress = review_case(request_id=case.request_id, reviewer=factories.staff_user()).progress
    assert progress.unread == 1


def test_rows_of_one_shard_are_read_one_after_the_other(searcher: FakeSearcher) -> None:
    searcher.rows = [
        row_to_verify("000000009", shard="00002"),
        row_to_verify("000000007"),
        row_to_verify("000000001", shard="00002"),
    ]
    group = catalog_group(pictured=True)
    cases = [factories.received(photos=[photo_bytes(n)]) for n in range(3)]
    for case in cases:
        fingerprinting.request_fingerprint(case.request_id, searcher=searcher)
    draining.group_drain(group.pk, searcher=searcher)
    for case in cases:
        matching.request_conclude(case.request_id, searcher=searcher)
    assert len(draining.group_drain(group.pk, searcher=searcher)) == len(cases)
    [pairs] = searcher.verified
    assert [row.key for _, row in pairs] == ["000000007"] * 3 + ["000000001"] * 3 + [
        "000000009"
    ] * 3


def test_a_worker_that_dies_comparing_is_replaced(searcher: FakeSearcher) -> None:
    case = shortlisted(searcher)
    group_id = SearchUnit.objects.get(stage=VERIFY).group_id or 0

    class Dying(FakeSearcher):
        def rows_verify(self, group: Any, pairs: Sequence[Any]) -> Any:
            raise SystemExit

    with pytest.raises(SystemExit):
        draining.group_drain(group_id, searcher=Dying())
    assert groups_waited_for() == []
    SearchUnit.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    assert groups_waited_for() == [group_id]
    draining.group_drain(group_id, searcher=searcher)
    assert matching.request_conclude(case.request_id, searcher=searcher)
    assert [evidence["inliers"] for evidence in evidence_of(case)] == [77]


def test_a_disk_that_is_away_is_waited_for_and_not_for_ever(searcher: FakeSearcher) -> None:
    class Away(FakeSearcher):
        def rows_verify(self, group: Any, pairs: Sequence[Any]) -> Any:
            raise PicturesUnavailable("the disk is away")

    case = shortlisted(searcher)
    group_id = SearchUnit.objects.get(stage=VERIFY).group_id or 0
    for tried in range(1, FRAIL):
        assert draining.group_drain(group_id, searcher=Away()) == []
        unit = SearchUnit.objects.get(stage=VERIFY)
        assert (unit.error, unit.attempts) == ("pictures_unavailable", tried)
        pause = (unit.lease_until or timezone.now()) - timezone.now()
        assert pause > dt.timedelta(seconds=59 * 2 ** (tried - 1))
        assert not matching.request_conclude(case.request_id, searcher=searcher)
        SearchUnit.objects.update(lease_until=None)
    assert draining.group_drain(group_id, searcher=Away()) == [case.request_id]
    assert matching.request_conclude(case.request_id, searcher=searcher)
    assert SearchUnit.objects.get(stage=VERIFY).rows_unread == 1


def test_where_pictures_could_not_be_compared_nothing_is_answered_not_found() -> None:
    searcher = FakeSearcher([], rows=[row_to_verify()])
    case = shortlisted(searcher)
    group_id = SearchUnit.objects.get(stage=VERIFY).group_id or 0
    draining.group_drain(group_id, searcher=searcher)
    assert matching.request_conclude(case.request_id, searcher=searcher)
    assert case.request.state == State.IN_REVIEW


def test_the_second_stage_is_begun_once(searcher: FakeSearcher) -> None:
    case = shortlisted(searcher)
    stale = RemovalRequest.objects.get(pk=case.request_id)
    stale.verifying = False  # as a worker saw it that was concluding at the same time
    units = [SearchUnit(request=stale, group=catalog_group(), stage=VERIFY)]
    assert matching._units_made(stale, units)
    assert SearchUnit.objects.filter(stage=VERIFY).count() == 1


def test_a_probe_lies_sealed_under_photo_and_dies_with_the_search(searcher: FakeSearcher) -> None:
    case = shortlisted(searcher)
    photo = Photo.objects.get()
    worker = role_key(Recipient.WORKER)
    key = unwrap(case.request_id, Purpose.PHOTO, Recipient.WORKER, worker)
    place = Place(case.request_id, Purpose.PHOTO, f"probe {photo.pk}")
    assert key.open(photo.probe_sealed, place) == searcher.photo_probe(photo_bytes())
    unit = SearchUnit.objects.get(stage=VERIFY)
    assert bytes(unit.rows_sealed)
    draining.group_drain(unit.group_id or 0, searcher=searcher)
    matching.request_conclude(case.request_id, searcher=searcher)
    assert bytes(Photo.objects.get().probe_sealed) == b""
    assert not SearchUnit.objects.exclude(hits_sealed=b"", rows_sealed=b"").exists()
    assert not Wrap.objects.filter(recipient=Recipient.WORKER).exists()


@pytest.mark.django_db(transaction=True)
def test_a_withdrawal_destroys_the_probe_at_once(searcher: FakeSearcher) -> None:
    case = shortlisted(searcher)
    review.request_withdraw(opened=case.opened())
    assert bytes(Photo.objects.get().probe_sealed) == b""
    assert not SearchUnit.objects.exclude(hits_sealed=b"", rows_sealed=b"").exists()


def test_retention_destroys_the_probe_of_a_search_that_never_ends(searcher: FakeSearcher) -> None:
    shortlisted(searcher)
    RemovalRequest.objects.update(photos_delete_on=timezone.now().date())
    retention.retention_run()
    assert bytes(Photo.objects.get().probe_sealed) == b""
    assert not SearchUnit.objects.exclude(hits_sealed=b"", rows_sealed=b"").exists()
    assert RemovalRequest.objects.get().state == State.IN_REVIEW


def test_a_worker_elsewhere_needs_no_blob(searcher: FakeSearcher) -> None:
    case = shortlisted(searcher)
    blobs.blobs_delete([Photo.objects.get().blob])
    unit = SearchUnit.objects.get(stage=VERIFY)
    draining.group_drain(unit.group_id or 0, searcher=searcher)
    assert matching.request_conclude(case.request_id, searcher=searcher)
    assert [evidence["inliers"] for evidence in evidence_of(case)] == [77]


def test_the_subject_is_told_nothing_of_it_before_the_conclusion(searcher: FakeSearcher) -> None:
    case = shortlisted(searcher)
    status = request_status(opened=case.opened())
    assert status["found"] == []
    assert status["state"] == "searching"
    assert status["datasets"][0]["groups_searched"] == 1
    assert status["datasets"][0]["not_searched"] == []
