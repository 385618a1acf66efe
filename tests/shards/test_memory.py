"""Memory stays bounded by the batch: shards of 350 MB and more, read by a process of their own.

The files are sparse or compress well, so that they cost neither disk nor time; what a reader takes
of them is as large as if they were not.
"""

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shards.unpack import zstd
from tests.conftest import ROOT

_MB = 1024 * 1024
_PICTURES = 200
_VECTORS = 250_000
_LINES = 1_600_000
_READ = """
import json, resource, sys
from collections import Counter
from shards import open_dataset
path, form, encoder = sys.argv[1:]
reader = open_dataset(path, form, encoder=encoder)
shards = reader.shards()
def peak():  # not ru_maxrss on Linux: it begins with the parent's
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before, rows, size = peak(), 0, 0
for shard in shards:
    for batch in reader.batches(shard, refused=Counter()):
        rows += batch.num_rows
        size += batch.nbytes
print(json.dumps({"rows": rows, "size": size, "grown": peak() - before}))
"""


def sparse_tar(folder: Path) -> None:
    """2 MiB a picture, none of which is written."""
    with tarfile.open(folder / "0.tar", "w") as tar:
        for number in range(_PICTURES):
            info = tarfile.TarInfo(f"{number}.jpg")
            info.size = 2 * _MB
            tar.addfile(info, _Zeros())
    pq.write_table(pa.table({"key": [str(n) for n in range(_PICTURES)]}), folder / "0.parquet")


class _Zeros(io.RawIOBase):
    """What tarfile copies from, in whatever steps it likes."""

    def read(self, size: int = -1) -> bytes:
        return bytes(size)


def wide_table(folder: Path) -> None:
    """One row group with all the pictures in it."""
    pictures = [bytes([number % 256]) * 2 * _MB for number in range(_PICTURES)]
    keys = [str(number) for number in range(_PICTURES)]
    table = pa.table({"key": keys, "jpg": pa.array(pictures, pa.binary())})
    pq.write_table(
        table, folder / "0.parquet", compression="zstd", use_dictionary=False, write_batch_size=4
    )


def sparse_array(folder: Path) -> None:
    for name in ("img_emb", "metadata"):
        (folder / name).mkdir()
    np.lib.format.open_memmap(
        folder / "img_emb" / "img_emb_0.npy", "w+", np.float16, (_VECTORS, 768)
    ).flush()
    _urls(folder / "metadata" / "metadata_0.parquet", _VECTORS)


def packed_array(folder: Path) -> None:
    np.savez_compressed(folder / "0.npz", l14_img=np.zeros((_VECTORS, 768), np.float16))
    _urls(folder / "0.parquet", _VECTORS)


def long_table(folder: Path) -> None:
    _urls(folder / "0.parquet", _LINES)


def long_text(folder: Path) -> None:
    line = b"https://img.example.com/a/picture/of/some/length.jpg\t" + b"caption " * 12 + b"\n"
    with zstd.ZstdFile(folder / "0.tsv.zst", "wb", level=1) as packed:
        for _ in range(_LINES // 10_000):
            packed.write(line * 10_000)


def endless_line(folder: Path) -> None:
    with (folder / "0.tsv").open("wb") as file:
        file.truncate(300 * _MB)


def _urls(path: Path, rows: int) -> None:
    """All in one row group."""
    url = pa.array(["https://img.example.com/" + "x" * 120 + ".jpg"])
    urls = pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), url)
    pq.write_table(pa.table({"url": urls}), path, row_group_size=rows)


@pytest.mark.parametrize(
    ("form", "encoder", "write", "rows", "least"),
    [
        ("img2dataset", "", sparse_tar, _PICTURES, 350 * _MB),
        ("img2dataset", "", wide_table, _PICTURES, 350 * _MB),
        ("clip-retrieval", "", sparse_array, _VECTORS, 350 * _MB),
        ("datacomp", "ViT-L-14/openai", packed_array, _VECTORS, 350 * _MB),
        ("laion", "", long_table, _LINES, 350 * _MB),
        ("tsv", "", long_text, _LINES, 350 * _MB),
        ("tsv", "", endless_line, 0, 0),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_large_shard_takes_no_more_memory_than_a_few_batches(
    tmp_path: Path,
    form: str,
    encoder: str,
    write: Callable[[Path], None],
    rows: int,
    least: int,
) -> None:
    write(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(tmp_path), form, encoder],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    found = json.loads(done.stdout)
    assert found["rows"] == rows
    assert found["size"] >= least

    assert found["grown"] < 200 * _MB
