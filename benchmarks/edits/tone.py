"""Everyday edits: the file is saved again, smaller, or in other colors; nothing moves."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from benchmarks.edits import Encoded, Scene, encode, registry

_SEPIA: Final = np.array([[0.39, 0.77, 0.19], [0.35, 0.69, 0.17], [0.27, 0.53, 0.13]])


def scaled(image: Image.Image, factor: float) -> Image.Image:
    """The picture at another size, at least 24 px a side."""
    size = (max(24, round(image.width * factor)), max(24, round(image.height * factor)))
    return image.resize(size, Image.Resampling.LANCZOS)


def fitted(image: Image.Image, side: int) -> Image.Image:
    """The picture with `side` as its longest side."""
    return scaled(image, side / max(image.size))


def painted(pixels: NDArray[np.float64]) -> Image.Image:
    """Pixels of 0..255, clipped: float64[height, width, 3] -> RGB."""
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def pixels_of(image: Image.Image) -> NDArray[np.float64]:
    """RGB -> float64[height, width, 3] of 0..255."""
    return np.asarray(image.convert("RGB"), np.float64)


def gamma(image: Image.Image, scene: Scene) -> Image.Image:
    """Darker or brighter mid-tones."""
    power = scene.rng.choice((scene.rng.uniform(0.45, 0.7), scene.rng.uniform(1.5, 2.2)))
    return painted(255 * (pixels_of(image) / 255) ** power)


def contrast(image: Image.Image, scene: Scene) -> Image.Image:
    """Flat or hard."""
    factor = scene.rng.choice((scene.rng.uniform(0.4, 0.65), scene.rng.uniform(1.5, 2.1)))
    return ImageEnhance.Contrast(image).enhance(factor)


def color_cast(image: Image.Image, scene: Scene) -> Image.Image:
    """Wrong white balance."""
    gain = np.array([scene.rng.uniform(0.65, 1.35) for _ in range(3)])
    return painted(pixels_of(image) * gain)


def hue_shift(image: Image.Image, scene: Scene) -> Image.Image:
    """All hues turned by the same angle."""
    hue, saturation, value = image.convert("HSV").split()
    shift = scene.rng.randint(20, 236)
    turned = hue.point([(level + shift) % 256 for level in range(256)])
    return Image.merge("HSV", (turned, saturation, value)).convert("RGB")


def sepia(image: Image.Image, scene: Scene) -> Image.Image:
    """An old print's browns, more or less strongly."""
    pixels, share = pixels_of(image), scene.rng.uniform(0.7, 1.0)
    return painted(share * pixels @ _SEPIA.T + (1 - share) * pixels)


def app_filter(image: Image.Image, scene: Scene) -> Image.Image:
    """A photo app's look: faded blacks, tinted, dark corners."""
    pixels = pixels_of(image)
    tint = np.array([scene.rng.uniform(-25, 25) for _ in range(3)])
    faded = 25 + pixels * 0.85 + tint
    return painted(faded * _vignette(image.size, scene.rng.uniform(0.3, 0.6)))


def noise(image: Image.Image, scene: Scene) -> Image.Image:
    """Grain of a high sensitivity."""
    pixels = pixels_of(image)
    spread = scene.rng.uniform(12, 30)
    return painted(pixels + scene.numbers.normal(0, spread, pixels.shape))


def blur(image: Image.Image, scene: Scene) -> Image.Image:
    """Out of focus."""
    return image.filter(ImageFilter.GaussianBlur(max(image.size) * scene.rng.uniform(3, 6) / 1024))


def motion_blur(image: Image.Image, scene: Scene) -> Image.Image:
    """A shaken hand, along one direction."""
    length = max(3, round(max(image.size) * scene.rng.uniform(0.008, 0.02)))
    angle = scene.rng.uniform(0, np.pi)
    steps = np.linspace(-0.5, 0.5, length) * length
    pixels = pixels_of(image)
    moved = [
        np.roll(pixels, (round(step * np.sin(angle)), round(step * np.cos(angle))), (0, 1))
        for step in steps
    ]
    return painted(np.mean(moved, axis=0))


def thumbnail(image: Image.Image, scene: Scene) -> Encoded:
    """A preview as search engines and galleries show them."""
    small = fitted(image, scene.rng.choice((96, 112, 128)))
    return encode(small, "jpg", scene.rng.randint(65, 85))


def _vignette(size: tuple[int, int], strength: float) -> NDArray[np.float64]:
    x, y = np.linspace(-1, 1, size[0]), np.linspace(-1, 1, size[1])
    falloff: NDArray[np.float64] = 1 - strength * (x[None, :] ** 2 + y[:, None] ** 2) / 2
    return falloff[:, :, None]


EVERYDAY: Final = registry(
    "everyday",
    {
        "same_file": lambda image, _: encode(image, "jpg", 95),
        "jpeg_low": lambda image, scene: encode(image, "jpg", scene.rng.randint(8, 18)),
        "webp_low": lambda image, scene: encode(image, "webp", scene.rng.randint(10, 25)),
        "smaller": lambda image, scene: encode(
            scaled(image, scene.rng.uniform(0.25, 0.6)), "jpg", scene.rng.randint(40, 70)
        ),
        "thumbnail": thumbnail,
        "gamma": gamma,
        "contrast": contrast,
        "color_cast": color_cast,
        "hue_shift": hue_shift,
        "sepia": sepia,
        "app_filter": app_filter,
        "posterize": lambda image, scene: ImageOps.posterize(image, scene.rng.choice((2, 3))),
        "sharpen": lambda image, scene: image.filter(
            ImageFilter.UnsharpMask(scene.rng.uniform(1, 3), scene.rng.randint(150, 300), 2)
        ),
        "noise": noise,
        "blur": blur,
        "motion_blur": motion_blur,
        "black_white": lambda image, _: ImageOps.autocontrast(image.convert("L")).convert("RGB"),
        "invert": lambda image, _: ImageOps.invert(image),
    },
)
