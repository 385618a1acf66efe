"""Every hostile file through what `match_images` writes: as its manifest says."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from catalog.batch import match_records
from tests.hostile import (
    FOLDER,
    MEGABYTES,
    SECONDS,
    computing,
    expected_of,
    manifest,
    own_peak,
)

pytestmark = [pytest.mark.django_db, pytest.mark.once]


def outcomes(case: dict[str, Any]) -> set[str]:
    both = {"ok", "rejected"}
    return {"accept": {"ok"}, "reject": {"rejected"}}.get(expected_of(case), both)


def record(hostile: Path, name: str) -> dict[str, Any]:
    """Return the line of one file."""
    [found] = match_records(hostile, [name], dataset="sample", top=3, workers=1)
    return found


@pytest.mark.timeout(1800)  # the whole set, on a busy machine
@pytest.mark.parametrize("hostile", [FOLDER] if manifest()["cases"] else [], ids=["all"])
def test_hostile_images(indexed: Path, hostile: Path) -> None:
    for ordinary in ("base.jpg", "orientation/Portrait_1.jpg"):
        record(hostile, ordinary)  # what every process has: encoder, compiled loops, their buffers
    before = own_peak()
    for case in manifest()["cases"]:
        found, seconds = computing(partial(record, hostile, case["file"]))
        assert seconds < SECONDS, case["file"]
        assert found["status"] in outcomes(case), (case["file"], found)
        assert found["status"] == "ok" or found["error"]
    assert own_peak() - before < MEGABYTES
