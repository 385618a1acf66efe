"""What people do to a photo before it lands elsewhere, and pictures that only look like copies.

`EDITS` turns a photograph into a query that still is a copy of it; `NEGATIVES` makes pairs of
pictures that share a backdrop, a logo, a frame or a kind, and are no copies. Neither repeats the
evaluation kit's own transforms: figures on these say how the matching generalizes.

What always holds: the same seed, edit and photo give the same pixels; every picture another one
brings along comes from `Scene.other`, so that a caller can keep it out of the dataset.
"""

import io
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from PIL import Image

Group = Literal["everyday", "geometry", "overlay", "layout", "capture", "combo"]
Encoded = tuple[bytes, str]  # a file's content and its extension
_FORMATS: Final = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}


@dataclass(frozen=True, slots=True)
class Scene:
    """What an edit may use besides the picture.

    Attributes:
        rng: its only source of chance.
        other: gives a photograph that is not the one edited, another one at each call.
    """

    rng: random.Random
    other: Callable[[], Image.Image]

    @property
    def numbers(self) -> np.random.Generator:
        """A NumPy generator seeded from `rng`, another one at each access."""
        return np.random.default_rng(self.rng.getrandbits(64))


Make = Callable[[Image.Image, Scene], Image.Image | Encoded]


@dataclass(frozen=True, slots=True)
class Edit:
    """One way of altering a picture.

    Attributes:
        name: as in the tables of results.
        group: what kind of thing it is.
        make: does it; gives pixels, or a finished file where the encoding is the point.
    """

    name: str
    group: Group
    make: Make


def encode(image: Image.Image, extension: str = "jpg", quality: int = 90) -> Encoded:
    """A file without metadata."""
    file = io.BytesIO()
    options = {} if extension == "png" else {"quality": quality}
    image.convert("RGB").save(file, _FORMATS[extension], **options)
    return file.getvalue(), extension


def finish(made: Image.Image | Encoded, rng: random.Random) -> Encoded:
    """The file that a site would serve: mostly JPEG, some PNG and WebP."""
    if isinstance(made, tuple):
        return made
    extension = rng.choice(("jpg",) * 6 + ("png", "webp"))
    return encode(made, extension, rng.randint(75, 95))


def decoded(made: Image.Image | Encoded) -> Image.Image:
    """The pixels of what an edit made."""
    if isinstance(made, Image.Image):
        return made
    with Image.open(io.BytesIO(made[0])) as opened:
        return opened.convert("RGB")


def registry(group: Group, makes: Mapping[str, Make]) -> dict[str, Edit]:
    """Edits of one group by name."""
    return {name: Edit(name, group, make) for name, make in makes.items()}
