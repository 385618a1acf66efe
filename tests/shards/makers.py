"""One small, healthy dataset of every form, as its own tools write it: two shards each."""

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shards.unpack import zstd
from tests.shards.factories import (
    Sample,
    failed,
    samples,
    write_dataset,
    write_images,
    write_table,
)

DIM = 16


def urls(count: int, *, first: int = 0) -> list[str | None]:
    return [f"https://img.example.com/{n}.jpg" for n in range(first, first + count)]


def vectors(count: int, *, dim: int = DIM, seed: int = 0) -> "np.ndarray[Any, Any]":
    """Unit vectors in half precision."""
    noise = np.random.default_rng(seed).normal(size=(count, dim))
    unit: np.ndarray[Any, Any] = noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return unit.astype(np.float16)


def write_parquet(path: Path, columns: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def write_laion(folder: Path, *, rows: int = 5) -> Path:
    for shard in range(2):
        first = shard * 100
        columns = {
            "SAMPLE_ID": pa.array([float(n) for n in range(first, first + rows)], pa.float64()),
            "URL": urls(rows, first=first),
            "TEXT": [f"picture {n}" for n in range(first, first + rows)],
            "HEIGHT": [640] * rows,
            "WIDTH": [480] * rows,
        }
        write_parquet(folder / f"part-{shard:05d}-5b54c000.snappy.parquet", columns)
    return folder


def write_coyo(folder: Path, *, rows: int = 5) -> Path:
    for shard in range(2):
        columns = {
            "id": list(range(shard * 100, shard * 100 + rows)),
            "url": urls(rows, first=shard * 100),
            "text": ["a picture"] * rows,
            "image_phash": [f"{0x8000_0000_0000_0000 | n:016x}" for n in range(rows)],
        }
        write_parquet(folder / f"part-{shard:05d}.snappy.parquet", columns)
    return folder


def write_clip_retrieval(
    folder: Path, *, rows: int = 5, dtype: str = "<f2", dim: int = DIM
) -> Path:
    for part in range(2):
        columns = {
            "image_path": [f"{part}/{n}" for n in range(rows)],
            "caption": ["a picture"] * rows,
            "url": urls(rows, first=part * 100),
        }
        write_parquet(folder / "metadata" / f"metadata_{part}.parquet", columns)
        for kind in ("img_emb", "text_emb"):
            (folder / kind).mkdir(exist_ok=True)
            np.save(
                folder / kind / f"{kind}_{part}.npy",
                vectors(rows, dim=dim, seed=part).astype(dtype),
            )
    return folder


def write_datacomp(folder: Path, *, rows: int = 5, save: Callable[..., None] = np.savez) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for shard in range(2):
        uid = f"{shard:032x}"
        columns = {
            "uid": [f"{shard * 100 + n:032x}" for n in range(rows)],
            "url": urls(rows, first=shard * 100),
            "text": ["a picture"] * rows,
            "sha256": [f"{n:064x}" for n in range(rows)],
        }
        write_parquet(folder / f"{uid}.parquet", columns)
        arrays = {
            f"{model}_{side}": vectors(rows, dim=dim, seed=shard + dim)
            for model, dim in (("b32", 8), ("l14", 12))
            for side in ("img", "txt")
        }
        save(folder / f"{uid}.npz", **arrays)
    np.save(folder / "subset-uids.npy", np.zeros(3, "u8,u8"))
    return folder


def write_tsv(folder: Path, *, rows: int = 5) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for shard in range(2):
        lines = [f"{url}\ta picture" for url in urls(rows, first=shard * 100)]
        (folder / f"cc12m-{shard}.tsv").write_text("\n".join(lines) + "\n")
    return folder


def write_files_output(folder: Path, *, rows: int = 4) -> Path:
    for shard in range(2):
        made = [*samples(rows, first=shard * 10_000), failed(f"{shard * 10_000 + rows:09d}")]
        images_beside(folder, f"{shard:05d}", made)
    return folder


def images_beside(folder: Path, name: str, made: list[Sample]) -> None:
    """One shard of the ``files`` output."""
    below = folder / name
    below.mkdir(parents=True, exist_ok=True)
    write_table(folder / f"{name}.parquet", made)
    (folder / f"{name}_stats.json").write_text("{}")
    for sample in made:
        if sample.stored is not None:
            (below / f"{sample.key}.{sample.extension}").write_bytes(sample.stored)
            (below / f"{sample.key}.json").write_text(json.dumps(sample.row()))
            (below / f"{sample.key}.txt").write_text(sample.caption or "")


def write_parquet_output(folder: Path, *, rows: int = 4) -> Path:
    for shard in range(2):
        made = [*samples(rows, first=shard * 10_000), failed(f"{shard * 10_000 + rows:09d}")]
        images_within(folder, f"{shard:05d}", made)
    return folder


def images_within(folder: Path, name: str, made: list[Sample], column: str = "jpg") -> None:
    """One shard of the ``parquet`` output, in row groups of two rows."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist([sample.row() for sample in made])
    stored = pa.array([sample.stored for sample in made], pa.binary())
    pq.write_table(
        table.append_column(column, stored), folder / f"{name}.parquet", row_group_size=2
    )
    (folder / f"{name}_stats.json").write_text("{}")


def write_gzip_tars(folder: Path) -> Path:
    return _packed(write_dataset(folder), ".tar.gz", gzip.compress)


def write_zstd_tars(folder: Path) -> Path:
    return _packed(write_dataset(folder), ".tar.zst", zstd.compress)


def _packed(folder: Path, ending: str, pack: Callable[[bytes], bytes]) -> Path:
    for tar in folder.glob("*.tar"):
        tar.with_name(tar.stem + ending).write_bytes(pack(tar.read_bytes()))
        tar.unlink()
    return folder


MAKERS: dict[str, tuple[str, str, Callable[[Path], Path]]] = {
    "webdataset": ("img2dataset", "", write_dataset),
    "webdataset-gz": ("img2dataset", "", write_gzip_tars),
    "webdataset-zst": ("img2dataset", "", write_zstd_tars),
    "files": ("img2dataset", "", write_files_output),
    "parquet": ("img2dataset", "", write_parquet_output),
    "laion": ("laion", "", write_laion),
    "coyo": ("coyo", "", write_coyo),
    "clip-retrieval": ("clip-retrieval", "", write_clip_retrieval),
    "datacomp": ("datacomp", "ViT-L-14/openai", write_datacomp),
    "tsv": ("tsv", "", write_tsv),
    "images": ("images", "", write_images),
}
"""Form or output -> format, encoder to name, and what writes a small healthy one."""


def npy_bytes(array: "np.ndarray[Any, Any]") -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()
