"""Pictures that look alike without being copies: pages, charts, frames, strangers before a flag."""

import random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from tests.indexer.pictures import picture

TEXT = (
    "the house stands by a lake and every summer people come here with boats to see "
    "what is left of it while others ask for the way home again"
)
WORDS = TEXT.split()


def page(seed: int, size: tuple[int, int] = (360, 480)) -> Image.Image:
    """A page of text: the same letters everywhere, other words on every page."""
    rng = random.Random(seed)
    image = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=15)
    for y in range(20, size[1] - 20, 20):
        draw.text((20, y), " ".join(rng.choices(WORDS, k=9)), fill="black", font=font)
    return image


def chart(seed: int, size: tuple[int, int] = (400, 300)) -> Image.Image:
    """A bar chart with axes and labels, as one program draws all of them."""
    rng = random.Random(seed)
    image = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=12)
    draw.line((40, 20, 40, 260, 380, 260), fill="black", width=2)
    for number in range(8):
        x, height = 60 + number * 40, rng.randint(20, 220)
        draw.rectangle((x, 260 - height, x + 24, 260), fill="steelblue", outline="black")
        draw.text((x, 266), f"Q{number}", fill="black", font=font)
        draw.text((8, 20 + number * 30), f"{100 - number * 12}", fill="black", font=font)
    return image


def gradient(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A soft change of color from one side to the other."""
    rng = np.random.default_rng(seed)
    one, other = rng.integers(0, 256, (2, 3))
    share = np.linspace(0, 1, size[0])[None, :, None]
    row = one * (1 - share) + other * share
    return Image.fromarray(np.repeat(row, size[1], axis=0).astype(np.uint8))


def framed(seed: int) -> Image.Image:
    """A small picture within a wide black frame."""
    image = Image.new("RGB", (480, 480), "black")
    image.paste(picture(seed, (200, 150)), (140, 165))
    return image


def tiled(seed: int, size: tuple[int, int] = (400, 300)) -> Image.Image:
    """One motif again and again, as wallpaper and fences have it, around another middle."""
    motif = picture(900, (40, 40))
    image = Image.new("RGB", size)
    for y in range(0, size[1], 40):
        for x in range(0, size[0], 40):
            image.paste(motif, (x, y))
    image.paste(picture(seed, (240, 200)), (80, 50))
    return image


def portrait(person: int, flag: int) -> Image.Image:
    """Somebody before a flag: `person` and `flag` are seeds."""
    image = picture(1000 + flag, (320, 400))
    somebody = picture(2000 + person, (220, 320))
    mask = Image.new("L", somebody.size)
    draw = ImageDraw.Draw(mask)
    draw.ellipse((50, 0, 170, 150), fill=255)
    draw.ellipse((0, 120, 220, 480), fill=255)
    image.paste(somebody, (50, 80), mask.filter(ImageFilter.GaussianBlur(2)))
    return image
