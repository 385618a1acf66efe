"""How fresh the lists are that clients get, for the operator's monitoring (`config.metrics`)."""

import datetime as dt
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from tuf.api.exceptions import RepositoryError

from releases import places
from releases.models import Release
from releases.selectors import fresh_until, releases_published
from removal.selectors.proofs import proofs_waiting
from removal.selectors.subject import release_awaited_since


def releases_metrics() -> Iterator[Metric]:
    """Yield the figures of the releases as database and repository have them now."""
    yield from _latest()
    yield from _awaited()
    yield from _freshness()
    yield GaugeMetricFamily(
        "unlist_proofs_unsealed",
        "Closed requests whose proofs of removal are not sealed to their subject yet.",
        proofs_waiting().count(),
    )


def _latest() -> Iterator[Metric]:
    """Yield number, day and size of each list's latest release; no sample before its first."""
    number = GaugeMetricFamily(
        "unlist_release_number", "Number of the release that clients get.", labels=["list"]
    )
    published = GaugeMetricFamily(
        "unlist_release_published_timestamp_seconds",
        "The day (its midnight, UTC) on which that release was published.",
        labels=["list"],
    )
    entries = GaugeMetricFamily(
        "unlist_release_entries", "Entries of that release.", labels=["list"]
    )
    for name in places.LISTS:
        for release in releases_published(list_name=name)[:1]:
            number.add_metric([name], release.number)
            entries.add_metric([name], release.entries)
            if release.published_on is not None:
                published.add_metric([name], _midnight(release.published_on))
    yield from (number, published, entries)


def _awaited() -> Iterator[Metric]:
    """Tell what is not published yet."""
    yield GaugeMetricFamily(
        "unlist_releases_unpublished",
        "Releases that were built and not published.",
        Release.objects.filter(state=Release.State.BUILT).count(),
    )
    since = release_awaited_since()
    yield GaugeMetricFamily(
        "unlist_release_awaited_since_timestamp_seconds",
        "The day (its midnight, UTC) of the oldest approval that is in no release; no sample "
        "where all are.",
        None if since is None else _midnight(since),
    )


def _freshness() -> Iterator[Metric]:
    """Tell until when clients accept what is published; no sample before the first time."""
    until, readable = None, True
    try:
        until = fresh_until()
    except (OSError, RepositoryError, ValueError):
        readable = False
    yield GaugeMetricFamily(
        "unlist_release_repository_readable",
        "1 where the signed metadata can be read; doctor says what is wrong with it.",
        readable,
    )
    yield GaugeMetricFamily(
        "unlist_release_fresh_until_timestamp_seconds",
        "When clients stop accepting what is published.",
        None if until is None else until.timestamp(),
    )


def _midnight(day: dt.date) -> float:
    return dt.datetime.combine(day, dt.time(), dt.UTC).timestamp()
