"""Files that the real img2dataset wrote: every row is accounted for."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shards import NotADataset, open_dataset
from tests.conftest import VECTORS

FORMATS = VECTORS / "formats"
WEBDATASET = [path for path in [FORMATS / "img2dataset" / "webdataset"] if path.is_dir()]
OTHERS = [
    path
    for path in (FORMATS / "img2dataset" / "files", FORMATS / "img2dataset" / "parquet")
    if path.is_dir()
]


@pytest.mark.parametrize("folder", WEBDATASET, ids=lambda path: path.name)
def test_every_row_is_where_it_should_be(folder: Path) -> None:
    expected = json.loads((folder.parent / "expected-rows.json").read_text())
    reader = open_dataset(str(folder), "img2dataset")
    refused: Counter[str] = Counter()
    found: dict[str, dict[str, Any]] = {}
    for shard in reader.shards():
        for batch in reader.batches(shard, refused=refused):
            found |= {row["key"]: row for row in batch.to_pylist()}
    good = [row for row in expected if row["status"] == "success"]
    assert set(found) == {row["key"] for row in good}
    for row in good:
        got = found[row["key"]]
        assert got["index"] == row["parquet_row_in"]["webdataset"]
        assert got["shard"] == f"{row['shard']:05d}"
        assert (got["url"], got["sha256"]) == (row["url"], row["source_sha256"])
    assert refused == Counter(row["status"] for row in expected if row["status"] != "success")


@pytest.mark.parametrize("folder", OTHERS, ids=lambda path: path.name)
def test_outputs_that_are_not_read_are_refused_in_a_sentence(folder: Path) -> None:
    with pytest.raises(NotADataset, match="webdataset"):
        open_dataset(str(folder), "img2dataset")
