"""The real part of a large gallery: fingerprints of many crops and edits of the pool's photos.

Each photograph gives `VARIANTS` pictures: itself, then crops of 15 to 100 % of its area, some
mirrored, turned a little, brightened or paled. Each is embedded and hashed as the product would
do it. This takes a while (some 20,000 forward passes), is done once, and kept.

    python -m benchmarks.gallery_base [--photos DIR] [--out FILE.npz]
"""

import argparse
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps
from tqdm import tqdm

from benchmarks import bench_dir
from benchmarks.photos import Photo, Split, load_pool, split_of
from indexer.encoder.load import Encoder, load_encoder
from indexer.hashes.picture import hash_picture

VARIANTS: Final = 30
STORED_SIDE: Final = 384  # what the variants are reduced to, as datasets store pictures
_BATCH: Final = 4


@dataclass(frozen=True, eq=False, slots=True)
class Base:
    """Fingerprints of n pictures, `VARIANTS` of each photograph, one photograph's in a row.

    Attributes:
        photos: the photographs' names.
        vectors: float16[n, dim], each of length 1.
        pdq: uint8[n, 32].
        quality: uint8[n], PDQ's.
        phash: uint64[n].
    """

    photos: tuple[str, ...]
    vectors: NDArray[np.float16]
    pdq: NDArray[np.uint8]
    quality: NDArray[np.uint8]
    phash: NDArray[np.uint64]

    @property
    def variants(self) -> int:
        """Pictures per photograph."""
        return len(self.vectors) // len(self.photos)

    def of(self, splits: Sequence[Split]) -> Self:
        """The photographs of some splits alone."""
        chosen = [at for at, name in enumerate(self.photos) if split_of(name) in splits]
        rows = (np.array(chosen)[:, None] * self.variants + np.arange(self.variants)).ravel()
        return type(self)(
            tuple(self.photos[at] for at in chosen),
            self.vectors[rows],
            self.pdq[rows],
            self.quality[rows],
            self.phash[rows],
        )

    def save(self, path: Path) -> None:
        """Write an npz file that `open` reads."""
        path.parent.mkdir(parents=True, exist_ok=True)
        working = path.with_suffix(".part.npz")
        np.savez(
            working,
            photos=np.array(self.photos),
            vectors=self.vectors,
            pdq=self.pdq,
            quality=self.quality,
            phash=self.phash,
        )
        working.replace(path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(
                tuple(str(name) for name in stored["photos"]),
                stored["vectors"],
                stored["pdq"],
                stored["quality"],
                stored["phash"],
            )


def load_base(path: Path | None = None, photos: Path | None = None) -> Base:
    """The base, made first where it is not there."""
    path = path or bench_dir("gallery") / "base.npz"
    if not path.is_file():
        make_base(load_pool(photos), load_encoder()).save(path)
    return Base.open(path)


def make_base(pool: Sequence[Photo], encoder: Encoder) -> Base:
    """Fingerprint all variants of the photographs."""
    vectors, hashes = [], []
    for photo in tqdm(pool, unit="photo"):
        pictures = list(variants(photo.image(), photo.name))
        vectors += [
            encoder.embed(pictures[at : at + _BATCH]).astype(np.float16)
            for at in range(0, len(pictures), _BATCH)
        ]
        hashes += [hash_picture(picture, turned=False) for picture in pictures]
    return Base(
        tuple(photo.name for photo in pool),
        np.concatenate(vectors),
        np.concatenate([one.pdq for one in hashes]),
        np.array([one.quality for one in hashes], np.uint8),
        np.concatenate([one.phash for one in hashes]),
    )


def variants(image: Image.Image, name: str) -> Iterator[Image.Image]:
    """The photograph, then crops and edits of it; the same name gives the same ones."""
    rng = random.Random(f"gallery/{name}")
    yield _reduced(image)
    for _ in range(VARIANTS - 1):
        yield _edited(_reduced(_cropped(image, rng)), rng)


def _cropped(image: Image.Image, rng: random.Random) -> Image.Image:
    share, aspect = rng.uniform(0.15, 1.0), math.exp(rng.uniform(-0.3, 0.3))
    width = min(image.width, max(32, round(image.width * math.sqrt(share * aspect))))
    height = min(image.height, max(32, round(image.height * math.sqrt(share / aspect))))
    x, y = rng.randint(0, image.width - width), rng.randint(0, image.height - height)
    return image.crop((x, y, x + width, y + height))


def _reduced(image: Image.Image) -> Image.Image:
    small = image.copy()
    small.thumbnail((STORED_SIDE, STORED_SIDE), Image.Resampling.BOX)
    return small


def _edited(image: Image.Image, rng: random.Random) -> Image.Image:
    if rng.random() < 0.3:
        image = ImageOps.mirror(image)
    if rng.random() < 0.2:
        image = image.rotate(rng.uniform(-8, 8), Image.Resampling.BICUBIC)
    if rng.random() < 0.3:
        image = ImageEnhance.Brightness(image).enhance(rng.uniform(0.6, 1.5))
    if rng.random() < 0.3:
        image = ImageEnhance.Color(image).enhance(rng.uniform(0.0, 1.6))
    return image


def main() -> None:
    """Make the base."""
    parser = argparse.ArgumentParser(description="Fingerprint crops and edits of the pool.")
    parser.add_argument("--photos", type=Path, help="the pool's folder")
    parser.add_argument("--out", type=Path, help="file (default: var/bench/gallery/base.npz)")
    options = parser.parse_args()
    base = load_base(options.out, options.photos)
    print(f"{len(base.vectors):,} pictures of {len(base.photos)} photos")


if __name__ == "__main__":
    main()
