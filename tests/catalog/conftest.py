"""Datasets to index: written by the shards' factories, indexed by the real indexer."""

from pathlib import Path

import pytest
from django.core.management import call_command

from tests.shards.factories import write_dataset


@pytest.fixture(autouse=True)
def _pictures_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepare the few pictures in this process: to start others took most of the tests' time.

    Nothing comes out otherwise (tests/indexer/test_prepare.py holds both to each other), and the
    commands that are run as processes (test_processes.py) start theirs.
    """
    monkeypatch.setattr("indexer.prepare.batches.cores", lambda: 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two shards of five good rows and one failed one each."""
    return write_dataset(tmp_path / "dataset", shards=2, rows=5)


@pytest.fixture
def added(folder: Path, db: None) -> Path:
    """The same, added under the name `sample`."""
    call_command("add_dataset", "sample", format="img2dataset", path=str(folder))
    return folder


@pytest.fixture
def indexed(added: Path) -> Path:
    """The same, indexed in one group."""
    call_command("index_dataset", "sample")
    return added
