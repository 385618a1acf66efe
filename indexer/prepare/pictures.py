"""Stored pictures, each decoded once: digests, hashes and the encoder's input from that.

This is what a worker process does, so it loads neither torch nor faiss, and its results are an
Arrow batch, which goes through a pipe without pickle.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from indexer.decode import ImageRefused, decode_here
from indexer.encoder.input import EncoderInput
from indexer.hashes.picture import QUALITY_FLOOR, bounded, hash_picture
from indexer.query.fingerprint import TOO_PLAIN, picture_digests
from unlist.keys import KEY_BYTES

# A JPEG is decoded at a fraction of its size while both sides keep so many pixels: eight for each
# of PDQ's 64, and more than twice the input of the usual encoders.
DECODED_SIDE: Final = 512
# Counted when a worker process died of a picture, or could not finish it in time.
CRASHED: Final = "crashed"
USABLE: Final = ""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done with pictures: `form` is the encoder's input, None to embed nothing."""

    form: EncoderInput | None

    @property
    def pixel_bytes(self) -> int:
        """How many the encoder's input has; 0 where nothing is embedded."""
        return 0 if self.form is None else self.form.side**2 * 3

    @property
    def schema(self) -> pa.Schema:
        """Of the results: one entry a picture; `refused` is empty for a usable one."""
        types: dict[str, pa.DataType] = {
            "sha256": pa.binary(KEY_BYTES),
            "md5": pa.binary(KEY_BYTES),
            "refused": pa.string(),
            "pdq": pa.binary(32),
            "phash": pa.uint64(),
            "pixels": pa.binary(self.pixel_bytes),
        }
        return pa.schema(types)


@dataclass(frozen=True, eq=False, slots=True)
class Pictures:
    """The pictures of one batch of rows.

    Attributes:
        keys, owners: row keys of the stored bytes' own digests, uint8[n, 16], and their rows.
        rows: of the usable pictures, uint32[m], rising.
        pdq, phash: their hashes, uint8[m, 32] and uint64[m].
        pixels: what the encoder takes, uint8[m, side, side, 3]; None where nothing is embedded.
        plain: the rows whose picture shows too little to be matched by, uint32[k].
        refused: why each picture that is not usable is not.
    """

    keys: NDArray[np.uint8]
    owners: NDArray[np.uint32]
    rows: NDArray[np.uint32]
    pdq: NDArray[np.uint8]
    phash: NDArray[np.uint64]
    pixels: NDArray[np.uint8] | None
    plain: NDArray[np.uint32]
    refused: tuple[str, ...]

    @classmethod
    def of(cls, results: pa.RecordBatch, rows: NDArray[np.uint32], task: Task) -> Self:
        """Read results.

        Args:
            results: of `task.schema`, one entry a picture.
            rows: the row of each, uint32[n].
            task: what was asked.
        """
        reasons = np.array(results.column("refused").to_pylist(), np.str_)
        usable = np.flatnonzero(reasons == USABLE)
        form = task.form
        pixels = None if form is None else _bytes(results.column("pixels"), task.pixel_bytes)
        return cls(
            keys=np.concatenate(
                [_bytes(results.column(name), KEY_BYTES) for name in ("sha256", "md5")]
            ),
            owners=np.concatenate([rows, rows]),
            rows=rows[usable],
            pdq=_bytes(results.column("pdq"), 32)[usable],
            phash=results.column("phash").to_numpy(zero_copy_only=False)[usable].astype(np.uint64),
            pixels=None
            if pixels is None or form is None
            else pixels[usable].reshape(-1, form.side, form.side, 3),
            plain=rows[reasons == TOO_PLAIN],
            refused=tuple(reasons[reasons != USABLE].tolist()),
        )


def pictures_prepare(images: Iterable[bytes], task: Task) -> pa.RecordBatch:
    """Decode and hash pictures and bring them to the encoder's input: a batch of `task.schema`."""
    return pa.RecordBatch.from_pylist(list(_prepared(images, task)), task.schema)


def picture_crashed(content: bytes, task: Task) -> pa.RecordBatch:
    """The result for a picture that a worker did not survive."""
    return pa.RecordBatch.from_pylist([_blank(content, CRASHED, task)], task.schema)


def _prepared(images: Iterable[bytes], task: Task) -> Iterator[dict[str, object]]:
    for content in images:
        try:
            image, original = decode_here(content, side=DECODED_SIDE)
            image = bounded(image)
        except ImageRefused as refusal:
            yield _blank(content, refusal.reason, task)
            continue
        hashes = hash_picture(image, turned=False, original=original)
        if hashes.quality < QUALITY_FLOOR:
            yield _blank(content, TOO_PLAIN, task)
            continue
        pixels = b"" if task.form is None else task.form.pixels(image).tobytes()
        yield {
            **_blank(content, USABLE, task),
            "pdq": hashes.pdq.tobytes(),
            "phash": int(hashes.phash[0]),
            "pixels": pixels,
        }


def _blank(content: bytes, refused: str, task: Task) -> dict[str, object]:
    """A result with the stored bytes' digests and nothing else; every entry is filled."""
    digests: dict[str, object] = dict(picture_digests(content))
    pixels = bytes(task.pixel_bytes)
    return {**digests, "refused": refused, "pdq": bytes(32), "phash": 0, "pixels": pixels}


def _bytes(column: "pa.Array[pa.Scalar[pa.DataType]]", width: int) -> NDArray[np.uint8]:
    """A fixed-size binary column without nulls as uint8[n, width], without a copy."""
    data = column.buffers()[1]
    values = np.frombuffer(b"" if data is None else memoryview(data), np.uint8)
    start = column.offset * width
    return values[start : start + len(column) * width].reshape(len(column), width)
