"""`/transparency/` for people, with charts and tables, and `/transparency.json` for programs.

Both may be kept by every cache between: they are the same for everyone and change once a month,
or with a release.
"""

import json
from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from releases import selectors
from releases.months import OUTCOMES, SPANS
from releases.suppression import STEP, Table
from releases.transparency import RECENT, Month, Report, Span, report, report_facts
from removal.api.views import cacheable
from removal.desk.charts import Chart, Series

NONE_TOLD = "\u2013"


@require_safe
def transparency_page(request: HttpRequest) -> HttpResponse:
    """Show the months that are over, the releases, and the head of the audit log at the latest."""
    published, told = selectors.releases_published(), report()
    latest = published[0] if published else None
    context = {
        "told": told,
        "step": STEP,
        "charts": _charts(told),
        "totals": _totals(told),
        "rows": [(name, count_words(n)) for name, n in told.total["rows"].items()],
        "latest": latest,
        "manifest": selectors.release_manifest(latest) if latest else None,
        "releases": len(published),
    }
    return TemplateResponse(request, "releases/transparency.html", context)


@require_safe
def transparency_json(request: HttpRequest) -> HttpResponseBase:
    """Answer with the same figures as JSON."""
    facts = report_facts(report(), selectors.releases_published())
    response = cacheable(request, json.dumps(facts, indent=1).encode())
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def count_words(count: int) -> str:
    """Write what is told of a running total: tens, or that fewer are not told."""
    if not count:
        return NONE_TOLD
    return _("%(number)s or more") % {"number": number_format(count, force_grouping=True)}


def span_words(span: Span | None) -> str:
    """Write a span of days."""
    if span is None:
        return NONE_TOLD
    if span.last is None:
        return _("%(days)s days or more") % {"days": span.first}
    if span.first == 0:
        return ngettext("up to %(days)s day", "up to %(days)s days", span.last) % {
            "days": span.last
        }
    return _("%(first)s to %(last)s days") % {"first": span.first, "last": span.last}


def outcome_names() -> dict[str, str]:
    """Return the outcomes by their cells, in the page's language."""
    return {
        "approved": _("Approved"),
        "partly_approved": _("Approved in part"),
        "denied": _("Refused"),
        "no_match": _("Not found in any dataset"),
    }


def _charts(told: Report) -> list[Chart]:
    """Return the charts that there is anything to draw of, the months from left to right."""
    months = told.months[: 2 * RECENT][::-1]
    names = outcome_names()
    charts = [
        _by_month(
            _("Requests received, by month"),
            months,
            [_series(_("Received"), months, "requests", "received")],
        ),
        _by_month(
            _("How requests were answered, by month"),
            months,
            [_series(names[cell], months, "outcomes", cell) for cell in OUTCOMES.values()],
        ),
        _days(told.recent["days"]),
    ]
    return [chart for chart in charts if not chart.empty]


def _by_month(title: str, months: Sequence[Month], series: Sequence[Series]) -> Chart:
    return Chart(
        title=title,
        head=_("Month"),
        labels=[f"{one.month:%m/%y}" for one in months],
        long_labels=[date_format(one.month, "YEAR_MONTH_FORMAT") for one in months],
        series=series,
    )


def _series(name: str, months: Sequence[Month], table: str, cell: str) -> Series:
    values = [one.tables[table][cell] for one in months]
    return Series(name, values, [_tens_words(value) for value in values])


def _days(days: Table) -> Chart:
    """Show how long the answers of the last year took."""
    values = [days[name] for name in SPANS]
    return Chart(
        title=_("Days to an answer, last twelve months"),
        head=_("Days"),
        labels=[name if name[-1] != "-" else f"{name[:-1]}+" for name in SPANS],
        long_labels=[span_words(Span.read(name)) for name in SPANS],
        series=[Series(_("Answers"), values, [_tens_words(value) for value in values])],
    )


def _tens_words(count: int) -> str:
    return number_format(count, force_grouping=True) if count else NONE_TOLD


def _totals(told: Report) -> list[tuple[str, str]]:
    """Return the running totals and the times to an answer, each with its name."""
    requests, outcomes = told.total["requests"], told.total["outcomes"]
    names = outcome_names()
    share = told.within_month
    return [
        (_("Requests received"), count_words(requests["received"])),
        *((names[cell], count_words(count)) for cell, count in outcomes.items()),
        (_("Taken back or run out"), count_words(requests["ended"])),
        (_("Half were answered within"), span_words(told.median)),
        (_("Nine in ten were answered within"), span_words(told.ninth)),
        (
            _("Answered within the legal month"),
            NONE_TOLD if share is None else _("about %(n)s in 100") % {"n": round(100 * share)},
        ),
    ]
