"""Fixtures of the releases tests: signing keys, rows on the list, releases that are out."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from releases import places, signing
from releases.build import release_build
from releases.ledger import entries_add
from releases.models import Release
from releases.publish import releases_publish
from tests.removal import factories
from unlist.client import pull

DAY = date(2026, 3, 2)


@dataclass(frozen=True)
class Row:
    """An approved row."""

    url: str | None = None
    sha256: str | None = None
    md5: str | None = None
    dataset: str = "sample"


def rows(*numbers: int) -> list[Row]:
    """Return rows unlike each other, with all that a dataset may record."""
    return [
        Row(f"https://example.org/{n}.jpg", f"{n:064x}", f"{n:032x}" if n % 2 else None)
        for n in numbers
    ]


def listed(*numbers: int) -> None:
    """Put rows on the public list."""
    entries_add(rows=rows(*numbers), tier="exact", on=DAY)


def out(*numbers: int) -> Release:
    """Put rows on the list, build and publish."""
    listed(*numbers)
    release = release_build()
    releases_publish()
    release.refresh_from_db()
    return release


def pulled(root: Path, cache: Path) -> int:
    return pull(str(places.repository_dir()), root, cache=cache).release


def metadata() -> dict[str, bytes]:
    folder = places.repository_dir() / "metadata"
    return {path.name: path.read_bytes() for path in folder.glob("[!.]*")}


@pytest.fixture
def keys(db: None) -> None:
    """Make the signing keys, and the secrets that decisions need."""
    signing.keys_create()
    factories.secrets_made()


@pytest.fixture
def root(keys: None) -> Path:
    """Return where the root file to pin lies once something was published."""
    return places.repository_dir() / "metadata" / "1.root.json"
