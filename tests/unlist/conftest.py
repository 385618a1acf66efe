"""What the client's tests share: a publisher in a folder and a cache of one's own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unlist.publisher import Listed, Publisher
from unlist.blocklist import Blocklist
from unlist.client import pull


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path / "site")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def blocklist(publisher: Publisher, cache: Path) -> Callable[[Listed], Blocklist]:
    """Makes a blocklist that lists the given values: published, pulled, opened."""

    def make(listed: Listed) -> Blocklist:
        publisher.release(publisher.versions["list"] + 1, listed)
        pull(str(publisher.folder), publisher.root, cache=cache)
        return Blocklist.open(cache)

    return make
