"""Signs that the service is being used against somebody: told to the reviewer, blocking nothing.

Each sign is computed from what is there anyway (counts, kinds, keyed tags of rows) and kept as a
code with its numbers. Nobody is recognized: there is nothing to recognize them by. The domain that
rows have in common is looked at only on the desk, where the rows are open, and is not kept.
"""

import datetime as dt
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from removal import audit
from removal.models import Candidate, Category, Flag, Kind, RemovalRequest, today

DAYS: Final = 30
"""How far back other requests are looked at."""
MANY_REQUESTS: Final = 5
"""From so many requests for the same rows on, this one counted."""
CROP_REQUESTS: Final = 3
CROP_OVERLAP: Final = 0.8
"""A photo that covers less than this of a stored picture is called a crop of it."""
ORGANIZATION_ROWS: Final = 10
ORGANIZATION_SHARE: Final = 0.8
ARTWORK_ITEMS: Final = 8
ARTWORK_DAY: Final = 10
ARTWORK_TIMES: Final = 5
"""How many times the usual day's artwork claims are unusual."""
TAGS_COMPARED: Final = 200
"""A request's rows that are compared with other requests': its first so many."""

MANY: Final = "many_requests"
CROPS: Final = "crops_again"
ORGANIZATION: Final = "organization_rows"
BULK_ARTWORK: Final = "bulk_artwork"

_WORDS: Final[Mapping[str, str]] = {
    MANY: "{requests} requests in {days} days are for the same rows as this one: one person who "
    "asks again, or many who were told to",
    CROPS: "The photo is a part of a stored picture, and {requests} requests in {days} days are "
    "for the same rows: somebody may be trying out how much of a picture it takes",
    ORGANIZATION: "{rows} of the {of} rows lie under one domain: somebody may want an "
    "organization's pictures gone rather than their own",
    BULK_ARTWORK: "Artwork is claimed in bulk: {items} pictures and addresses in this request, "
    "{requests} such requests on its day, {usual} on a usual one",
}

Evidence = Mapping[str, Any]


def flag_words(code: str, detail: Mapping[str, Any]) -> str:
    """Say what a sign is, with its numbers."""
    return _WORDS[code].format(**detail)


def flags_raise(request: RemovalRequest, rows: Sequence[tuple[str, Evidence]]) -> list[str]:
    """Raise the signs that show when a search is over; return their codes.

    Call it when the candidates are stored, in their transaction.

    Args:
        request: whose search it was.
        rows: kind and evidence of each row found.
    """
    signs = {
        **_same_rows(request, crop=_is_crop(rows)),
        **_bulk_artwork(request),
    }
    return [code for code, detail in signs.items() if flag_raise(request, code, detail)]


def flag_raise(request: RemovalRequest, code: str, detail: Mapping[str, int]) -> bool:
    """Raise a sign once; tell whether it is new."""
    with transaction.atomic():
        facts = {"detail": dict(detail), "raised_on": today()}
        _, new = Flag.objects.get_or_create(request=request, code=code, defaults=facts)
        if new:
            audit.audit_append(
                act="flagged",
                actor=audit.WORKER,
                tag=audit.subject_tag(request),
                detail={"sign": code, **detail},
            )
    return new


def organization_flag(*, request: RemovalRequest, domains: Collection[str]) -> bool:
    """Raise a sign where the rows that are copies lie under one domain; the domain is not kept.

    Args:
        request: whose rows they are.
        domains: of each row that is exact or a copy, as opened on the desk.
    """
    if len(domains) < ORGANIZATION_ROWS:
        return False
    (_, rows), *_ = Counter(domains).most_common(1)
    if rows < ORGANIZATION_ROWS or rows < ORGANIZATION_SHARE * len(domains):
        return False
    return flag_raise(request, ORGANIZATION, {"rows": rows, "of": len(domains)})


def flags_see(*, request: RemovalRequest, reviewer: User) -> int:
    """Note that a reviewer weighed the signs of a request; return how many were new to all."""
    with transaction.atomic():
        seen = Flag.objects.filter(request=request, seen_by__isnull=True).update(seen_by=reviewer)
        if seen:
            audit.audit_append(
                act="flags_seen",
                actor=audit.staff(reviewer.pk),
                tag=audit.subject_tag(request),
                detail={"signs": seen},
            )
    return seen


def _same_rows(request: RemovalRequest, *, crop: bool) -> dict[str, dict[str, int]]:
    """Return the signs in how many requests hit this one's rows."""
    requests = 1 + _others(request).count()
    detail = {"requests": requests, "days": DAYS}
    signs = {}
    if requests >= MANY_REQUESTS:
        signs[MANY] = detail
    if crop and requests >= CROP_REQUESTS:
        signs[CROPS] = detail
    return signs


def _others(request: RemovalRequest) -> QuerySet[RemovalRequest]:
    """Return the other requests of late whose copies are among this one's."""
    found = Candidate.objects.filter(kind__in=(Kind.EXACT, Kind.COPY), offered=False)
    own = found.filter(request=request)
    tags = list(own.order_by("pk").values_list("row_tag", flat=True)[:TAGS_COMPARED])
    hits = found.filter(row_tag__in=tags)
    since = request.received_on - dt.timedelta(days=DAYS)
    late = RemovalRequest.objects.filter(received_on__gte=since).exclude(pk=request.pk)
    return late.filter(pk__in=hits.values("request"))


def _is_crop(rows: Sequence[tuple[str, Evidence]]) -> bool:
    """Tell whether the photo shows but a part of every stored picture that it is a copy of."""
    copies = [evidence.get("overlap") for kind, evidence in rows if kind == Kind.COPY]
    laid = [overlap for overlap in copies if overlap is not None]
    exact = any(kind == Kind.EXACT for kind, _ in rows)
    return bool(laid) and not exact and max(laid) < CROP_OVERLAP


def _bulk_artwork(request: RemovalRequest) -> dict[str, dict[str, int]]:
    """Return the sign of artwork claimed by the dozen, in one request or on one day."""
    if request.category != Category.ARTWORK:
        return {}
    items = request.photos.count() + request.link_count
    claims = RemovalRequest.objects.filter(category=Category.ARTWORK)
    on_day = claims.filter(received_on=request.received_on).count()
    first = request.received_on - dt.timedelta(days=DAYS)
    before = claims.filter(received_on__gte=first, received_on__lt=request.received_on).count()
    usual = round(before / DAYS)
    many = on_day >= max(ARTWORK_DAY, ARTWORK_TIMES * usual)
    if items < ARTWORK_ITEMS and not many:
        return {}
    return {BULK_ARTWORK: {"items": items, "requests": on_day, "usual": usual}}
