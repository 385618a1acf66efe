"""Duplicates of approved rows are asked for when a decision takes effect, and offered when found.

A dataset stores one picture under many addresses, and the person sees only what their photos led
to. So the rows that a decision approves are themselves searched by: workers (`search.duplicates`)
do that as an errand, and what they find waits for a maintainer. Nobody else is told.
"""

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db.models import QuerySet

from removal.custody.content import FoundRow, json_bytes
from removal.life.errands import ERRAND_OPEN, errand_ask, errand_end
from removal.models import (
    Candidate,
    Errand,
    ErrandKind,
    ErrandState,
    Kind,
    RemovalRequest,
)

ROWS_MOST: Final = 100
"""Rows that a request's duplicates are looked for by; of more, the best."""
REPLACED: Final = "replaced"
_ORDER: Final = (Kind.EXACT, Kind.COPY, Kind.SIMILAR)


@dataclass(frozen=True, slots=True)
class Source:
    """An approved row whose duplicates are looked for.

    Attributes:
        candidate: its id.
        kind: how surely it is the person's photo.
        row: where it lies, and what the dataset records of it.
    """

    candidate: uuid.UUID
    kind: Kind
    row: FoundRow


def duplicates_ask(
    request: RemovalRequest, rows: Iterable[tuple[Candidate, FoundRow]]
) -> Errand | None:
    """Have workers look for the duplicates of approved rows; None where the service does not.

    `tasks.sweep` tells the workers. A search that has not ended is replaced by this one.
    """
    sources = [Source(candidate.pk, Kind(candidate.kind), row) for candidate, row in rows]
    if not settings.UNLIST.duplicates or not sources:
        return None
    for name in _sought(request).values_list("pk", flat=True):
        errand_end(name, ErrandState.FAILED, fault=REPLACED)
    best = sorted(sources, key=lambda one: (_ORDER.index(one.kind), -one.row.score))
    order = sources_to_bytes(best[:ROWS_MOST])
    return errand_ask(ErrandKind.DUPLICATES, order=order, request=request)


def duplicates_sought(request: RemovalRequest) -> bool:
    """Tell whether the duplicates of a request's rows are being looked for."""
    return _sought(request).exists()


def sources_to_bytes(sources: Iterable[Source]) -> bytes:
    """Serialize for sealing."""
    return json_bytes(
        [[str(one.candidate), one.kind, one.row.to_bytes().decode()] for one in sources]
    )


def sources_from_bytes(data: bytes) -> list[Source]:
    """Read what `sources_to_bytes` wrote."""
    return [
        Source(uuid.UUID(name), Kind(kind), FoundRow.from_bytes(row.encode()))
        for name, kind, row in json.loads(data)
    ]


def _sought(request: RemovalRequest) -> QuerySet[Errand]:
    return Errand.objects.filter(request=request, kind=ErrandKind.DUPLICATES, state__in=ERRAND_OPEN)
