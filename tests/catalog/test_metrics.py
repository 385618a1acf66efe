"""What the operator's monitoring is told of coverage and of who serves it."""

import datetime as dt

import pytest
from django.utils import timezone

from catalog.metrics import catalog_metrics
from catalog.models import Group, WorkerStore
from catalog.stores import stores_announce
from tests.figures import figures
from tests.removal.factories import catalog_group

pytestmark = pytest.mark.django_db


def test_without_a_dataset_only_the_rest_can_be_served() -> None:
    assert figures(catalog_metrics()) == {
        "unlist_store_seen_timestamp_seconds{store=default}": 0,
    }


def test_rows_and_groups_are_told_by_dataset() -> None:
    for number, state in enumerate((Group.State.READY, Group.State.READY, Group.State.FAILED)):
        catalog_group(number=number, rows=100, state=state)
    catalog_group(dataset="other", rows=7, state=Group.State.PENDING)
    Group.objects.filter(dataset__name="sample").update(rows_indexed=90)
    found = figures(catalog_metrics())
    assert found["unlist_dataset_rows{dataset=other}"] == 7
    assert found["unlist_dataset_rows_covered{dataset=sample}"] == 180
    assert found["unlist_dataset_rows_covered{dataset=other}"] == 0
    assert {name: n for name, n in found.items() if name.startswith("unlist_groups")} == {
        "unlist_groups{dataset=sample,state=pending}": 0,
        "unlist_groups{dataset=sample,state=ready}": 2,
        "unlist_groups{dataset=sample,state=failed}": 1,
        "unlist_groups{dataset=other,state=pending}": 1,
        "unlist_groups{dataset=other,state=ready}": 0,
        "unlist_groups{dataset=other,state=failed}": 0,
    }


def test_a_store_that_nobody_serves_is_seen() -> None:
    catalog_group(store="disk1")
    catalog_group(dataset="other", store="disk2")
    before = timezone.now().timestamp()
    stores_announce(["default", "disk1", "gone"])
    WorkerStore.objects.filter(store="disk1").update(seen_at=dt.datetime(2026, 3, 2, tzinfo=dt.UTC))
    found = figures(catalog_metrics())
    assert found["unlist_store_seen_timestamp_seconds{store=default}"] == pytest.approx(
        before, abs=60
    )
    assert found["unlist_store_seen_timestamp_seconds{store=disk1}"] == 1772409600
    assert found["unlist_store_seen_timestamp_seconds{store=disk2}"] == 0
    assert "unlist_store_seen_timestamp_seconds{store=gone}" not in found  # no dataset lies there
