"""Every hostile file through what `match_images` writes: as its manifest says."""

from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from PIL import Image

from catalog.batch import match_records
from catalog.search import _encoder
from catalog.selectors import encoders_in_use
from tests.hostile import (
    FOLDER,
    MEGABYTES,
    SECONDS,
    computing,
    expected_of,
    manifest,
    own_peak,
)

VIEWS_MOST: Final = 24
"""More than any picture is cut into: `indexer.query.views`."""

pytestmark = [pytest.mark.django_db, pytest.mark.once]


def outcomes(case: dict[str, Any]) -> set[str]:
    both = {"ok", "rejected"}
    return {"accept": {"ok"}, "reject": {"rejected"}}.get(expected_of(case), both)


def encoders_warm() -> None:
    """Have the encoders make the buffers that they keep for each number of views of a query.

    They are some 200 MB in all and come with ordinary pictures as well, in whatever order.
    """
    plain = Image.new("RGB", (300, 200))
    for name in encoders_in_use(None):
        for views in range(1, VIEWS_MOST + 1):
            _encoder(name).embed([plain] * views)


def record(hostile: Path, name: str) -> dict[str, Any]:
    """Return the line of one file."""
    [found] = match_records(hostile, [name], dataset="sample", top=3, workers=1)
    return found


@pytest.mark.timeout(1800)  # the whole set, on a busy machine
@pytest.mark.parametrize("hostile", [FOLDER] if manifest()["cases"] else [], ids=["all"])
def test_hostile_images(indexed: Path, hostile: Path) -> None:
    for ordinary in ("base.jpg", "orientation/Portrait_1.jpg"):
        record(hostile, ordinary)  # what every process has: encoder, compiled loops
    encoders_warm()
    before = own_peak()
    for case in manifest()["cases"]:
        found, seconds = computing(partial(record, hostile, case["file"]))
        assert seconds < SECONDS, case["file"]
        assert found["status"] in outcomes(case), (case["file"], found)
        assert found["status"] == "ok" or found["error"]
    assert own_peak() - before < MEGABYTES
