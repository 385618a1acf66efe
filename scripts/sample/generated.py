"""Generated pictures, of eight families, each picture unlike the others of its family.

They are the crowd around the real photographs: pictures that a search must not mistake for them.
The same number gives the same picture.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Field = NDArray[np.float64]  # shape (height, width), values 0 to 1
Painter = Callable[[np.random.Generator, int, int], Image.Image]

_SHAPES = ((512, 384), (384, 512), (448, 448), (512, 288))


def picture(number: int) -> tuple[str, Image.Image]:
    """Return caption and picture (RGB, 288 to 512 pixels a side) of this number."""
    rng = np.random.default_rng([20261, number])
    name, paint = _FAMILIES[number % len(_FAMILIES)]
    width, height = _SHAPES[int(rng.integers(len(_SHAPES)))]
    return f"Generated picture {number}: {name}", paint(rng, width, height)


def _cloud(rng: np.random.Generator, width: int, height: int, roughness: float) -> Field:
    """Return noise whose spectrum falls as frequency to the power of -roughness."""
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    frequency = np.hypot(fx, fy)
    frequency[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.standard_normal((height, width))) / frequency**roughness
    spectrum[0, 0] = 0
    field = np.fft.irfft2(spectrum, s=(height, width))
    low, high = float(field.min()), float(field.max())
    return np.asarray((field - low) / (high - low), dtype=np.float64)


def _palette(rng: np.random.Generator, stops: int = 4) -> NDArray[np.float64]:
    """Return random colors, shape (stops, 3), values 0 to 255, dark to bright."""
    colors = rng.uniform(0, 255, (stops, 3))
    return np.asarray(colors[np.argsort(colors.sum(axis=1))], dtype=np.float64)


def _colored(field: Field, palette: NDArray[np.float64]) -> Image.Image:
    stops = np.linspace(0, 1, len(palette))
    channels = [np.interp(field, stops, palette[:, band]) for band in range(3)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8), "RGB")


def _color(rng: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in rng.integers(0, 256, 3))
    return red, green, blue


def _clouds(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    return _colored(_cloud(rng, width, height, rng.uniform(0.9, 2.2)), _palette(rng))


def _hills(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    sky = np.linspace(0, 1, height)[:, None] * np.ones((1, width))
    image = _colored(sky, _palette(rng, 3))
    draw = ImageDraw.Draw(image)
    x, y, r = rng.uniform(0, width), rng.uniform(0, height * 0.5), rng.uniform(12, 60)
    draw.ellipse((x - r, y - r, x + r, y + r), fill=_color(rng))
    for layer in range(int(rng.integers(2, 6))):
        ridge = np.cumsum(rng.standard_normal(width)) * rng.uniform(0.5, 3.0)
        ridge += np.sin(np.arange(width) / rng.uniform(20, 120)) * rng.uniform(5, 60)
        top = height * (0.35 + 0.13 * layer) + ridge - ridge.mean()
        outline = [(float(col), float(row)) for col, row in enumerate(top)]
        draw.polygon([(0, height), *outline, (width, height)], fill=_color(rng))
    return image


def _shapes(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    image = Image.new("RGB", (width, height), _color(rng))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(6, 30))):
        x, y = rng.uniform(-40, width), rng.uniform(-40, height)
        box = (x, y, x + rng.uniform(20, 220), y + rng.uniform(20, 220))
        match int(rng.integers(3)):
            case 0:
                draw.ellipse(box, fill=_color(rng))
            case 1:
                draw.rectangle(box, fill=_color(rng))
            case _:
                corners = [(float(a), float(b)) for a, b in rng.uniform(0, (width, height), (3, 2))]
                draw.polygon(corners, fill=_color(rng))
    return image


def _mosaic(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    count = int(rng.integers(12, 70))
    seeds = rng.uniform(0, (width, height), (count, 2))
    colors = rng.integers(0, 256, (count, 3)).astype(np.uint8)
    x, y = np.arange(width)[None, :], np.arange(height)[:, None]
    nearest = np.zeros((height, width), dtype=np.int64)
    best = np.full((height, width), np.inf)
    for number, (sx, sy) in enumerate(seeds):
        distance = (x - sx) ** 2 + (y - sy) ** 2
        closer = distance < best
        best[closer], nearest[closer] = distance[closer], number
    return Image.fromarray(colors[nearest], "RGB")


def _waves(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    x, y = np.arange(width)[None, :], np.arange(height)[:, None]
    field = np.zeros((height, width))
    for _ in range(int(rng.integers(2, 6))):
        cx, cy = rng.uniform(0, width), rng.uniform(0, height)
        field += np.sin(np.hypot(x - cx, y - cy) / rng.uniform(5, 45) + rng.uniform(0, 6))
    return _colored((field - field.min()) / (field.max() - field.min()), _palette(rng, 5))


def _fractal(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    angle, zoom = rng.uniform(0, 2 * np.pi), rng.uniform(1.0, 1.6)
    constant = 0.7885 * complex(np.cos(angle), np.sin(angle))
    x = np.linspace(-zoom, zoom, width)[None, :]
    y = np.linspace(-zoom * height / width, zoom * height / width, height)[:, None]
    z = x + 1j * y
    steps = np.zeros((height, width))
    for _ in range(40):
        inside = np.abs(z) < 4
        z[inside] = z[inside] ** 2 + constant
        steps += inside
    texture = _cloud(rng, width, height, 1.5)
    return _colored((steps / steps.max() + 0.4 * texture) / 1.4, _palette(rng, 5))


def _skyline(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    image = _colored(_cloud(rng, width, height, 2.0), _palette(rng, 3))
    draw = ImageDraw.Draw(image)
    left = -10.0
    while left < width:
        house, top = rng.uniform(25, 90), rng.uniform(0.15, 0.8) * height
        draw.rectangle((left, top, left + house, height), fill=_color(rng))
        light, step = _color(rng), rng.uniform(9, 20)
        for column in np.arange(left + 5, left + house - 6, step):
            for row in np.arange(top + 6, height - 8, step * 1.4):
                if rng.random() < 0.6:
                    draw.rectangle((column, row, column + 5, row + 7), fill=light)
        left += house + rng.uniform(0, 14)
    return image


def _night(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    haze = _cloud(rng, width, height, 1.6) ** rng.uniform(1.5, 4)
    image = _colored(haze, _palette(rng, 4) * rng.uniform(0.4, 0.9))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(60, 400))):
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.exponential(2.2)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=_color(rng))
    return image


_FAMILIES: tuple[tuple[str, Painter], ...] = (
    ("clouds", _clouds),
    ("hills under a sky", _hills),
    ("a heap of shapes", _shapes),
    ("a mosaic", _mosaic),
    ("waves", _waves),
    ("a fractal", _fractal),
    ("a skyline", _skyline),
    ("lights at night", _night),
)
