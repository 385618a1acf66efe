"""The admin's front: what its panels say, to whom, and that every chart has its table."""

import datetime as dt
import re

import pytest
from django.test import Client
from django.utils import timezone

from catalog.models import WorkerStore
from removal.desk.charts import Chart, Series, scale_top
from removal.models import Kind, RemovalRequest, RetentionRun, State, today
from removal.selectors import dashboard
from tests.removal import factories
from tests.removal.factories import Case


def changed(case: Case, **fields: object) -> None:
    RemovalRequest.objects.filter(pk=case.request_id).update(**fields)


def days_ago(number: int) -> dt.date:
    return today() - dt.timedelta(days=number)


def test_open_requests_by_state_and_age() -> None:
    for age in (0, 7, 8, 15, 40):
        changed(factories.in_review(), received_on=days_ago(age))
    factories.decided()
    counts = dashboard.open_by_age()
    assert counts[State.IN_REVIEW] == [2, 1, 1, 1]
    assert counts[State.SEARCHING] == [0, 0, 0, 0]
    assert State.APPROVED not in counts


def test_due_by_day_with_what_is_late_apart() -> None:
    for left in (-3, -1, 0, 7, 8):
        changed(factories.in_review(), due_on=days_ago(-left))
    overdue, days = dashboard.due_by_day()
    assert overdue == 2
    assert [count for _, count in days] == [1, 0, 0, 0, 0, 0, 0, 1]


def test_decisions_by_week_and_outcome() -> None:
    factories.decided()
    changed(factories.decided(approve=(), reason="unfounded"), decided_on=days_ago(7))
    weeks = dashboard.decided_by_week()
    assert len(weeks) == dashboard.WEEKS
    assert all(monday.weekday() == 0 for monday, _ in weeks)
    assert weeks[-1][1] == {State.APPROVED: 1}
    assert weeks[-2][1] == {State.DENIED: 1}


def test_quality_is_how_often_each_kind_was_approved() -> None:
    factories.decided()
    factories.decided(approve=(0,), reason="different_picture")
    factories.in_review()
    shares = {one.kind: (one.decided, one.approved) for one in dashboard.match_quality()}
    assert shares == {Kind.EXACT: (2, 2), Kind.COPY: (2, 1), Kind.SIMILAR: (2, 0)}


def test_escalated_requests_are_in_no_figure() -> None:
    decided, waiting = factories.decided(), factories.in_review()
    changed(decided, escalated_on=today())
    changed(waiting, escalated_on=today(), due_on=days_ago(1))
    assert dashboard.open_by_age()[State.IN_REVIEW] == [0, 0, 0, 0]
    assert dashboard.due_by_day()[0] == 0
    assert not any(counts for _, counts in dashboard.decided_by_week())
    assert not any(one.decided for one in dashboard.match_quality())


def test_every_chart_has_a_table_and_no_style(maintainer: Client) -> None:
    factories.decided()
    changed(factories.in_review(), due_on=days_ago(2))
    text = maintainer.get("/admin/").text
    charts = re.findall(r'<div class="chart">(.*?)</table>', text, re.DOTALL)
    assert len(charts) == 5
    assert all('role="img"' in chart and "<table>" in chart for chart in charts)
    assert "style=" not in text
    assert "1 overdue" in text
    for title in ("Open requests by state", "Match quality", "Index coverage", "Releases"):
        assert title in text


def test_workers_that_are_away_and_late_retention_are_told(maintainer: Client) -> None:
    factories.in_review()
    text = maintainer.get("/admin/").text
    assert "No worker serves the store local" in text
    assert "Retention is late" in text
    for store in ("default", "local"):
        WorkerStore.objects.create(store=store, seen_at=timezone.now())
    RetentionRun.objects.create(ran_at=timezone.now())
    text = maintainer.get("/admin/").text
    assert "No worker serves" not in text
    assert "Retention is late" not in text


@pytest.mark.parametrize(
    ("role", "sees", "not_"),
    [
        ("reviewer", ["Decided per week", "Index coverage", "Releases"], ["Workers and"]),
        ("auditor", ["Decided per week", "Workers and"], ["Take the next"]),
        ("operator", ["Workers and", "Index coverage"], ["Decided per week", "Match quality"]),
        ("release manager", ["Releases", "Index coverage"], ["Decided per week", "Workers and"]),
    ],
)
def test_panels_go_by_role(role: str, sees: list[str], not_: list[str]) -> None:
    client = Client()
    factories.sign_in(client, factories.role_user("one", role))
    text = client.get("/admin/").text
    assert all(title in text for title in sees)
    assert not any(title in text for title in not_)


# --- charts ----------------------------------------------------------------------------------


def columns(*values: float) -> Chart:
    labels = [f"<{n}>" for n in range(len(values))]
    return Chart(title='"T"', head="H", labels=labels, series=[Series("S", values)])


def test_columns_stand_on_the_floor_and_reach_their_value() -> None:
    svg = columns(5, 10, 0).svg
    bars = re.findall(
        r'class="series-1" x="([\d.]+)" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"', svg
    )
    assert [(float(y) + float(high), float(high)) for _, y, high in bars] == [(136, 60), (136, 120)]


def test_series_are_stacked() -> None:
    chart = Chart("T", "H", ["a"], [Series("S", [3]), Series("T", [7])], shape="bars")
    found = re.findall(r'class="series-(\d)" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', chart.svg)
    assert found == [("1", "0", "96"), ("2", "96", "224")]
    assert [name for _, name in chart.legend] == ["S", "T"]


def test_words_in_a_chart_are_only_words() -> None:
    svg = columns(1, 2).svg
    assert "&lt;1&gt;" in svg
    assert 'aria-label="&quot;T&quot;"' in svg


def test_a_chart_of_nothing_can_be_drawn() -> None:
    assert columns().empty
    assert columns(0, 0).empty
    assert "<svg" in columns().svg
    assert "<svg" in Chart("T", "H", [], [], shape="bars").svg


@pytest.mark.parametrize(("most", "top"), [(0, 1), (1, 1), (3, 3), (7, 8), (11, 20), (999, 1000)])
def test_scales_end_at_round_numbers(most: float, top: int) -> None:
    assert scale_top(most) == top
