"""Edits by camera and paper: prints scanned, screens and prints photographed."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from benchmarks.edits import Encoded, Scene, encode, registry
from benchmarks.edits.geometry import tilted, warped
from benchmarks.edits.tone import fitted, painted, pixels_of


def print_scan(image: Image.Image, scene: Scene) -> Image.Image:
    """Printed and scanned: a raster of dots, paper's white, a little skew, paler colors."""
    pixels = pixels_of(fitted(image, 900))
    pitch, angle = scene.rng.uniform(3.5, 6), scene.rng.uniform(0.3, 1.2)
    dots = 1 + 0.16 * _raster(pixels.shape[:2], pitch, angle)[:, :, None]
    paper = np.array([250.0, 247.0, 238.0])
    printed = painted(30 + (pixels * dots) * (paper - 30) / 255 * scene.rng.uniform(0.85, 0.95))
    page = ImageOps.expand(
        printed.filter(ImageFilter.GaussianBlur(0.8)), scene.rng.randint(10, 60), "rgb(250,247,238)"
    )
    skewed = page.rotate(
        scene.rng.uniform(-2.5, 2.5), Image.Resampling.BICUBIC, expand=True, fillcolor="white"
    )
    return _sensor(skewed, scene, 4)


def photo_of_screen(image: Image.Image, scene: Scene) -> Encoded:
    """A monitor photographed: at an angle, moiré, a reflection, dark corners, noise."""
    shown = Image.new("RGB", (960, 640), scene.rng.choice(("black", "white", "rgb(60,70,80)")))
    photo = image.copy()
    photo.thumbnail((scene.rng.randint(620, 940), 620))
    shown.paste(photo, ((960 - photo.width) // 2, (640 - photo.height) // 2))
    screen = pixels_of(ImageOps.expand(shown, 30, "rgb(20,20,22)"))
    waves = _raster(screen.shape[:2], scene.rng.uniform(5, 11), scene.rng.uniform(0.05, 0.5))
    screen *= 1 + 0.09 * waves[:, :, None] * np.array([1.0, 0.6, 1.2])
    screen += 70 * _glare(screen.shape[:2], scene)[:, :, None]
    desk = ImageOps.fit(scene.other(), (1100, 780)).filter(ImageFilter.GaussianBlur(6))
    return encode(_sensor(_laid(painted(screen), desk, scene, 0.14), scene, 9), "jpg", 75)


def photo_of_print(image: Image.Image, scene: Scene) -> Encoded:
    """A print on a table photographed: at an angle, in warm uneven light."""
    print_ = ImageOps.expand(fitted(image, 800), scene.rng.choice((0, 24)), "white")
    table = ImageOps.fit(scene.other(), (1100, 900)).filter(ImageFilter.GaussianBlur(3))
    taken = pixels_of(_laid(print_, table, scene, 0.18))
    light = 0.75 + 0.4 * _glare(taken.shape[:2], scene)[:, :, None]
    lit = taken * light * np.array([1.06, 1.0, scene.rng.uniform(0.75, 0.9)])
    return encode(_sensor(painted(lit), scene, 7), "jpg", 80)


def fax(image: Image.Image, scene: Scene) -> Image.Image:
    """A bad photocopy: black and white dots, streaks."""
    gray = ImageOps.autocontrast(fitted(image, 640).convert("L"))
    copied = np.asarray(gray.convert("1").convert("L").filter(ImageFilter.GaussianBlur(0.7)))
    streaked = copied.astype(np.float64)
    for x in scene.numbers.integers(0, gray.width, 4):
        streaked[:, x : x + 2] *= 0.6
    return painted(np.repeat(streaked[:, :, None], 3, axis=2))


def _laid(picture: Image.Image, ground: Image.Image, scene: Scene, strength: float) -> Image.Image:
    """A flat thing seen at an angle on a ground."""
    picture = picture.copy()
    picture.thumbnail((round(ground.width * 0.9), round(ground.height * 0.9)))
    corners = tilted(picture.size, scene, strength)
    flat = warped(picture, corners, picture.size)
    mask = Image.new("L", picture.size, 0)
    ImageDraw.Draw(mask).polygon(corners, 255)
    page = ground.copy()
    x = scene.rng.randint(0, ground.width - picture.width)
    y = scene.rng.randint(0, ground.height - picture.height)
    page.paste(flat, (x, y), mask)
    return page


def _sensor(image: Image.Image, scene: Scene, spread: float) -> Image.Image:
    """A camera's blur, noise and dark corners."""
    pixels = pixels_of(image.filter(ImageFilter.GaussianBlur(scene.rng.uniform(0.6, 1.4))))
    x, y = np.linspace(-1, 1, image.width), np.linspace(-1, 1, image.height)
    falloff = 1 - scene.rng.uniform(0.05, 0.25) * (x[None, :] ** 2 + y[:, None] ** 2)
    noisy = pixels * falloff[:, :, None] + scene.numbers.normal(0, spread, pixels.shape)
    return painted(noisy)


def _raster(shape: tuple[int, ...], pitch: float, angle: float) -> NDArray[np.float64]:
    """Waves in two directions: float64[height, width] of -1..1."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    along = np.cos(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / pitch)
    across = np.cos(2 * np.pi * (y * np.cos(angle) - x * np.sin(angle)) / (pitch * 1.07))
    waves: NDArray[np.float64] = along * across
    return waves


def _glare(shape: tuple[int, ...], scene: Scene) -> NDArray[np.float64]:
    """One soft bright spot: float64[height, width] of 0..1."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    far = (
        (x / shape[1] - scene.rng.random()) ** 2 + (y / shape[0] - scene.rng.random()) ** 2
    ) ** 0.5
    spot: NDArray[np.float64] = np.exp(-((far / scene.rng.uniform(0.2, 0.5)) ** 2))
    return spot


CAPTURE: Final = registry(
    "capture",
    {
        "print_scan": print_scan,
        "photo_of_screen": photo_of_screen,
        "photo_of_print": photo_of_print,
        "fax": fax,
    },
)
