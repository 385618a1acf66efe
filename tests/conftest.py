"""Fixtures that every test may ask for."""

from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
VECTORS = ROOT.parent / "shared" / "vectors"


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
