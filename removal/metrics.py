"""How the requests and the house stand, for the operator's monitoring (`config.metrics`).

Counts over all requests alone. No figure is split by what a person says of a picture, by dataset
or by outcome and day, for such a cell soon tells of one person.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Final

import redis
from django.db.models import Count, Min, Q
from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from removal.audit import audit_head
from removal.intake.counters import broker_redis
from removal.intake.load import Gate, closed_for, cost_factor
from removal.life.errands import ERRAND_OPEN
from removal.life.retention import retention_late
from removal.lifecycle import OPEN
from removal.models import (
    Errand,
    ErrandKind,
    Photo,
    RemovalRequest,
    RetentionRun,
    SearchUnit,
    State,
    today,
)
from removal.search.draining import units_waiting
from removal.search.fingerprinting import to_fingerprint
from removal.search.leases import stuck
from removal.search.matching import to_conclude

SOON: Final = dt.timedelta(days=7)
_UNDERWAY: Final = (State.RECEIVED, State.SEARCHING)


def removal_metrics() -> Iterator[Metric]:
    """Yield the figures of the requests as the database has them now."""
    yield _states()
    yield from _clock()
    yield from _search()
    yield from _kept()
    yield from _gates()


def _states() -> Metric:
    counted = RemovalRequest.objects.order_by().values_list("state").annotate(Count("pk"))
    counts = dict(counted)
    states = GaugeMetricFamily("unlist_requests", "Requests by state.", labels=["state"])
    for state in State.values:
        states.add_metric([state], counts.get(state, 0))
    return states


def _clock() -> Iterator[Metric]:
    """Count the open requests whose answer is, or soon will be, late."""
    day = today()
    due = RemovalRequest.objects.filter(state__in=OPEN).aggregate(
        overdue=Count("pk", filter=Q(due_on__lt=day)),
        soon=Count("pk", filter=Q(due_on__gte=day, due_on__lte=day + SOON)),
    )
    yield GaugeMetricFamily(
        "unlist_requests_overdue", "Open requests past the day they are due.", due["overdue"]
    )
    yield GaugeMetricFamily(
        "unlist_requests_due_soon", "Open requests due today or within 7 days.", due["soon"]
    )


def _search() -> Iterator[Metric]:
    """Count what workers have before them: in the database, which is the queue."""
    yield _units()
    depth = GaugeMetricFamily(
        "unlist_queue_depth",
        "What a worker could take now: requests to fingerprint or to conclude, units to search.",
        labels=["work"],
    )
    depth.add_metric(["fingerprint"], to_fingerprint().count())
    depth.add_metric(["search"], units_waiting().count())
    depth.add_metric(["conclude"], to_conclude().count())
    yield depth
    yield _oldest_search()
    yield _errands()


def _units() -> Metric:
    done = Q(state=SearchUnit.State.DONE)
    running = Q(lease_token__isnull=False, lease_until__gt=timezone.now())
    counts = SearchUnit.objects.filter(
        request__state=State.SEARCHING, group__isnull=False
    ).aggregate(
        waiting=Count("pk", filter=~done & ~stuck() & ~running),
        running=Count("pk", filter=~done & ~stuck() & running),
        stuck=Count("pk", filter=~done & stuck()),
        done=Count("pk", filter=done),
    )
    units = GaugeMetricFamily(
        "unlist_search_units",
        "Units of the requests being searched, one per request and group (two where pictures are "
        "compared); stuck: tried without success, and tried again by itself.",
        labels=["state"],
    )
    for state, count in counts.items():
        units.add_metric([state], count)
    return units


def _errands() -> Metric:
    """Count what was asked of workers beside requests and has not ended."""
    counts = Errand.objects.filter(state__in=ERRAND_OPEN).values_list("kind")
    waiting = dict(counts.annotate(waiting=Count("pk")))
    errands = GaugeMetricFamily(
        "unlist_errands",
        "Searches for copies of approved rows, sweeps and pictures to fetch that have not ended.",
        labels=["kind"],
    )
    for kind in ErrandKind:
        errands.add_metric([kind.value], waiting.get(kind, 0))
    return errands


def _oldest_search() -> Metric:
    """Say since when the oldest search waits; there is no sample where none does."""
    waiting = RemovalRequest.objects.filter(state__in=_UNDERWAY)
    since = waiting.aggregate(day=Min("received_on"))["day"]
    return GaugeMetricFamily(
        "unlist_search_waiting_since_timestamp_seconds",
        "The day (its midnight, UTC) on which the oldest request came in whose search is not over.",
        None if since is None else _midnight(since),
    )


def _kept() -> Iterator[Metric]:
    """Tell what is held, whether it is deleted in time, and how long the audit log is."""
    yield GaugeMetricFamily(
        "unlist_photos_held",
        "Sealed photos that are not deleted yet.",
        Photo.objects.filter(state=Photo.State.HELD).count(),
    )
    run = RetentionRun.objects.first()
    yield GaugeMetricFamily(
        "unlist_retention_last_run_timestamp_seconds",
        "When retention last ran to its end; 0 for never.",
        0 if run is None else run.ran_at.timestamp(),
    )
    yield GaugeMetricFamily(
        "unlist_retention_late",
        "1 where there are requests and retention has not run to its end for 25 hours.",
        retention_late() is not None,
    )
    yield CounterMetricFamily(
        "unlist_audit_entries",
        "Entries of the audit log; it only grows.",
        audit_head().seq,
    )


def _gates() -> Iterator[Metric]:
    """Tell whether the broker answers and what it counts of what arrives.

    Where it does not answer each process counts for itself: no figure of the service, so there is
    no sample then.
    """
    up = _broker_up()
    yield GaugeMetricFamily("unlist_broker_up", "1 while Redis answers.", up)
    factor = GaugeMetricFamily(
        "unlist_intake_cost_factor",
        "By how much load raises what a request costs its sender, by way in: 1 to 32.",
        labels=["way"],
    )
    closed = GaugeMetricFamily(
        "unlist_intake_closed", "1 while a way in takes nothing more.", labels=["way"]
    )
    for gate in Gate if up else ():
        factor.add_metric([gate], cost_factor(gate, None))
        closed.add_metric([gate], closed_for(gate) > 0)
    yield from (factor, closed)


def _broker_up() -> bool | None:
    """Tell whether Redis answers; None where the broker is something else."""
    client = broker_redis()
    if client is None:
        return None
    try:
        client.ping()
    except redis.RedisError:
        return False
    finally:
        client.close()
    return True


def _midnight(day: dt.date) -> float:
    return dt.datetime.combine(day, dt.time(), dt.UTC).timestamp()
