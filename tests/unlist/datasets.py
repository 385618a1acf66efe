"""Small datasets in true form, made in a folder for a test."""

import hashlib
import io
import json
import tarfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.unlist.publisher import Listed


def url(key: str) -> str:
    return f"https://img.example/{key}.jpg"


def sha256(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def shard_make(
    folder: Path,
    name: str,
    keys: Sequence[str],
    *,
    failed: Sequence[str] = (),
    tar_format: int = tarfile.PAX_FORMAT,
) -> None:
    """An img2dataset `webdataset` shard: tar, parquet, stats; in another order than the keys."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [_row(key, failed) for key in keys]
    table = pa.Table.from_pylist(rows[::-1], schema=_SCHEMA)
    pq.write_table(table, folder / f"{name}.parquet", row_group_size=7)
    with tarfile.open(folder / f"{name}.tar", "w", format=tar_format) as tar:
        for row in rows:
            if row["status"] == "success":
                _members(tar, row)
    statuses = Counter(
        "success" if row["status"] == "success" else row["error_message"] for row in rows
    )
    stats = {
        "count": len(rows),
        "successes": len(rows) - len(failed),
        "failed_to_download": len(failed),
        "failed_to_resize": 0,
        "duration": 0.5,
        "status_dict": dict(statuses),
    }
    (folder / f"{name}_stats.json").write_text(json.dumps(stats, indent=4), "utf-8")


_SCHEMA = pa.schema(
    [
        ("caption", pa.large_string()),
        ("url", pa.large_string()),
        ("key", pa.string()),
        ("status", pa.string()),
        ("error_message", pa.string()),
        ("sha256", pa.string()),
    ],
    metadata={b"origin": b"a test"},
)


def _row(key: str, failed: Sequence[str]) -> dict[str, Any]:
    bad = key in failed
    return {
        "caption": f"caption of {key} ü",
        "url": url(key),
        "key": key,
        "status": "failed_to_download" if bad else "success",
        "error_message": "HTTP Error 404: Not Found" if bad else None,
        "sha256": None if bad else sha256(key),
    }


def _members(tar: tarfile.TarFile, row: dict[str, Any]) -> None:
    parts = {"jpg": b"\xff\xd8" + row["key"].encode() * 400, "json": json.dumps(row).encode()}
    parts["txt"] = row["caption"].encode()
    for extension, data in parts.items():
        info = tarfile.TarInfo(f"{row['key']}.{extension}")
        info.size, info.mtime, info.uname = len(data), 1_700_000_000.25, "bigdata"
        tar.addfile(info, io.BytesIO(data))


def members(path: Path) -> dict[str, bytes]:
    """A tar's members by name."""
    with tarfile.open(path) as tar:
        return {m.name: _data(tar, m) for m in tar.getmembers() if m.isfile()}


def _data(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file is not None
    return file.read()


def files_in(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by relative name."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def keys_of(shard: int, count: int = 20) -> list[str]:
    return [f"{shard:05d}{n:04d}" for n in range(count)]


def dataset_make(folder: Path, shards: int = 3) -> None:
    """Shards of 20 rows, two of them failed, with a file beside them."""
    for shard in range(shards):
        keys = keys_of(shard)
        shard_make(folder, f"{shard:05d}", keys, failed=keys[4:6])
    (folder / "README.md").write_text("about this dataset", "utf-8")


GONE = keys_of(0)[2]  # listed by its address
FAILED = keys_of(0)[4]  # by its address too; this row has no sample
BY_DIGEST = keys_of(2)[11]  # by its recorded digest
LISTED: Listed = {
    "url": [url(GONE), url(FAILED), "https://elsewhere.example/x"],
    "sha256": [sha256(BY_DIGEST)],
}


def cleaned_check(before: dict[str, bytes], after: Path) -> None:
    """What must hold of the dataset of ``dataset_make`` once ``LISTED`` is applied."""
    now = files_in(after)
    assert now.keys() == before.keys()
    shards = {"00000": {GONE, FAILED}, "00002": {BY_DIGEST}}
    untouched = [name for name in before if not name.startswith(tuple(shards))]
    assert {name: now[name] for name in untouched} == {name: before[name] for name in untouched}
    for shard, gone in shards.items():
        left = [key for key in keys_of(int(shard)) if key not in gone]
        assert pq.read_table(after / f"{shard}.parquet")["key"].to_pylist() == left[::-1]
        samples = set(left) - set(keys_of(int(shard))[4:6])
        tarred = members(after / f"{shard}.tar")
        assert {name.partition(".")[0] for name in tarred} == samples
        assert len(tarred) == 3 * len(samples)
        stats = json.loads(now[f"{shard}_stats.json"])
        assert stats["count"] == len(left)
        assert stats["successes"] == stats["status_dict"]["success"] == len(samples)
        assert stats["failed_to_download"] == len(left) - len(samples)
