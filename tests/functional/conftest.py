"""Real processes: the site, its worker, its scheduler, Redis, the database, a browser.

Nothing here is mocked and nothing is skipped: what is missing fails with the command that mends it.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from scripts.browser import FLAGS, browser_find
from scripts.house import House
from scripts.postgres import private_postgres
from scripts.sample.dataset import Written, write

HERE = Path(__file__).parent
SMALL_GROUPS = {"UNLIST_GROUP_ROWS": "40", "UNLIST_POW_COST": "500"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.functional)


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A sample dataset of about a hundred rows, in two shards."""
    return write(tmp_path_factory.mktemp("dataset") / "sample", generated=96)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sample: Written) -> Iterator[House]:
    """The embedded service on SQLite, with the sample dataset indexed."""
    with House(tmp_path_factory.mktemp("house"), SMALL_GROUPS) as running:
        running.manage("add_dataset", "sample", "--format", "img2dataset", "--path", sample.folder)
        running.manage("index_dataset", "sample")
        yield running


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    """A private PostgreSQL."""
    with private_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium."""
    found = os.environ.get("UNLIST_TEST_CHROMIUM") or browser_find()
    assert found, "Chromium is missing: `make test` brings it, or `apt-get install chromium`"
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A running Chromium, in which each test opens contexts of its own."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield running
        running.close()
