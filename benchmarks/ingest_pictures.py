"""The pictures that ingest is measured on: pool photos cut and scaled to one size a set."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks import bench_dir
from benchmarks.photos import load_pool

_SEED: Final = 12
_GRAIN: Final = 5.0
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PictureSet:
    """JPEG files of one size: `size` in pixels, how many, and their quality."""

    name: str
    size: tuple[int, int]
    count: int
    quality: int

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return bench_dir("ingest") / f"{self.name}-{self.count}"

    def files(self) -> list[bytes]:
        """Their bytes, in the order in which the peers read them."""
        return [path.read_bytes() for path in sorted(self.folder.iterdir())]


def picture_sets(*, quick: bool) -> tuple[PictureSet, PictureSet]:
    """Pictures as datasets keep them, and as phones make them."""
    return (
        PictureSet("512px", (512, 512), 64 if quick else 256, 95),
        PictureSet("12mp", (4000, 3000), 2 if quick else 16, 90),
    )


def pictures_write(one: PictureSet) -> None:
    """Cut and scale pool photos to the set's size.

    No photo of the pool has 12 megapixels: they are enlarged and given a sensor's grain, so
    that their files weigh what such files weigh, about 3 MB: decoding takes time by the byte.
    """
    if one.folder.is_dir():
        return
    working = one.folder.with_suffix(".tmp")
    shutil.rmtree(working, ignore_errors=True)
    working.mkdir(parents=True)
    pool = [photo for photo in load_pool() if photo.split == "fit"][: one.count]
    for number, photo in enumerate(pool):
        with Image.open(photo.path) as image:
            picture = _fitted(image.convert("RGB"), one.size, number)
        picture.save(working / f"{number:05}.jpg", quality=one.quality)
    working.rename(one.folder)


def parts(items: Sequence[_T], most: int) -> Iterator[list[_T]]:
    """Items in order, at most `most` at a time."""
    return (list(items[start : start + most]) for start in range(0, len(items), most))


def _fitted(image: Image.Image, size: tuple[int, int], number: int) -> Image.Image:
    scale = max(size[0] / image.width, size[1] / image.height)
    large = image.resize(
        (max(size[0], round(image.width * scale)), max(size[1], round(image.height * scale))),
        Image.Resampling.LANCZOS,
    )
    left, top = (large.width - size[0]) // 2, (large.height - size[1]) // 2
    cut = large.crop((left, top, left + size[0], top + size[1]))
    return cut if scale <= 1 else _grained(cut, number)


def _grained(image: Image.Image, number: int) -> Image.Image:
    pixels: NDArray[np.float64] = np.asarray(image, np.float64)
    grain = np.random.default_rng([_SEED, number]).normal(0, _GRAIN, (*pixels.shape[:2], 1))
    return Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8))
