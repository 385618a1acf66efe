"""Files as real tools wrote them, and hostile ones: every row is accounted for, count by count."""

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shards import open_dataset
from tests.conftest import VECTORS

FORMATS = VECTORS / "formats"
THERE = pytest.mark.parametrize("root", [FORMATS] if FORMATS.is_dir() else [], ids=["vectors"])

Rows = list[dict[str, Any]]


@cache
def expected(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "expected.json").read_text())["sections"]
    return found


@cache
def made(root: Path) -> Rows:
    """Row i of every table that was made by hand."""
    rows: Rows = json.loads((root / "self-made-rows.json").read_text())
    return rows


def read(
    folder: Path, form: str, encoder: str = ""
) -> tuple[dict[str, Rows], dict[str, Counter[str]]]:
    """The rows of every shard, and what was counted."""
    reader = open_dataset(str(folder), form, encoder=encoder)
    rows: dict[str, Rows] = {}
    refused: dict[str, Counter[str]] = {}
    for shard in reader.shards():
        refused[shard.name] = Counter()
        batches = reader.batches(shard, refused=refused[shard.name])
        rows[shard.name] = [row for batch in batches for row in batch.to_pylist()]
    return rows, refused


@THERE
@pytest.mark.parametrize(
    ("output", "digest"), [("webdataset", "sha256"), ("files", "md5"), ("parquet", "sha256")]
)
def test_img2dataset(root: Path, output: str, digest: str) -> None:
    told = json.loads((root / "img2dataset" / "expected-rows.json").read_text())
    counts = expected(root)["img2dataset"]
    rows, refused = read(root / "img2dataset" / output, "img2dataset")
    found = {row["key"]: row for shard in rows.values() for row in shard}
    good = [row for row in told if row["status"] == "success"]
    assert len(found) == len(good) == counts["success"]
    for row in good:
        got = found[row["key"]]
        assert (got["index"], got["shard"]) == (
            row["parquet_row_in"][output],
            f"{row['shard']:05d}",
        )
        assert (got["url"], got["sha256"]) == (
            row["url"],
            row["source_sha256"] if digest == "sha256" else None,
        )
        if digest == "md5":
            assert len(got["md5"]) == 32
    totals = sum(refused.values(), Counter[str]())
    assert totals == {name: counts[name] for name in ("failed_to_download", "failed_to_resize")}


@THERE
def test_img2datasets_outputs_hold_the_same_pictures(root: Path) -> None:
    pictures = []
    for output in ("webdataset", "files", "parquet"):
        rows, _ = read(root / "img2dataset" / output, "img2dataset")
        pictures.append({row["key"]: row["image"] for shard in rows.values() for row in shard})
    assert pictures[0] == pictures[1] == pictures[2]


def as_made(rows: Rows, root: Path) -> None:
    """Every hand-made row is there, at its place, with its own URL and caption."""
    assert [row["index"] for row in rows] == list(range(200))
    for row, own in zip(rows, made(root), strict=True):
        assert (row["url"], row["caption"]) == (own["url"] or None, own["text"])


def urls_counted(refused: Counter[str], root: Path) -> None:
    counts = expected(root)["self-made-tables"]["counts"]
    assert refused["url_missing"] == counts["null_url"]
    assert refused["url_unparseable"] == counts["unparseable_non_null"]
    assert refused["url_not_http"] == counts["parses_but_not_http"]


@THERE
def test_laion400m(root: Path) -> None:
    rows, refused = read(root / "laion400m", "laion")
    files = expected(root)["self-made-tables"]["files"]
    for name, told in files.items():
        if not name.startswith("laion400m/"):
            continue
        shard = name.removeprefix("laion400m/").removesuffix(".parquet")
        if "no-url-column" in name:
            assert refused[shard] == {"url_column_missing": told["rows"]}
        elif "truncated" in name:
            assert refused[shard] == {"table_unreadable": 1}
        elif "invalid-utf8" in name:
            assert len(rows[shard]) == told["rows"]
            broken = [row["index"] for row in rows[shard] if "\ufffd" in row["caption"]]
            assert broken == told["invalid_text_rows"]
            assert all(row["url"] for row in rows[shard])
        else:
            assert len(rows[shard]) == told["rows"]
    whole = [shard for shard in rows if len(rows[shard]) == 200]
    assert len(whole) == 5
    for shard in whole:
        as_made(rows[shard], root)
        urls_counted(refused[shard], root)


@THERE
def test_a_sample_id_that_is_a_float_is_a_label_only(root: Path) -> None:
    rows, _ = read(root / "laion400m", "laion")
    first = next(rows[shard] for shard in rows if shard.startswith("part-00000"))
    keys = [row["key"] for row in first]
    assert sum(key.startswith("#") for key in keys) == 1  # the null one
    assert len(set(keys)) == 199  # one is there twice
    assert all(key.startswith("#") or key.isdigit() for key in keys)


@THERE
def test_laion2b_joined_goes_by_its_hash(root: Path) -> None:
    rows, refused = read(root / "laion2B-en-joined", "laion")
    ((shard, found),) = rows.items()
    as_made(found, root)
    urls_counted(refused[shard], root)
    assert [row["key"] for row in found] == [str(own["laion_hash"]) for own in made(root)]


@THERE
def test_laion2b_md5(root: Path) -> None:
    rows, refused = read(root / "laion2B-en-md5", "laion")
    ((shard, found),) = rows.items()
    told = next(
        told
        for name, told in expected(root)["self-made-tables"]["files"].items()
        if name.startswith("laion2B-en-md5")
    )
    urls_counted(refused[shard], root)
    assert refused[shard]["digest_malformed"] == 1
    for name in ("null", "malformed"):
        assert found[told[f"md5_{name}_row"]]["md5"] is None
    assert found[told["md5_of_empty_file_row"]]["md5"] == "d41d8cd98f00b204e9800998ecf8427e"
    upper = found[told["md5_upper_case_row"]]["md5"]
    assert upper == upper.lower()
    assert sum(row["md5"] is not None for row in found) == 198


@THERE
def test_clip_retrieval(root: Path) -> None:
    told = expected(root)["clip-retrieval"]
    rows, refused = read(root / "clip-retrieval", "clip-retrieval")
    assert {name: len(found) for name, found in rows.items()} == {
        str(part["partition"]): part["rows"] for part in told["partitions"]
    }
    assert not any(refused.values())
    for name, found in rows.items():
        stored = np.load(root / "clip-retrieval" / "img_emb" / f"img_emb_{name}.npy")
        given = np.array([row["embedding"] for row in found], np.float16)
        assert np.array_equal(given.view(np.uint16), stored.view(np.uint16))
    pair = [rows["0"][place] for place in told["nearest_pair"]["rows"]]
    assert [row["key"] for row in pair] == told["nearest_pair"]["keys"]
    first, second = (np.array(row["embedding"], np.float32) for row in pair)
    assert first @ second == pytest.approx(told["nearest_pair"]["cosine"], abs=1e-3)


@THERE
@pytest.mark.parametrize(
    ("array", "encoder"), [("l14_img", "ViT-L-14/openai"), ("b32_img", "ViT-B-32/openai")]
)
def test_datacomp(root: Path, array: str, encoder: str) -> None:
    rows, refused = read(root / "datacomp", "datacomp", encoder)
    ((shard, found),) = rows.items()
    as_made(found, root)
    urls_counted(refused[shard], root)
    assert set(refused[shard]) == {"url_missing", "url_unparseable", "url_not_http"}
    with np.load(root / "datacomp" / f"{shard}.npz") as stored:
        given = np.array([row["embedding"] for row in found], np.float16)
        assert np.array_equal(given, stored[array])
    assert all(len(row["key"]) == 32 for row in found)


@THERE
def test_coyo(root: Path) -> None:
    rows, refused = read(root / "coyo", "coyo")
    ((shard, found),) = rows.items()
    as_made(found, root)
    urls_counted(refused[shard], root)
    assert found[30]["phash"] == found[31]["phash"] == 0x208AC4F02DF5E12C
    assert [row["index"] for row in found if row["phash"] is None] == [32]
    assert all(row["key"].isdigit() for row in found)
    signal = open_dataset(str(root / "coyo"), "coyo").describe().signals[1]
    assert "if these are another hash" in signal.reason  # they were made at random


@THERE
def test_cc12m(root: Path) -> None:
    rows, refused = read(root / "cc12m", "tsv")
    for name, found in rows.items():
        told = expected(root)["self-made-tables"]["files"][f"cc12m/{name}.tsv"]
        assert [row["index"] for row in found] == list(range(told["lines"]))
    hostile = [row["url"] for row in rows["cc12m-hostile"] if row["url"]]
    told = expected(root)["self-made-tables"]["files"]["cc12m/cc12m-hostile.tsv"]
    assert hostile == told["urls_expected"]
    for name in ("cc12m", "cc12m-hashes"):
        # An empty field is a null here: the empty URL is among the missing.
        assert refused[name]["url_missing"] == 3
        assert refused[name]["url_unparseable"] == 12
        assert refused[name]["url_not_http"] == 4
        kept = [row["url"] for row, own in zip(rows[name], made(root), strict=True) if own["http"]]
        assert sum(url is not None for url in kept) == 181
    assert sum(row["sha256"] is not None for row in rows["cc12m-hashes"]) >= 198


@THERE
def test_digests_of_source_images_are_found_where_they_were_put(root: Path) -> None:
    files = expected(root)["self-made-tables"]["files"]
    known = json.loads((root / "expected.json").read_text())["files"]
    name = "datacomp/37dfaa63df15ea30fea80d2002cec135.parquet"
    ((_, found),) = read(root / "datacomp", "datacomp")[0].items()
    for row, image in files[name]["rows_with_sha256_of_a_source_image"].items():
        assert found[int(row)]["sha256"] == known[f"img2dataset/{image}"]["sha256"]
