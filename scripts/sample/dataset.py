"""Write the sample dataset as img2dataset writes one: per shard a tar, a parquet and a stats file.

Columns, key format, statuses and the rule that `sha256` is of the bytes as downloaded (not of the
picture as stored) follow img2dataset 1.47 with `output_format=webdataset`, `compute_hash=sha256`.
No dataset of the demo is downloaded: the rows' URLs are under `.example`, which no one can own.
"""

import hashlib
import io
import json
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from scripts.sample.generated import picture
from scripts.sample.photos import COVERED, PORTRAIT, Photo

GENERATED = 240
SHARD_ROWS = 80
_DIGITS = 2  # of a row's number in its shard: img2dataset takes log10 of the rows per shard
_STORED_SIDE = 384
_STARTED = 1_767_225_600.0  # 1 January 2026: fixed, so that the same files come out every time

_COLUMNS: list[tuple[str, pa.DataType]] = [
    ("caption", pa.string()),
    ("url", pa.string()),
    ("key", pa.string()),
    ("status", pa.string()),
    ("error_message", pa.string()),
    ("width", pa.int32()),
    ("height", pa.int32()),
    ("original_width", pa.int32()),
    ("original_height", pa.int32()),
    ("exif", pa.string()),
    ("sha256", pa.string()),
]
SCHEMA = pa.schema(_COLUMNS)


@dataclass(frozen=True)
class Source:
    """One row to be: what was found at the URL, or why nothing was."""

    url: str
    caption: str
    data: bytes | None
    status: str = "success"
    error: str | None = None


@dataclass(frozen=True)
class Written:
    """What `write` made: the folder and its figures."""

    folder: Path
    shards: int
    rows: int
    pictures: int
    portrait_rows: int


def write(folder: Path, *, generated: int = GENERATED) -> Written:
    """Write the dataset into `folder`, which is made; files of an earlier run are replaced.

    Args:
        folder: where the shards come to lie.
        generated: how many generated pictures stand among the photographs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sources = _sources(generated)
    order = np.random.default_rng(2026).permutation(len(sources))
    shuffled = [sources[place] for place in order]
    parts = [shuffled[at : at + SHARD_ROWS] for at in range(0, len(shuffled), SHARD_ROWS)]
    for number, part in enumerate(parts):
        shard_write(folder, number, part)
    return Written(
        folder=folder,
        shards=len(parts),
        rows=len(sources),
        pictures=sum(source.data is not None for source in sources),
        portrait_rows=sum("astronaut" in source.url for source in sources),
    )


def _sources(generated: int) -> list[Source]:
    return [
        *_portraits(),
        *(_photo(photo, f"https://photos.example/{photo.name}") for photo in COVERED),
        *(_generated(number) for number in range(generated)),
        *_failures(),
    ]


def _photo(photo: Photo, url: str) -> Source:
    return Source(url, photo.caption, photo.read())


def _portraits() -> Iterator[Source]:
    """Yield the portrait as the web has it: the original, a smaller copy, a recompressed one."""
    original = PORTRAIT.read()
    image = Image.open(io.BytesIO(original)).convert("RGB")
    smaller = image.resize((320, 320), Image.Resampling.LANCZOS)
    yield Source("https://photos.example/astronaut.png", PORTRAIT.caption, original)
    yield Source(
        "https://news.example/2021/03/astronaut-small.jpg",
        "The astronaut before the flight",
        _jpeg(smaller, 80),
    )
    yield Source("https://blog.example/uploads/astronaut.jpg?w=512", "My hero", _jpeg(image, 55))


def _generated(number: int) -> Source:
    caption, image = picture(number)
    return Source(f"https://pictures.example/{number:04d}.jpg", caption, _jpeg(image, 92))


def _failures() -> Iterator[Source]:
    """Yield rows that img2dataset would have failed on, with its words for it."""
    for number in range(7):
        url = f"https://gone.example/{number}.jpg"
        error = "HTTP Error 404: Not Found" if number % 2 else "HTTP Error 410: Gone"
        yield Source(url, f"A picture that is gone, {number}", None, "failed_to_download", error)
    for number in range(3):
        url = f"https://broken.example/{number}.jpg"
        yield Source(url, "No picture", None, "failed_to_resize", "Image decoding error")


def _jpeg(image: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def _stored(data: bytes) -> tuple[bytes, tuple[int, int], tuple[int, int]]:
    """Return the picture as img2dataset stores it (JPEG 95, kept in ratio), and both sizes."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    original = image.size
    image.thumbnail((_STORED_SIDE, _STORED_SIDE), Image.Resampling.LANCZOS)
    return _jpeg(image, 95), image.size, original


def shard_write(folder: Path, number: int, sources: Sequence[Source]) -> None:
    """Write one shard of rows: `00000.tar` with its parquet and stats files, by its number."""
    name = f"{number:05d}"
    rows: list[dict[str, object]] = []
    with tarfile.open(folder / f"{name}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        for place, source in enumerate(sources):
            row, image = _row(f"{number * 10**_DIGITS + place:0{5 + _DIGITS}d}", source)
            rows.append(row)
            if image is not None:
                _add_sample(tar, row, image)
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), folder / f"{name}.parquet")
    stats = json.dumps(_stats(rows), indent=4)
    (folder / f"{name}_stats.json").write_text(stats, encoding="utf-8")


def _row(key: str, source: Source) -> tuple[dict[str, object], bytes | None]:
    row: dict[str, object] = dict.fromkeys(SCHEMA.names)
    row |= {"caption": source.caption, "url": source.url, "key": key}
    row |= {"status": source.status, "error_message": source.error}
    if source.data is None:
        return row, None
    image, (width, height), (original_width, original_height) = _stored(source.data)
    row |= {"width": width, "height": height, "exif": "{}"}
    row |= {"original_width": original_width, "original_height": original_height}
    row |= {"sha256": hashlib.sha256(source.data).hexdigest()}
    return row, image


def _add_sample(tar: tarfile.TarFile, row: dict[str, object], image: bytes) -> None:
    members = {
        "jpg": image,
        "json": json.dumps(row, indent=4).encode(),
        "txt": str(row["caption"]).encode(),
    }
    for extension, data in members.items():
        member = tarfile.TarInfo(f"{row['key']}.{extension}")
        member.size, member.mtime, member.mode = len(data), int(_STARTED), 0o444
        tar.addfile(member, io.BytesIO(data))


def _stats(rows: Sequence[dict[str, object]]) -> dict[str, object]:
    status = Counter(str(row["status"]) for row in rows)
    words = Counter(str(row["error_message"] or row["status"]) for row in rows)
    return {
        "count": len(rows),
        "successes": status["success"],
        "failed_to_download": status["failed_to_download"],
        "failed_to_resize": status["failed_to_resize"],
        "duration": 1.0,
        "start_time": _STARTED,
        "end_time": _STARTED + 1.0,
        "status_dict": dict(words),
    }
