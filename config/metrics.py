"""`/metrics`: figures for the operator's monitoring, in Prometheus' text format.

What always holds: every figure is read from the database, the broker or the disk when it is asked
for, so that all processes of the site give the same; none is of one request or one person. Nobody
gets any without the token of `UNLIST_METRICS_TOKEN`: to all others this address does not exist.
"""

import shutil
from collections.abc import Iterator

from django.conf import settings
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from catalog.metrics import catalog_metrics
from releases.metrics import releases_metrics
from removal.metrics import removal_metrics
from unlist.version import __version__


class Figures(Collector):
    """All figures of the service."""

    def collect(self) -> Iterator[Metric]:
        """Yield each figure as it is now.

        Raises:
            DatabaseError: the database does not answer.
        """
        yield InfoMetricFamily(
            "unlist_build", "What runs.", {"version": __version__, "role": settings.UNLIST.role}
        )
        yield from removal_metrics()
        yield from catalog_metrics()
        yield from releases_metrics()
        yield from _disk()


def _disk() -> Iterator[Metric]:
    """Tell the room of the data folder's disk; no sample where the folder is not there."""
    try:
        room = shutil.disk_usage(settings.UNLIST.data_dir)
    except OSError:
        return
    yield GaugeMetricFamily(
        "unlist_data_disk_free_bytes", "Room left on the disk of UNLIST_DATA_DIR.", room.free
    )
    yield GaugeMetricFamily(
        "unlist_data_disk_size_bytes", "Size of the disk of UNLIST_DATA_DIR.", room.total
    )


_registry = CollectorRegistry(auto_describe=False)
_registry.register(Figures())


@csrf_exempt  # without the token a form gets the answer of an address that is not there, too
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer whoever bears the token, and nobody else.

    Raises:
        Http404: no token is set, or the request bears another.
    """
    if not _bears_token(request):
        raise Http404
    return _figures(request)


def _bears_token(request: HttpRequest) -> bool:
    token = settings.UNLIST.metrics_token.get_secret_value()
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    fits = constant_time_compare(given.strip(), token)
    return bool(token) and scheme.lower() == "bearer" and fits


@require_safe
@never_cache
def _figures(request: HttpRequest) -> HttpResponse:
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    try:
        text = encode(_registry)
    except DatabaseError:
        return HttpResponse("The database does not answer.\n", "text/plain", status=503)
    return HttpResponse(text, content_type)
