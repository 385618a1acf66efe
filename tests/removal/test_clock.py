"""The clock: one calendar month, and two more, right on every day there is."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from removal.life import review
from removal.life.listable import DecisionInvalid
from removal.lifecycle import months_added
from removal.models import RemovalRequest
from tests.removal import factories
from tests.removal.lifecycle_model import months_later

DAYS = st.dates(dt.date(1990, 1, 1), dt.date(2150, 1, 1))


@given(DAYS, st.integers(0, 40))
@example(dt.date(2028, 2, 29), 12)
@example(dt.date(2099, 11, 30), 3)
def test_months_are_added_as_by_trial(day: dt.date, months: int) -> None:
    assert months_added(day, months) == months_later(day, months)


def test_every_day_of_eight_years() -> None:
    day = dt.date(2024, 1, 1)
    for _ in range(8 * 366):
        for months in (1, 3):
            due = months_added(day, months)
            assert due == months_later(day, months)
            assert due.day == day.day or (due + dt.timedelta(days=1)).day == 1
            assert (due.year * 12 + due.month) - (day.year * 12 + day.month) == months
        day += dt.timedelta(days=1)


@given(DAYS, st.integers(1, 6))
def test_who_asks_later_is_never_due_earlier(day: dt.date, months: int) -> None:
    assert months_added(day, months) <= months_added(day + dt.timedelta(days=1), months)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("received", "due", "last", "extended"),
    [
        ("2126-01-31", "2126-02-28", "2126-02-27", "2126-04-30"),
        ("2128-01-31", "2128-02-29", "2128-02-28", "2128-04-30"),
        ("2127-11-30", "2127-12-30", "2127-12-29", "2128-02-29"),
        ("2128-02-29", "2128-03-29", "2128-03-28", "2128-05-29"),
        ("2127-12-31", "2128-01-31", "2128-01-30", "2128-03-31"),
    ],
)
def test_the_clock_of_a_request_across_month_ends(
    monkeypatch: pytest.MonkeyPatch, received: str, due: str, last: str, extended: str
) -> None:
    """It is extended up to the day before it is due, and not on the day itself."""
    now: dict[str, dt.datetime] = {}

    def at(day: str) -> None:
        now["is"] = dt.datetime.fromisoformat(f"{day}T23:59:59+00:00")

    at(received)
    monkeypatch.setattr("django.utils.timezone.now", lambda: now["is"])
    first, second = factories.in_review(), factories.in_review()
    assert first.request.due_on.isoformat() == due
    given_: dict[str, Any] = {"reviewer": factories.staff_user(), "reason": "busy"}
    at(last)
    review.request_extend(request_id=first.request_id, **given_)
    at(due)
    with pytest.raises(DecisionInvalid, match="before the first due date"):
        review.request_extend(request_id=second.request_id, **given_)
    assert first.request.due_on.isoformat() == extended
    assert RemovalRequest.objects.get(pk=second.request_id).due_on.isoformat() == due
