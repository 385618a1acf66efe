"""What the operator's monitoring is told of the lists that clients get."""

import datetime as dt
from pathlib import Path

import pytest
from django.utils import timezone

from releases import places
from releases.metrics import releases_metrics
from removal.models import RemovalRequest, today
from tests.figures import figures
from tests.releases.conftest import out
from tests.removal import factories

pytestmark = pytest.mark.django_db


def midnight(day: dt.date) -> float:
    return dt.datetime.combine(day, dt.time(), dt.UTC).timestamp()


def test_before_the_first_release_nothing_is_awaited() -> None:
    assert figures(releases_metrics()) == {
        "unlist_releases_unpublished": 0,
        "unlist_release_repository_readable": 1,
        "unlist_proofs_unsealed": 0,
    }


def test_the_latest_release_is_told(root: Path) -> None:
    out(1)
    release = out(2, 3)
    found = figures(releases_metrics())
    assert found["unlist_release_number{list=public}"] == release.number == 2
    assert found["unlist_release_entries{list=public}"] == release.entries == 8
    assert found["unlist_release_published_timestamp_seconds{list=public}"] == midnight(today())
    left = found["unlist_release_fresh_until_timestamp_seconds"] - timezone.now().timestamp()
    assert 0 < left < 30 * 86400


def test_what_is_built_and_not_published_is_told(root: Path) -> None:
    release = out(1)
    type(release).objects.update(state="built")
    assert figures(releases_metrics())["unlist_releases_unpublished"] == 1
    assert "unlist_release_number{list=public}" not in figures(releases_metrics())


def test_an_approval_is_awaited_until_it_is_released() -> None:
    since = "unlist_release_awaited_since_timestamp_seconds"
    factories.in_review()
    assert since not in figures(releases_metrics())
    old, _new = factories.decided(), factories.decided()
    earlier = today() - dt.timedelta(days=4)
    RemovalRequest.objects.filter(pk=old.request.pk).update(decided_on=earlier)
    assert figures(releases_metrics())[since] == midnight(earlier)
    RemovalRequest.objects.filter(state="approved").update(state="released", released_in=[1])
    assert since not in figures(releases_metrics())


def test_metadata_that_cannot_be_read_is_told(root: Path) -> None:
    out(1)
    (places.repository_dir() / "metadata" / "timestamp.json").write_text("{")
    found = figures(releases_metrics())
    assert found["unlist_release_repository_readable"] == 0
    assert "unlist_release_fresh_until_timestamp_seconds" not in found
    assert found["unlist_release_number{list=public}"] == 1
