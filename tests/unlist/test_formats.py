"""Forms of datasets: layout from names, columns, tar members, tables, statistics."""

import io
import json
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import VECTORS
from tests.unlist.datasets import keys_of, members, shard_make
from unlist.formats import FORMATS as FORMATS_READ
from unlist.formats import (
    REWRITABLE,
    Columns,
    NotADataset,
    ShardFiles,
    UnknownFormat,
    columns_for,
    find_columns,
    member_key,
    rewritable,
)
from unlist.formats.stats import StatsBroken, stats_dump, stats_load, stats_without
from unlist.formats.tables import TableBroken, table_open, table_rewrite
from unlist.formats.tars import TarBroken, spans, tar_rewrite

FORMATS = VECTORS / "formats"
LAION = sorted((FORMATS / "laion400m").glob("part-0000[0-5]*.parquet"))


def names_in(folder: Path) -> list[str]:
    return [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]


def test_webdataset_shards() -> None:
    layout = rewritable(
        ["00001.tar", "00000.parquet", "00000.tar", "00000_stats.json", "x/00002.parquet",
         "README.md", ".git/config.tar", "00001.parquet", "._00000.tar"]
    )  # fmt: skip
    assert layout.format == "img2dataset"
    assert layout.shards == (
        ShardFiles("00000", "00000.parquet", "00000.tar", "00000_stats.json"),
        ShardFiles("00001", "00001.parquet", "00001.tar"),
        ShardFiles("x/00002", "x/00002.parquet"),
    )
    assert layout.shards[0].files == ("00000.parquet", "00000.tar", "00000_stats.json")


def test_tables_and_images() -> None:
    tables = rewritable(["b/part-1.snappy.parquet", "a.parquet"])
    assert tables.format == "laion"
    assert [shard.name for shard in tables.shards] == ["a", "b/part-1.snappy"]
    images = rewritable(["b/2.PNG", "1.jpg", "b/1.webp", "1.txt"])
    assert images.format == "images"
    assert images.shards == (
        ShardFiles(".", images=("1.jpg",)),
        ShardFiles("b", images=("b/1.webp", "b/2.PNG")),
    )


@pytest.mark.parametrize(
    ("names", "form", "words"),
    [
        ([], None, "holds no dataset"),
        (["notes.txt", ".hidden.tar"], None, "holds no dataset"),
        (["00000.tar.gz"], None, "compressed"),
        (["0.tar", "0.parquet", "1.parquet", "1.tar.gz"], None, r"compressed .*1\.tar\.gz"),
        (["0.tar", "a.jpg", "1.tar.zst"], "img2dataset", "compressed"),
        (["0.parquet", "0.tgz"], None, "compressed"),
        (["a.jpg", "more.tar.xz"], None, "mixes tar shards"),
        (["0.tar", "0.TAR", "0.parquet"], None, "name the same shard"),
        (["0.tar", "0.PARQUET", "0.parquet"], None, "name the same shard"),
        (["0.parquet", "0.Parquet"], None, "name the same shard"),
        (["0.tar", "a.jpg"], None, "mixes tar shards .* with loose images"),
        (["0.parquet", "a.jpg"], None, "mixes tables"),
        (["0.parquet", "0_stats.json"], None, "`parquet` output"),
        (["0.parquet", "img_emb/0.npy"], None, "row by row"),
        (["0.tar", "0.parquet", "0.npz"], None, "row by row"),
        (["0.parquet"], "img2dataset", "no .tar shard"),
        (["0.tar", "0.parquet"], "laion", "tar shards too"),
        (["0.tar"], "images", "no image file"),
        (["a.jpg"], "laion", "no .parquet file"),
        (["0.tsv"], None, "holds no dataset"),
    ],
)
def test_what_is_no_dataset(names: list[str], form: str | None, words: str) -> None:
    with pytest.raises(NotADataset, match=words):
        rewritable(names, form)


def test_an_unknown_format_is_named_with_those_known() -> None:
    with pytest.raises(UnknownFormat, match="'coyote' is not known; known are: img2dataset"):
        rewritable(["0.tar"], "coyote")


@pytest.mark.parametrize("form", sorted(set(FORMATS_READ) - set(REWRITABLE)))
def test_forms_that_are_only_read_are_not_rewritten(form: str) -> None:
    with pytest.raises(UnknownFormat, match=f"{form}' is read but not rewritten"):
        rewritable(["0.parquet", "0.npz", "img_emb/img_emb_0.npy", "0.tsv"], form)


def test_mixed_folders_go_with_a_named_format() -> None:
    assert rewritable(["0.tar", "a.jpg"], "images").shards[0].images == ("a.jpg",)
    assert len(rewritable(["0.tar", "0.parquet", "a.jpg"], "img2dataset").shards) == 1


@pytest.mark.parametrize("folder", [FORMATS] if FORMATS.is_dir() else [], ids=["formats"])
def test_foreign_folders(folder: Path) -> None:
    web = rewritable(names_in(folder / "img2dataset" / "webdataset"))
    assert [s.name for s in web.shards] == ["00000", "00001"]
    assert all(s.table and s.archive and s.stats for s in web.shards)
    for other in ("files", "parquet"):
        with pytest.raises(NotADataset, match="webdataset"):
            rewritable(names_in(folder / "img2dataset" / other))
    assert len(rewritable(names_in(folder / "laion2B-en-md5")).shards) == 1
    assert rewritable(names_in(folder / "foreign" / "clip-retrieval-tests" / "test_images")).shards
    for aligned in ("clip-retrieval", "datacomp"):
        with pytest.raises(NotADataset, match="row by row"):
            rewritable(names_in(folder / aligned))
    with pytest.raises(NotADataset):
        rewritable(names_in(folder / "cc12m"))


def test_columns_whatever_their_spelling() -> None:
    assert find_columns(["SAMPLE_ID", "URL", "TEXT"]) == Columns(url="URL", caption="TEXT")
    assert find_columns(["Url", "txt", "sha256hash"]) == Columns("Url", "txt", "sha256hash")
    assert find_columns(["image_url", "url", "URL"]).url == "url"
    assert columns_for(["image_url", "URL", "url", "urls"], "url") == ("url", "URL", "image_url")
    assert find_columns([]) == Columns()


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("000.jpg", ("000", "jpg")),
        ("./000.jpg", ("000", "jpg")),
        ("a/b.c/000.seg.png", ("a/b.c/000", "seg.png")),
        ("no-extension", None),
        (".hidden", None),
        ("a/.hidden.jpg", None),
        ("dir/", None),
    ],
)
def test_member_keys(name: str, key: tuple[str, str] | None) -> None:
    assert member_key(name) == key


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_a_tar_keeps_its_other_members_byte_for_byte(tmp_path: Path, form: int) -> None:
    keys = keys_of(0)
    shard_make(tmp_path, "0", keys, tar_format=form)
    source, target = tmp_path / "0.tar", tmp_path / "out.tar"
    gone = {keys[0], keys[7], keys[19]}
    done = tar_rewrite(source, target, gone, lambda _: None)
    kept = {n: d for n, d in members(source).items() if n.partition(".")[0] not in gone}
    assert members(target) == kept
    assert len(kept) == 17 * 3
    raw = source.read_bytes()
    blocks = b"".join(raw[s.start : s.end] for s in spans(source) if s.key not in gone)
    assert target.read_bytes().startswith(blocks)  # headers and all
    assert done.target_size % tarfile.RECORDSIZE == 0
    assert (done.source_size, done.target_size) == (len(raw), target.stat().st_size)


def test_long_names_and_global_headers_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.tar"
    long = "d" * 120 + "/" + "ü" * 80
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        headers = {"comment": "global"} if form == tarfile.PAX_FORMAT else None
        with tarfile.open(path, "w", format=form, pax_headers=headers) as tar:
            for name in ("a.txt", f"{long}.jpg", f"{long}.txt", "b.txt", "folder"):
                info = tarfile.TarInfo(name)
                info.type = tarfile.DIRTYPE if name == "folder" else tarfile.REGTYPE
                info.size = 0 if name == "folder" else 700
                tar.addfile(info, io.BytesIO(b"x" * 700))
        tar_rewrite(path, tmp_path / "out.tar", {"a"}, lambda _: None)
        with tarfile.open(tmp_path / "out.tar") as tar:
            assert tar.getnames() == [f"{long}.jpg", f"{long}.txt", "b.txt", "folder"]
            assert tar.pax_headers == (headers or {})
        tar_rewrite(path, tmp_path / "out.tar", {long, "b"}, lambda _: None)
        assert list(members(tmp_path / "out.tar")) == ["a.txt"]


def damaged(path: Path, how: str) -> bytes:
    data = path.read_bytes()
    with tarfile.open(path) as tar:
        middle = tar.getmembers()[10].offset
    return {
        "empty": b"",
        "cut in a member": data[: middle + 700],
        "cut between members": data[:middle],
        "a header overwritten": data[:middle] + b"garbage!" * 64 + data[middle + 512 :],
        "something after the end": data + b"more",
        "no tar": b"not a tar file at all" * 100,
    }[how]


@pytest.mark.parametrize(
    "how",
    ["empty", "cut in a member", "cut between members", "a header overwritten",
     "something after the end", "no tar"],
)  # fmt: skip
def test_a_damaged_tar_is_refused(tmp_path: Path, how: str) -> None:
    shard_make(tmp_path, "0", keys_of(0))
    path = tmp_path / "0.tar"
    path.write_bytes(damaged(path, how))
    with pytest.raises(TarBroken, match=r"0\.tar .*fetch the shard again"):
        list(spans(path))


def test_a_tar_with_links_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "0.tar", "w") as tar:
        link = tarfile.TarInfo("b.jpg")
        link.type, link.linkname = tarfile.LNKTYPE, "a.jpg"
        tar.addfile(link)
    with pytest.raises(TarBroken, match="holds a link"):
        list(spans(tmp_path / "0.tar"))


def table_make(path: Path, **options: Any) -> pa.Table:
    table = pa.table(
        {
            "url": [f"u{n}" for n in range(1000)],
            "n": pa.array(range(1000), pa.int32()),
            "tags": [["a", "b"]] * 1000,
            "t": pa.array([1_700_000_000_000_000_000] * 1000, pa.timestamp("ns")),
            "kind": pa.array(["x", "y"] * 500).dictionary_encode(),
        }
    ).replace_schema_metadata({"origin": "a test"})
    pq.write_table(table, path, **options)
    return table


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zstd", "row_group_size": 100},
        {"compression": {"url": "gzip", "n": "snappy"}, "row_group_size": 300},
        {"compression": "none", "use_dictionary": False, "version": "1.0", "store_schema": False},
        {"use_deprecated_int96_timestamps": True, "use_dictionary": ["url"]},
    ],
)
def test_a_rewritten_table_is_written_as_before(tmp_path: Path, options: dict[str, Any]) -> None:
    table_make(tmp_path / "in.parquet", **options)
    dropped = np.array([0, 5, 99, *range(300, 400), 999])
    assert table_rewrite(tmp_path / "in.parquet", tmp_path / "out.parquet", dropped) == 896
    before, after = (
        pq.ParquetFile(tmp_path / "in.parquet"),
        pq.ParquetFile(tmp_path / "out.parquet"),
    )
    keep = np.setdiff1d(np.arange(1000), dropped)
    assert str(after.read().to_pylist()) == str(before.read().take(keep).to_pylist())  # NaN too
    assert after.schema_arrow.equals(before.schema_arrow, check_metadata=True)
    assert after.schema.equals(before.schema)
    assert after.metadata.format_version == before.metadata.format_version
    assert set(after.metadata.metadata or ()) == set(before.metadata.metadata or ())
    for column in range(before.metadata.num_columns):
        was, now = (f.metadata.row_group(0).column(column) for f in (before, after))
        assert (was.compression, was.has_dictionary_page) == (
            now.compression,
            now.has_dictionary_page,
        )
    groups = [after.metadata.row_group(n).num_rows for n in range(after.num_row_groups)]
    if options.get("row_group_size") == 100:
        assert groups == [97, 100, 100, *[100] * 5, 99]


def test_a_table_may_become_empty(tmp_path: Path) -> None:
    table_make(tmp_path / "in.parquet", row_group_size=100)
    table_rewrite(tmp_path / "in.parquet", tmp_path / "out.parquet", np.arange(1000))
    after = pq.ParquetFile(tmp_path / "out.parquet")
    assert after.metadata.num_rows == 0
    assert after.schema_arrow.equals(pq.read_schema(tmp_path / "in.parquet"), check_metadata=True)


def test_a_large_row_group_is_written_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unlist.formats.tables._GROUP_BYTES", 20_000)
    table = table_make(tmp_path / "in.parquet")
    table_rewrite(tmp_path / "in.parquet", tmp_path / "out.parquet", np.array([500]))
    after = pq.ParquetFile(tmp_path / "out.parquet")
    assert after.num_row_groups > 1
    assert after.read().equals(table.take(np.delete(np.arange(1000), 500)))


@pytest.mark.parametrize("path", LAION, ids=lambda p: p.name[:10])
def test_foreign_tables_are_rewritten(path: Path, tmp_path: Path) -> None:
    before = pq.ParquetFile(path)
    rows = before.metadata.num_rows
    dropped = np.arange(0, rows, 3)
    assert table_rewrite(path, tmp_path / "out.parquet", dropped) == rows - len(dropped)
    after = pq.ParquetFile(tmp_path / "out.parquet")
    keep = pa.array(np.setdiff1d(np.arange(rows), dropped), pa.int64())
    assert str(after.read().to_pylist()) == str(before.read().take(keep).to_pylist())  # NaN too
    assert after.schema_arrow.equals(before.schema_arrow, check_metadata=True)


def test_a_broken_table_is_refused(tmp_path: Path) -> None:
    table_make(tmp_path / "in.parquet")
    data = (tmp_path / "in.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(data[:-100])
    with pytest.raises(TableBroken, match=r"cut\.parquet is no intact parquet file"):
        table_open(tmp_path / "cut.parquet")
    (tmp_path / "page.parquet").write_bytes(data[:4] + b"\xff" * 400 + data[404:])
    with pytest.raises(TableBroken, match=r"page\.parquet"):
        table_rewrite(tmp_path / "page.parquet", tmp_path / "out", np.array([1]))


def test_statistics_go_down_by_what_was_dropped() -> None:
    stats = {
        "count": 25, "successes": 21, "failed_to_download": 2, "failed_to_resize": 2,
        "duration": 0.06,
        "status_dict": {"success": 21, "HTTP Error 404": 1, "decoding": 2},
    }  # fmt: skip
    dropped: Counter[tuple[str | None, str | None]] = Counter(
        {("success", None): 3, ("failed_to_download", "HTTP Error 404"): 1,
         ("failed_to_resize", "decoding"): 1, ("failed_to_resize", "not kept by the cap"): 1}
    )  # fmt: skip
    less = stats_without(stats, dropped)
    assert less == {
        "count": 19, "successes": 18, "failed_to_download": 1, "failed_to_resize": 0,
        "duration": 0.06, "status_dict": {"success": 18, "decoding": 1},
    }  # fmt: skip
    assert stats["count"] == 25
    assert list(less) == list(stats)
    assert stats_load("s", stats_dump(less)) == less
    assert stats_without({"count": 2}, Counter({("success", None): 1})) == {"count": 1}


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"\xff"])
def test_broken_statistics_are_refused(data: bytes) -> None:
    with pytest.raises(StatsBroken, match=r"0_stats\.json"):
        stats_load("0_stats.json", data)


def test_statistics_are_written_as_img2dataset_does() -> None:
    assert stats_dump({"count": 1}) == json.dumps({"count": 1}, indent=4).encode()
