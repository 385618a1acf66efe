"""Small datasets as the real tools write them, made of generated pictures."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageFilter


def picture(seed: int, *, side: int = 96, form: str = "JPEG") -> bytes:
    """A picture with large soft shapes, unlike that of any other seed."""
    noise = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.filter(ImageFilter.SMOOTH).save(out, form, quality=90)
    return out.getvalue()


@dataclass
class Sample:
    """One row; ``stored`` is what the tar holds, ``None`` for a failed row."""

    key: str
    stored: bytes | None
    url: str | None = "https://example.org/picture.jpg"
    caption: str | None = "a picture"
    status: str = "success"
    extension: str = "jpg"
    sha256: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        return {
            "caption": self.caption,
            "url": self.url,
            "key": self.key,
            "status": self.status,
            "sha256": self.sha256,
            **self.extra,
        }


def samples(count: int, *, first: int = 0) -> list[Sample]:
    """Good rows, numbered keys, each with a URL, a digest of its download and a picture."""
    return [
        Sample(
            key=f"{number:09d}",
            stored=picture(number),
            url=f"https://example.org/{number}.jpg",
            caption=f"picture {number}",
            sha256=hashlib.sha256(f"download {number}".encode()).hexdigest(),
        )
        for number in range(first, first + count)
    ]


def failed(key: str, status: str = "failed_to_download") -> Sample:
    return Sample(key=key, stored=None, status=status, url=f"https://example.org/{key}.jpg")


def write_tar(path: Path, rows: Sequence[Sample]) -> None:
    """A tar as webdataset writes it: PAX headers because of fractional times."""
    with tarfile.open(path, "w|", format=tarfile.PAX_FORMAT) as tar:
        for number, sample in enumerate(rows):
            if sample.stored is None:
                continue
            members = {
                sample.extension: sample.stored,
                "json": json.dumps(sample.row()).encode(),
                "txt": (sample.caption or "").encode(),
            }
            for extension, data in members.items():
                info = tarfile.TarInfo(f"{sample.key}.{extension}")
                info.size, info.mtime = len(data), 1.7e9 + number / 7
                tar.addfile(info, io.BytesIO(data))


def write_table(
    path: Path, rows: Sequence[Sample], edit: Callable[[pa.Table], pa.Table] = lambda table: table
) -> None:
    """The parquet table, in another order than the tar."""
    table = pa.Table.from_pylist([sample.row() for sample in reversed(rows)])
    pq.write_table(edit(table), path)


def write_shard(folder: Path, name: str, rows: Sequence[Sample]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_tar(folder / f"{name}.tar", rows)
    write_table(folder / f"{name}.parquet", rows)
    good = sum(sample.status == "success" for sample in rows)
    stats = {"count": len(rows), "successes": good}
    (folder / f"{name}_stats.json").write_text(json.dumps(stats))


def write_dataset(folder: Path, *, shards: int = 2, rows: int = 6) -> Path:
    """An img2dataset folder; every shard has one failed row on top of ``rows`` good ones."""
    for number in range(shards):
        first = number * 10_000
        write_shard(
            folder,
            f"{number:05d}",
            [*samples(rows, first=first), failed(f"{first + rows:09d}")],
        )
    return folder


def write_images(folder: Path, *, count: int = 4) -> Path:
    """A folder with images, some of them in a folder below."""
    (folder / "below").mkdir(parents=True, exist_ok=True)
    for number in range(count):
        place = folder if number % 2 else folder / "below"
        (place / f"{number}.png").write_bytes(picture(number, form="PNG"))
    return folder
