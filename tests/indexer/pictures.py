"""Pictures for tests: made of a seed, with enough in them to be recognized by."""

import io
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from shards.reader import BATCH_SCHEMA


def picture(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Blobs and smaller blobs of random colors, as photographs have details of every size."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", size)
    for scale in (1, 2, 4, 8):
        blobs = rng.integers(0, 256, (6 * scale, 8 * scale, 3), dtype=np.uint8)
        layer = Image.fromarray(blobs).resize(size, Image.Resampling.BICUBIC)
        image = Image.blend(image, layer, 1 / (1 + scale / 2) if scale > 1 else 1.0)
    return image


def encoded(image: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def row(number: int, image: bytes | None, **facts: Any) -> dict[str, Any]:
    return {
        "key": f"{number:09d}",
        "shard": "00000",
        "index": number,
        "url": f"https://example.org/{number}.jpg",
        "caption": None,
        "sha256": None,
        "md5": None,
        "offset": None,
        "image": image,
        **facts,
    }


def batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, BATCH_SCHEMA)
