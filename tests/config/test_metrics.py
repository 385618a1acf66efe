"""`/metrics`: whole for whoever bears the token, an address that does not exist for all others."""

import logging
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from pydantic import SecretStr

from config import metrics
from tests.figures import figures_read
from tests.removal import factories

pytestmark = pytest.mark.django_db

TOKEN = "0123456789abcdef0123456789abcdef"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def token(settings: Any, _own_folders: None) -> None:
    settings.UNLIST.data_dir.mkdir()
    settings.UNLIST = settings.UNLIST.model_copy(update={"metrics_token": SecretStr(TOKEN)})


def test_whoever_bears_the_token_is_told(token: None, client: Client) -> None:
    answer = client.get("/metrics", headers=BEARER)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert "no-store" in answer.headers["Cache-Control"]
    assert not answer.cookies
    found = figures_read(answer.content.decode())
    assert found["unlist_build_info{role=all,version=0.1.0}"] == 1
    assert found["unlist_requests{state=in_review}"] == 0
    assert found["unlist_store_seen_timestamp_seconds{store=default}"] == 0
    assert found["unlist_releases_unpublished"] == 0
    assert 0 < found["unlist_data_disk_free_bytes"] <= found["unlist_data_disk_size_bytes"]
    assert client.head("/metrics", headers=BEARER).status_code == 200
    assert client.get("/metrics", headers={"Authorization": f"bearer {TOKEN}"}).status_code == 200
    assert client.post("/metrics", headers=BEARER).status_code == 405


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Bearer {TOKEN}0"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer \u00e9"},
        {"Cookie": f"token={TOKEN}"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_to_all_others_there_is_nothing_at_this_address(
    token: None, headers: dict[str, str], method: str
) -> None:
    # With the checks that a form must pass, as in real life.
    client = Client(enforce_csrf_checks=True)
    got = client.generic(method, "/metrics", headers=headers)
    nothing = client.generic(method, "/health/nothing", headers=headers)
    assert got.status_code == nothing.status_code == 404
    assert (got.content, got.headers) == (nothing.content, nothing.headers)


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer ", f"Bearer {TOKEN}"])
def test_without_a_token_set_nobody_is_told(client: Client, given: str) -> None:
    assert client.get("/metrics", headers={"Authorization": given}).status_code == 404


def test_the_token_is_not_shown_with_the_settings(token: None, settings: Any) -> None:
    assert TOKEN not in repr(settings.UNLIST)


def test_a_scrape_in_the_newer_format_is_whole_too(token: None, client: Client) -> None:
    factories.decided()
    headers = {**BEARER, "Accept": "application/openmetrics-text;version=1.0.0"}
    answer = client.get("/metrics", headers=headers)
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    read = text_string_to_metric_families(answer.content.decode())  # type: ignore[no-untyped-call]
    families = {family.name for family in read}
    assert {"unlist_requests", "unlist_audit_entries", "unlist_build"} <= families


def test_a_scrape_only_reads(token: None, client: Client) -> None:
    factories.in_review()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        client.get("/metrics", headers=BEARER)
    statements = {query["sql"].split()[0] for query in queries.captured_queries}
    assert statements == {"SELECT"}
    assert len(queries) < 40


def test_many_requests_cost_a_scrape_no_more_questions(token: None, client: Client) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get("/metrics", headers=BEARER)
        return len(queries)

    factories.in_review()
    before = asked()
    for _ in range(3):
        factories.decided()
    assert asked() == before


def test_a_database_that_is_away_is_told_as_such(
    token: None, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away() -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(metrics, "removal_metrics", away)
    with caplog.at_level(logging.INFO):
        answer = client.get("/metrics", headers=BEARER)
    assert (answer.status_code, answer.content) == (503, b"The database does not answer.\n")
    assert TOKEN not in caplog.text


def test_a_data_folder_that_is_away_leaves_the_other_figures(
    token: None, client: Client, settings: Any
) -> None:
    settings.UNLIST.data_dir.rmdir()
    found = figures_read(client.get("/metrics", headers=BEARER).content.decode())
    assert "unlist_data_disk_free_bytes" not in found
    assert "unlist_requests_overdue" in found
