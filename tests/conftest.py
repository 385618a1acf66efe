"""Fixtures that every test may ask for."""

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest
from django.apps import apps
from django.db import connections
from django.db.models.signals import post_migrate

ROOT = Path(__file__).resolve().parent.parent
VECTORS = ROOT.parent / "shared" / "vectors"
TESTS = ROOT / "tests"
LONG = {
    TESTS / path: place
    for place, path in enumerate(
        (
            "functional/test_browser_axe.py",
            "functional/test_browser_desk.py",
            "functional/test_leaks.py",
            "functional/test_browser_queue.py",  # goes along with the first, which holds one test
            "functional/test_browser_story.py",
            "functional/test_not_a_people_search.py",
            "functional/test_kill.py",
            "functional/test_roles.py",
            "functional/test_workers.py",
            "functional/test_serve.py",
            "functional/test_distributed.py",
            "catalog/test_processes.py",
            "catalog/test_hostile.py",
            "unlist/test_killed.py",
            "removal/test_two_persons_machine.py",
            "removal/test_permission_matrix.py",
        )
    )
}
"""The files that take longest: were one of them the last, the run would wait for it alone."""
DATABASE = {"db", "transactional_db"}
"""The fixtures without which pytest-django lets no test reach the database."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that reach the database, for `-m database`; put those first that take long."""
    for item in items:
        asked = DATABASE & set(getattr(item, "fixturenames", ()))
        if asked or item.get_closest_marker("django_db"):
            item.add_marker(pytest.mark.database)
    items.sort(key=lambda item: LONG.get(item.path, len(LONG)))


@pytest.fixture(autouse=True, scope="session")
def _disk_unawaited() -> Iterator[None]:
    """Wait for no disk: what tests write is thrown away, and none of them pulls the plug.

    It took nearly half of their time. Processes that a test starts do wait, and a test that looks
    who syncs what and when still sees it.
    """

    def fsync(file: int | IO[Any]) -> None:
        os.fstat(file if isinstance(file, int) else file.fileno())  # it must be open all the same

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield


@pytest.fixture(autouse=True, scope="session")
def _roles_stay() -> Iterator[None]:
    """Make the groups of `removal` anew where a test with transactions emptied all tables."""
    migration = import_module("removal.migrations.0005_roles")

    def made_again(using: str, **_: object) -> None:
        migration.roles_make(apps, SimpleNamespace(connection=connections[using]))

    config = apps.get_app_config("releases")  # the last of ours whose rights the roles have
    post_migrate.connect(made_again, sender=config)
    yield
    post_migrate.disconnect(made_again, sender=config)


@pytest.fixture(autouse=True)
def _own_folders(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Give each test data and secret folders of its own."""
    if "functional" in request.keywords:
        return
    settings: Any = request.getfixturevalue("settings")
    settings.UNLIST = settings.UNLIST.model_copy(
        update={"data_dir": tmp_path / "data", "secret_dir": tmp_path / "secrets"}
    )


@pytest.fixture
def vectors() -> Path:
    """The folder of foreign test vectors; ask only in tests made of the files found there."""
    return VECTORS
