"""Fixtures that every test may ask for."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
VECTORS = ROOT.parent / "shared" / "vectors"


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
