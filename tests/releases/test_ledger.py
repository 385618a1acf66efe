import hashlib
from datetime import date

import pytest
from django.db import transaction

from releases.ledger import EntryRefused, entries_add
from releases.models import ListEntry
from removal.models import RemovalRequest, State
from removal.signals import rows_approved
from tests.releases.conftest import DAY, Row, rows
from tests.removal import factories
from tests.removal.deciding import request_decide

pytestmark = pytest.mark.django_db


def keys_of(kind: str) -> set[bytes]:
    return {bytes(key) for key in ListEntry.objects.filter(kind=kind).values_list("key", flat=True)}


def test_a_row_is_listed_by_every_value_that_its_dataset_records() -> None:
    entries_add(rows=[Row("https://example.org/ä.jpg", "AB" * 32, None)], tier="exact", on=DAY)
    url = hashlib.sha256("unlist/1/url\nhttps://example.org/ä.jpg".encode()).digest()[:16]
    sha256 = hashlib.sha256(f"unlist/1/sha256\n{'ab' * 32}".encode()).digest()[:16]
    assert (keys_of("url"), keys_of("sha256"), keys_of("md5")) == ({url}, {sha256}, set())


def test_a_row_is_listed_once_and_keeps_its_first_day() -> None:
    entries_add(rows=rows(1, 2), tier="exact", on=DAY)
    entries_add(rows=rows(2, 3), tier="exact", on=date(2026, 4, 1))
    assert ListEntry.objects.filter(kind="url").count() == 3
    assert ListEntry.objects.filter(kind="url", added_on=DAY).count() == 2


@pytest.mark.parametrize("tier", ["masked", "partner", "", "EXACT"])
def test_a_tier_that_cannot_be_released_is_refused(tier: str) -> None:
    with pytest.raises(EntryRefused, match="exact"):
        entries_add(rows=rows(1), tier=tier, on=DAY)
    assert not ListEntry.objects.exists()


def test_a_row_that_no_list_can_name_is_refused_with_its_neighbours() -> None:
    with pytest.raises(EntryRefused, match="neither a URL nor a recorded digest"):
        entries_add(rows=[*rows(1), Row()], tier="exact", on=DAY)
    assert not ListEntry.objects.exists()


def test_approval_writes_the_ledger_in_its_own_transaction() -> None:
    case = factories.decided()
    assert case.request.state == State.APPROVED
    assert keys_of("url")
    assert keys_of("sha256")


def test_a_ledger_that_refuses_takes_the_approval_back(monkeypatch: pytest.MonkeyPatch) -> None:
    case = factories.in_review()

    def refuse(**_: object) -> None:
        raise EntryRefused("no")

    monkeypatch.setattr("releases.ledger.entries_add", refuse)
    with pytest.raises(EntryRefused):
        request_decide(
            request_id=case.request_id,
            reviewer=factories.staff_user(),
            approve=[candidate.pk for candidate in case.candidates],
            deny_reason=None,
            statement="",
            tier="exact",
        )
    assert case.request.state == State.IN_REVIEW


def test_nothing_in_the_ledger_leads_to_a_request_or_orders_its_entries() -> None:
    names = {field.name for field in ListEntry._meta.get_fields()}
    assert names == {"id", "list_name", "tier", "kind", "key", "added_on"}
    with transaction.atomic():
        rows_approved.send(RemovalRequest, rows=rows(*range(20)), tier="exact", on=DAY)
    by_id = [bytes(entry.key) for entry in ListEntry.objects.order_by("id")]
    assert by_id != sorted(by_id)
    assert all(entry.pk.version == 4 for entry in ListEntry.objects.all())
