"""What a search found is kept as it was, and only for the very query and indexes."""

from pathlib import Path

import pytest

from benchmarks.kept import FOLDER, Kept
from indexer.geometry.verify import Geometry
from tests.indexer.evidence.test_evidence import candidate, hits

ROW = ("trial", "00000", 1)
HIDDEN = ("trial", "00000", 2)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER, str(tmp_path / "evidence"))
    return tmp_path / "evidence"


def test_hits_and_geometry_come_back() -> None:
    kept = Kept.of(b"photo", ["index"])
    assert not kept.again
    assert kept.hits is None
    kept.geometry = {ROW: Geometry(inliers=7), HIDDEN: None}
    kept.keep({"trial": [hits(candidate(1, pdq=3))], "gallery": []})
    known = Kept.of(b"photo", ["index"])
    assert known.again
    assert known.geometry == kept.geometry
    assert known.hits is not None
    assert known.hits["gallery"] == []
    assert known.hits["trial"][0].candidates == (candidate(1, pdq=3),)


def test_another_photo_or_index_knows_nothing_of_it() -> None:
    Kept.of(b"photo", ["index"]).keep({})
    assert not Kept.of(b"other photo", ["index"]).again
    assert not Kept.of(b"photo", ["index", "gallery"]).again
    assert Kept.of(b"photo", ["index"]).again
