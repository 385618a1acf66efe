"""What the operator's monitoring is told of the requests: counts that tell of no one person."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from django.utils import timezone

from removal.intake.counters import counters
from removal.intake.load import Gate, admit
from removal.life.errands import errand_end
from removal.metrics import removal_metrics
from removal.models import (
    Errand,
    ErrandState,
    RemovalRequest,
    RetentionRun,
    SearchUnit,
    State,
    today,
)
from removal.search import fingerprinting
from removal.search.leases import FRAIL
from tests.figures import Figures, figures
from tests.removal import factories
from tests.removal.factories import FakeSearcher

pytestmark = pytest.mark.django_db


def told(prefix: str = "unlist_") -> Figures:
    found = figures(removal_metrics())
    return {name: value for name, value in found.items() if name.startswith(prefix)}


def days(number: int) -> dt.date:
    return today() + dt.timedelta(days=number)


def midnight(day: dt.date) -> float:
    return dt.datetime.combine(day, dt.time(), dt.UTC).timestamp()


def test_a_service_without_requests_tells_of_none() -> None:
    found = told()
    assert {found[f"unlist_requests{{state={state}}}"] for state in State.values} == {0}
    assert found["unlist_requests_overdue"] == found["unlist_requests_due_soon"] == 0
    assert found["unlist_retention_last_run_timestamp_seconds"] == 0
    assert found["unlist_retention_late"] == 0  # there is nothing to delete
    assert found["unlist_photos_held"] == found["unlist_audit_entries_total"] == 0
    assert "unlist_search_waiting_since_timestamp_seconds" not in found


def test_requests_are_counted_by_state() -> None:
    factories.received()
    factories.in_review()
    factories.in_review()
    factories.decided()
    found = told("unlist_requests{")
    assert {name: count for name, count in found.items() if count} == {
        "unlist_requests{state=received}": 1,
        "unlist_requests{state=in_review}": 2,
        "unlist_requests{state=approved}": 1,
    }
    assert len(found) == len(State)


@pytest.mark.parametrize(("due", "overdue", "soon"), [(-1, 1, 0), (0, 0, 1), (7, 0, 1), (8, 0, 0)])
def test_what_is_due_is_told_in_time(due: int, overdue: int, soon: int) -> None:
    for make in (factories.in_review, factories.decided):  # decided: the answer was given
        make()
    RemovalRequest.objects.update(due_on=days(due))
    found = told("unlist_requests_")
    assert found == {"unlist_requests_overdue": overdue, "unlist_requests_due_soon": soon}


def searching(groups: int = 4) -> RemovalRequest:
    for number in range(groups):
        factories.catalog_group(number=number)
    case = factories.received()
    fingerprinting.request_fingerprint(case.request.pk, searcher=FakeSearcher([]))
    return case.request


def test_each_unit_is_waiting_running_stuck_or_done() -> None:
    request = searching(5)
    done, failed, frail, running, _waiting = SearchUnit.objects.order_by("pk")
    change: Callable[..., int] = lambda unit, **to: (  # noqa: E731
        SearchUnit.objects.filter(pk=unit.pk).update(**to)
    )
    soon = timezone.now() + dt.timedelta(seconds=20)
    change(done, state=SearchUnit.State.DONE)
    change(failed, state=SearchUnit.State.FAILED, lease_until=soon)
    change(frail, attempts=FRAIL)
    change(running, attempts=1, lease_token=request.pk, lease_until=soon)
    assert told("unlist_search_units") == {
        "unlist_search_units{state=waiting}": 1,
        "unlist_search_units{state=running}": 1,
        "unlist_search_units{state=stuck}": 2,
        "unlist_search_units{state=done}": 1,
    }
    assert told("unlist_queue") == {
        "unlist_queue_depth{work=fingerprint}": 0,
        "unlist_queue_depth{work=search}": 2,  # the frail one may be taken again
        "unlist_queue_depth{work=conclude}": 0,
    }
    SearchUnit.objects.update(state=SearchUnit.State.DONE)
    assert told("unlist_queue")["unlist_queue_depth{work=conclude}"] == 1


def test_errands_are_counted_while_they_are_open() -> None:
    factories.decided()
    name = "unlist_errands{kind=duplicates}"
    assert told("unlist_errands")[name] == 1
    errand_end(Errand.objects.get().pk, ErrandState.DONE)
    assert set(told("unlist_errands").values()) == {0}


def test_a_search_that_lasts_is_told_by_the_day_it_came_in() -> None:
    searching()
    RemovalRequest.objects.update(received_on=days(-3))
    factories.received()
    since = "unlist_search_waiting_since_timestamp_seconds"
    assert told(since) == {since: midnight(days(-3))}
    assert told("unlist_queue")["unlist_queue_depth{work=fingerprint}"] == 1
    RemovalRequest.objects.update(state=State.IN_REVIEW)
    assert told(since) == {}


def test_photos_and_retention_and_the_audit_log() -> None:
    factories.received()
    found = told()
    assert found["unlist_photos_held"] == 1
    assert found["unlist_retention_late"] == 1
    assert found["unlist_audit_entries_total"] == 1
    ran = timezone.now().replace(microsecond=0)
    RetentionRun.objects.create(ran_at=ran)
    found = told("unlist_retention")
    assert found == {
        "unlist_retention_last_run_timestamp_seconds": ran.timestamp(),
        "unlist_retention_late": 0,
    }


def test_without_redis_nothing_is_told_of_load(settings: Any) -> None:
    assert told("unlist_broker") == told("unlist_intake") == {}  # the tests' broker is no Redis
    settings.CELERY_BROKER_URL = "redis+socket:///nowhere/redis.sock"
    assert told("unlist_broker") == {"unlist_broker_up": 0}
    assert told("unlist_intake") == {}  # each process would tell its own


def test_load_is_told_as_all_processes_count_it(
    settings: Any, redis_server: redis.Redis, tmp_path: Path
) -> None:
    settings.CELERY_BROKER_URL = f"redis+socket://{tmp_path / 'r.sock'}"
    settings.UNLIST = settings.UNLIST.model_copy(
        update={"requests_per_hour": 60, "ticket_share_percent": 50}
    )
    counters.cache_clear()
    try:
        for _ in range(5):  # half of 60 an hour, over ten minutes
            admit(Gate.TICKET, None)
        assert {**told("unlist_broker"), **told("unlist_intake")} == {
            "unlist_broker_up": 1,
            "unlist_intake_cost_factor{way=work}": 1,
            "unlist_intake_cost_factor{way=ticket}": 32,
            "unlist_intake_closed{way=work}": 0,
            "unlist_intake_closed{way=ticket}": 1,
        }
    finally:
        counters.cache_clear()


def test_the_labels_tell_of_no_person() -> None:
    factories.decided(category="intimate", note="marked-note")
    factories.received(category="child")
    labels = {
        label
        for family in removal_metrics()
        for sample in family.samples
        for label in sample.labels
    }
    assert labels == {"kind", "state", "work"}
    assert not {"intimate", "child", "marked"} & set(" ".join(told()).replace("=", " ").split())
