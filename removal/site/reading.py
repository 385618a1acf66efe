"""The pages to read: what this is, what is covered, what is kept. They set no cookie."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from catalog.selectors import datasets_covered
from removal.intake.load import WINDOW_SECONDS
from removal.life.appeals import APPEAL_DAYS
from removal.life.questions import ANSWER_DAYS
from removal.life.retention import retention_late
from removal.life.sessions import IDLE, LONGEST
from removal.models import RetentionRun
from removal.site.pages import page

Connection = Literal["https", "onion", "local", "plain"]


@dataclass(frozen=True)
class PrivacyFacts:
    """What the privacy page says beside the retention days; each from what the code goes by.

    `retention_late` is whether what should be deleted by now may still be there, and `retention_on`
    the day of the last deletion, if there was any.
    """

    one_process: bool
    connection: Connection
    counted_minutes: int
    session_idle_minutes: int
    session_hours: int
    answer_days: int
    appeal_days: int
    fetching: bool
    retention_late: bool
    retention_on: dt.date | None


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Say what this is, what happens to the photo, and what one gets."""
    datasets = datasets_covered()
    rows = sum(dataset.rows_indexed for dataset in datasets)
    return page(request, "home.html", {"datasets": datasets, "rows_indexed": rows})


@require_safe
def datasets(request: HttpRequest) -> HttpResponse:
    """Show which datasets are covered and how far they are indexed."""
    return page(request, "datasets.html", {"datasets": datasets_covered()})


@require_safe
def privacy(request: HttpRequest) -> HttpResponse:
    """Say what is kept, for whom and how long, from the settings in force."""
    return page(request, "privacy.html", {"facts": _privacy_facts()})


def _privacy_facts() -> PrivacyFacts:
    run = RetentionRun.objects.first()
    return PrivacyFacts(
        one_process=settings.UNLIST.role == "all",
        connection=_connection(settings.UNLIST.public_url),
        counted_minutes=2 * WINDOW_SECONDS // 60,
        session_idle_minutes=round(IDLE.total_seconds() / 60),
        session_hours=round(LONGEST.total_seconds() / 3600),
        answer_days=ANSWER_DAYS,
        appeal_days=APPEAL_DAYS,
        fetching=settings.UNLIST.fetch,
        retention_late=retention_late() is not None,
        retention_on=run.ran_at.date() if run else None,
    )


def _connection(public_url: str) -> Connection:
    """Tell how what a person sends travels, by the address that the site is reached at."""
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    if host.endswith(".onion"):
        return "onion"
    if parts.scheme == "https":
        return "https"
    return "local" if host in {"localhost", "127.0.0.1", "::1"} else "plain"
