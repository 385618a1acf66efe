"""The months as the audit log has them, told once, and shown as page and as JSON."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from releases.ledger import rows_count
from releases.models import ListEntry, MonthTold, RowsListed
from releases.months import month_of, months_close, span_of
from releases.transparency import Span, percentile, report
from releases.transparency_page import count_words, span_words
from removal.models import today
from tests.releases.conftest import listed, out, rows
from tests.releases.months import a_month_ago, answered, noted
from tests.removal import factories

pytestmark = pytest.mark.django_db


def test_a_month_is_told_once_it_is_over() -> None:
    answered(23)
    noted([("submitted", b"now", today(), None)] * 50)
    assert months_close() == 1
    [month] = MonthTold.objects.all()
    assert month.month == a_month_ago(1)
    assert month.tables["requests"]["received"] == 20
    assert month.tables["outcomes"]["approved"] == 20
    assert month.tables["days"]["4-7"] == 20
    assert months_close() == 0


def test_what_was_told_stays_whatever_the_log_says_later() -> None:
    answered(23)
    months_close()
    before = MonthTold.objects.get().tables
    answered(30)
    months_close()
    assert MonthTold.objects.get().tables == before


def test_tens_are_told_in_the_month_that_fills_them_and_none_is_lost() -> None:
    for months in (3, 2, 1):
        answered(4, months=months)
    months_close()
    told = report()
    assert [one.tables["requests"]["received"] for one in told.months] == [10, 0, 0]
    assert told.total["requests"]["received"] == 10


def test_months_without_anything_are_told_too() -> None:
    noted([("submitted", b"one", a_month_ago(3, months=4), None)])
    assert months_close() == 4
    assert {one.tables["requests"]["received"] for one in MonthTold.objects.all()} == {0}


def test_nothing_is_told_in_the_first_month() -> None:
    factories.decided()
    assert months_close() == 0
    assert not MonthTold.objects.exists()


def test_answers_are_counted_from_what_asked_for_them() -> None:
    """An appeal is answered within its own month; a search that found nothing is an answer."""
    first, appeal = a_month_ago(1, months=3), a_month_ago(20, months=2)
    for n in range(10):
        tag = f"appeal {n}".encode()
        noted([("submitted", tag, first, None), ("decided", tag, first, "denied")])
        noted([("appealed", tag, appeal, None)])
        noted([("decided", tag, appeal + dt.timedelta(days=2), "approved")])
        found = f"nothing {n}".encode()
        noted([("submitted", found, first, None)])
        noted([("search_concluded", found, first + dt.timedelta(days=40), "no_match")])
        noted([("search_concluded", f"more {n}".encode(), first, "in_review")])
    months_close()
    total = report().total
    assert total["outcomes"] == {
        "approved": 10, "partly_approved": 0, "denied": 10, "no_match": 10,
    }  # fmt: skip
    assert total["days"]["0-1"] == 10
    assert total["days"]["2-3"] == 10
    assert total["days"]["32-62"] == 10
    assert total["clock"] == {"within_month": 20, "later": 10}


def test_spans_hold_every_number_of_days() -> None:
    assert [span_of(n) for n in (0, 1, 2, 7, 8, 31, 32, 93, 94, 400)] == [
        "0-1", "0-1", "2-3", "4-7", "8-14", "22-31", "32-62", "63-93", "94-", "94-",
    ]  # fmt: skip


def test_percentiles_are_spans_of_what_was_told() -> None:
    days = dict.fromkeys(
        ("0-1", "2-3", "4-7", "8-14", "15-21", "22-31", "32-62", "63-93", "94-"), 0
    )
    assert percentile(days, 0.5) is None
    days |= {"2-3": 40, "8-14": 50, "94-": 10}
    assert percentile(days, 0.5) == Span(8, 14)
    assert percentile(days, 0.9) == Span(8, 14)
    assert percentile(days, 0.91) == Span(94, None)
    assert [span_words(Span(8, 14)), span_words(Span(0, 1)), span_words(Span(94, None))] == [
        "8 to 14 days", "up to 1 day", "94 days or more",
    ]  # fmt: skip


def test_the_share_within_the_month_is_told_of_many_answers_alone() -> None:
    answered(10, days=29, months=2)
    answered(30)
    months_close()
    assert report().within_month is None
    MonthTold.objects.all().delete()
    answered(40)
    months_close()
    assert report().within_month == 1.0


def test_rows_are_counted_by_dataset_once_each() -> None:
    day = a_month_ago(7)
    rows_count(rows=rows(*range(12)), on=day)
    listed(*range(12))
    rows_count(rows=rows(*range(14)), on=day)
    assert list(RowsListed.objects.values_list("month", "dataset", "rows")) == [
        (a_month_ago(1), "sample", 14)
    ]
    noted([("submitted", b"one", day, None)])
    months_close()
    assert report().total["rows"] == {"sample": 10}


def test_an_approval_is_counted_with_its_entries() -> None:
    factories.decided()
    assert ListEntry.objects.exists()
    [count] = RowsListed.objects.all()
    assert (count.dataset, count.rows, count.month) == ("sample", 2, month_of(today()))


@pytest.mark.parametrize("path", ["/transparency/", "/de/transparency/", "/ar/transparency/"])
def test_page_before_the_first_month_and_after(client: Client, path: str, root: Any) -> None:
    empty = client.get(path)
    assert empty.status_code == 200
    assert '<svg class="chart-drawing"' not in empty.text
    answered(31, days=12, state="denied", months=2)
    answered(64)
    months_close()
    out(1)
    text = client.get(path).text
    assert text.count('<svg class="chart-drawing"') == 3
    assert "style=" not in text
    assert "<script" not in text
    assert client.post(path).status_code == 405


def test_page_says_what_was_told(client: Client) -> None:
    answered(31, days=12, state="denied", months=2)
    answered(64)
    months_close()
    text = client.get("/transparency/").text
    assert "90 or more" in text
    assert "4 to 7 days" in text
    assert "8 to 14 days" in text
    assert "about 100 in 100" in text
    assert "/transparency.json" in text
    assert "64 " not in text


def test_a_request_more_or_less_today_changes_nothing(client: Client) -> None:
    answered(64)
    months_close()
    page, data = client.get("/transparency/").content, client.get("/transparency.json").content
    factories.in_review()
    assert client.get("/transparency/").content == page
    assert client.get("/transparency.json").content == data


def test_json_tells_the_same_and_can_be_cached(client: Client, root: Any) -> None:
    answered(64)
    months_close()
    out(1)
    answer = client.get("/transparency.json")
    facts = answer.json()
    assert facts["format"] == "unlist-transparency/1"
    assert facts["closed_through"] == f"{a_month_ago(1):%Y-%m}"
    assert facts["totals"]["outcomes"]["approved"] == 60
    assert facts["months"][0]["requests"] == {"received": 60, "ended": 0}
    assert facts["last_year"]["median_days"] == {"from": 4, "to": 7}
    assert [one["release"] for one in facts["releases"]] == [1]
    again = client.get("/transparency.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert not answer.cookies


def test_a_count_that_is_not_told_is_a_dash() -> None:
    assert count_words(0) == "\u2013"
    assert count_words(1230) == "1\u202f230 or more"


def test_nothing_that_is_stored_refers_to_a_request() -> None:
    names = {field.name for model in (MonthTold, RowsListed) for field in model._meta.get_fields()}
    assert names == {"id", "month", "dataset", "rows", "tables"}
