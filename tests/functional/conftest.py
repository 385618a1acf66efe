"""Real processes: the site, its worker, its scheduler, Redis, the database, a browser.

Nothing here is mocked and nothing is skipped: what is missing fails with the command that mends it.
"""

import fcntl
import os
import shutil
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


@pytest.fixture(scope="session")
def house_indexed(tmp_path_factory: pytest.TempPathFactory, sample: Written) -> Path:
    """What a first start and the indexing of the sample dataset leave behind: to be copied.

    It is made once for all processes that run the tests: whoever comes first has the lock.
    """
    folder = tmp_path_factory.mktemp("indexed")
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parents[1] / "indexed"
        folder.mkdir(exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            _house_index(folder / "house", sample.folder)
            (folder / "done").touch()
    return folder / "house"


def _house_index(folder: Path, dataset: Path) -> None:
    with House(folder, SMALL_GROUPS) as running:
        running.manage("add_dataset", "sample", "--format", "img2dataset", "--path", dataset)
        running.manage("index_dataset", "sample")
    running.log.unlink()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, house_indexed: Path) -> Iterator[House]:
    """The embedded service on SQLite, with the sample dataset indexed."""
    folder = tmp_path_factory.mktemp("house")
    shutil.copytree(house_indexed, folder, symlinks=True, dirs_exist_ok=True)
    with House(folder, SMALL_GROUPS) as running:
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
