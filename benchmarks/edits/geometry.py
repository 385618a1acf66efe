"""Edits that move the picture: mirrored, turned, cut, stretched, seen at an angle."""

import math
from typing import Final

import numpy as np
from PIL import Image, ImageOps

from benchmarks.edits import Make, Scene, registry

Corners = list[tuple[float, float]]
_FILLS: Final = ("black", "white", "gray", "rgb(40,60,90)")


def warped(
    image: Image.Image, corners: Corners, size: tuple[int, int], fill: str = "black"
) -> Image.Image:
    """The picture with its corners (clockwise from the top left) at `corners` of a new page."""
    width, height = image.size
    source = [(0, 0), (width, 0), (width, height), (0, height)]
    rows = []
    for (x, y), (u, v) in zip(corners, source, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    wanted = np.array(source, np.float64).ravel()
    coefficients = np.linalg.solve(np.array(rows, np.float64), wanted)
    return image.transform(
        size,
        Image.Transform.PERSPECTIVE,
        coefficients.tolist(),
        Image.Resampling.BICUBIC,
        fillcolor=fill,
    )


def tilted(size: tuple[int, int], scene: Scene, strength: float) -> Corners:
    """Corners of a page, each moved inwards by up to `strength` of the sides."""
    width, height = size
    shift = [
        (scene.rng.uniform(0, strength) * width, scene.rng.uniform(0, strength) * height)
        for _ in range(4)
    ]
    return [
        (shift[0][0], shift[0][1]),
        (width - shift[1][0], shift[1][1]),
        (width - shift[2][0], height - shift[2][1]),
        (shift[3][0], height - shift[3][1]),
    ]


def cropped(share: float) -> Make:
    """Keep `share` of the area, in nearly the same shape, where there is something to see."""

    def make(image: Image.Image, scene: Scene) -> Image.Image:
        aspect = math.exp(scene.rng.uniform(-0.15, 0.15))
        width = min(image.width, round(image.width * math.sqrt(share * aspect)))
        height = min(image.height, round(image.width * image.height * share / width))
        tries = []
        for _ in range(4):
            x = scene.rng.randint(0, image.width - width)
            y = scene.rng.randint(0, image.height - height)
            tries.append(image.crop((x, y, x + width, y + height)))
        return next((one for one in tries if _structure(one) > 25), max(tries, key=_structure))

    return make


def _structure(image: Image.Image) -> float:
    return float(np.asarray(image.convert("L")).std())


def turned(least: float, most: float) -> Make:
    """Turned by so many degrees either way: on a larger page, or cut to the same page."""

    def make(image: Image.Image, scene: Scene) -> Image.Image:
        angle = scene.rng.choice((-1, 1)) * scene.rng.uniform(least, most)
        fill, whole = scene.rng.choice(_FILLS), scene.rng.random() < 0.5
        return image.rotate(angle, Image.Resampling.BICUBIC, expand=whole, fillcolor=fill)

    return make


def sheared(image: Image.Image, scene: Scene) -> Image.Image:
    """Leaning to one side."""
    lean = scene.rng.choice((-1, 1)) * scene.rng.uniform(0.1, 0.25)
    width = round(image.width + abs(lean) * image.height)
    return image.transform(
        (width, image.height),
        Image.Transform.AFFINE,
        (1, lean, -max(0.0, lean) * image.height, 0, 1, 0),
        Image.Resampling.BICUBIC,
        fillcolor=scene.rng.choice(_FILLS),
    )


def stretched(image: Image.Image, scene: Scene) -> Image.Image:
    """Made wider or higher by up to a half."""
    factor = scene.rng.uniform(1.2, 1.5)
    wide = scene.rng.random() < 0.5
    size = (image.width * factor, image.height) if wide else (image.width, image.height * factor)
    return image.resize((round(size[0]), round(size[1])), Image.Resampling.BICUBIC)


def perspective(image: Image.Image, scene: Scene) -> Image.Image:
    """Seen at an angle."""
    corners = tilted(image.size, scene, 0.2)
    return warped(image, corners, image.size, scene.rng.choice(_FILLS))


def half_turned(image: Image.Image, scene: Scene) -> Image.Image:
    """By 90, 180 or 270 degrees."""
    return image.rotate(scene.rng.choice((90, 180, 270)), expand=True)


GEOMETRY: Final = registry(
    "geometry",
    {
        "mirror": lambda image, _: ImageOps.mirror(image),
        "quarter_turn": half_turned,
        "mirror_turn": lambda image, scene: half_turned(ImageOps.mirror(image), scene),
        "turn_1_5": turned(1, 5),
        "turn_6_15": turned(6, 15),
        "turn_16_30": turned(16, 30),
        "shear": sheared,
        "stretch": stretched,
        "perspective": perspective,
        "crop_90": cropped(0.90),
        "crop_80": cropped(0.80),
        "crop_65": cropped(0.65),
        "crop_50": cropped(0.50),
        "crop_35": cropped(0.35),
        "crop_25": cropped(0.25),
    },
)
