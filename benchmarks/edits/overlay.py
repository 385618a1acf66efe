"""Edits that lay something over the picture or around it."""

from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from benchmarks.edits import Scene, registry

WORDS: Final = (
    "sunday", "morning", "with", "friends", "best", "day", "ever", "look", "at", "this", "new",
    "old", "town", "summer", "trip", "happy", "birthday", "throwback", "my", "view", "today",
    "limited", "offer", "breaking", "news", "share", "before", "it", "is", "gone", "photo", "by",
    "studio", "north", "all", "rights", "reserved", "official", "page", "follow", "for", "more",
)  # fmt: skip
_INKS: Final = ("white", "yellow", "tomato", "deepskyblue", "lime", "black", "magenta")


def words(scene: Scene, least: int, most: int) -> str:
    """A line of text."""
    return " ".join(scene.rng.choices(WORDS, k=scene.rng.randint(least, most)))


def font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The built-in font at a size in px."""
    return ImageFont.load_default(size=max(9, size))


def lettered(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, width: float, ink: str
) -> None:
    """One outlined line, as wide as `width` or a tenth of it high, centered at `place`."""
    size = min(width / 10, 90 * width / max(1.0, draw.textlength(text, font=font(100))))
    edge = "black" if ink != "black" else "white"
    draw.text(
        place, text, ink, font(size), "mm", stroke_width=max(1, int(size / 12)), stroke_fill=edge
    )


def border(image: Image.Image, scene: Scene) -> Image.Image:
    """A frame of one color, of one or two lines."""
    width = round(min(image.size) * scene.rng.uniform(0.05, 0.2))
    framed = ImageOps.expand(image, width, scene.rng.choice((*_INKS, "rgb(90,60,30)")))
    return ImageOps.expand(framed, max(2, width // 4), scene.rng.choice(("white", "black")))


def padded(image: Image.Image, scene: Scene) -> Image.Image:
    """Put on a square page."""
    side = round(max(image.size) * scene.rng.uniform(1.0, 1.25))
    return ImageOps.pad(
        ImageOps.expand(image, (side - max(image.size)) // 2, "white"), (side, side), color="white"
    )


def caption_bar(image: Image.Image, scene: Scene) -> Image.Image:
    """A bar with text above or below."""
    high = round(image.height * scene.rng.uniform(0.12, 0.3))
    above, dark = scene.rng.random() < 0.5, scene.rng.random() < 0.4
    page = Image.new("RGB", (image.width, image.height + high), "black" if dark else "white")
    page.paste(image, (0, high if above else 0))
    middle = high / 2 if above else image.height + high / 2
    draw = ImageDraw.Draw(page)
    ink = "white" if dark else "black"
    for at, line in enumerate((words(scene, 3, 6), words(scene, 3, 6))):
        place = (image.width / 2, middle + (at - 0.5) * high / 2.4)
        draw.text(place, line, ink, font(min(high / 4, image.width / 20)), "mm")
    return page


def meme(image: Image.Image, scene: Scene) -> Image.Image:
    """Large capitals over the picture."""
    made = image.copy()
    draw = ImageDraw.Draw(made)
    for high in scene.rng.sample((0.1, 0.25, 0.75, 0.9), scene.rng.choice((1, 2, 3))):
        place = (image.width / 2, image.height * high)
        lettered(draw, place, words(scene, 2, 5).upper(), image.width * 0.95, "white")
    return made


def watermark(image: Image.Image, scene: Scene) -> Image.Image:
    """See-through text, repeated over the whole."""
    layer = Image.new("RGBA", (2 * image.width, 2 * image.height))
    draw, text = ImageDraw.Draw(layer), words(scene, 2, 2)
    size = max(image.size) * scene.rng.uniform(0.03, 0.06)
    ink = (255, 255, 255, scene.rng.randint(70, 130))
    for y in np.arange(0, layer.height, size * 3):
        for x in np.arange(0, layer.width, size * (len(text) * 0.55 + 2)):
            draw.text((x, y), text, ink, font(size))
    layer = layer.rotate(scene.rng.uniform(20, 40))
    layer = layer.crop(
        (image.width // 2, image.height // 2, image.width * 3 // 2 + 1, image.height * 3 // 2 + 1)
    )
    made = image.convert("RGBA")
    made.alpha_composite(layer.resize(image.size))
    return made.convert("RGB")


def logo(image: Image.Image, scene: Scene) -> Image.Image:
    """A brand's sign in a corner."""
    return stamped(image, drawn_logo(scene), scene, scene.rng.uniform(0.15, 0.3))


def drawn_logo(scene: Scene) -> Image.Image:
    """Some brand's sign: shapes and a word on a see-through page of 256 px."""
    sign = Image.new("RGBA", (256, 256))
    draw = ImageDraw.Draw(sign)
    draw.ellipse((8, 8, 248, 248), scene.rng.choice(_INKS), "white", 8)
    points = [(128 + 85 * np.cos(a), 110 + 85 * np.sin(a)) for a in scene.numbers.uniform(0, 7, 5)]
    draw.polygon(points, scene.rng.choice(_INKS))
    draw.text(
        (128, 200),
        scene.rng.choice(WORDS).upper(),
        "white",
        font(44),
        "mm",
        stroke_width=4,
        stroke_fill="black",
    )
    return sign


def stamped(image: Image.Image, sign: Image.Image, scene: Scene, share: float) -> Image.Image:
    """The picture with a sign in one of its corners."""
    side = max(16, round(min(image.size) * share))
    x = scene.rng.choice((side // 5, image.width - side - side // 5))
    y = scene.rng.choice((side // 5, image.height - side - side // 5))
    made = image.convert("RGBA")
    made.alpha_composite(sign.resize((side, side)), (max(0, x), max(0, y)))
    return made.convert("RGB")


def emoji(image: Image.Image, scene: Scene) -> Image.Image:
    """Smileys stuck on it, the largest a third of its height."""
    made = image.copy()
    draw = ImageDraw.Draw(made)
    for _ in range(scene.rng.randint(1, 5)):
        size = min(image.size) * scene.rng.uniform(0.1, 0.33)
        x, y = scene.rng.uniform(0, image.width - size), scene.rng.uniform(0, image.height - size)
        draw.ellipse((x, y, x + size, y + size), "gold", "orange", max(1, int(size / 20)))
        for eye in (0.32, 0.68):
            left, top = x + size * (eye - 0.06), y + size * 0.3
            draw.ellipse((left, top, left + size * 0.12, top + size * 0.17), "black")
        mouth = (x + size * 0.25, y + size * 0.35, x + size * 0.75, y + size * 0.8)
        draw.arc(mouth, 20, 160, "black", max(1, int(size / 18)))
    return made


def scribble(image: Image.Image, scene: Scene) -> Image.Image:
    """Pen strokes, as people mark or cross out things."""
    made = image.copy()
    draw = ImageDraw.Draw(made)
    for _ in range(scene.rng.randint(2, 5)):
        steps = scene.numbers.normal(0, 0.09, (scene.rng.randint(8, 30), 2)).cumsum(axis=0)
        start = np.array([scene.rng.uniform(0.2, 0.8), scene.rng.uniform(0.2, 0.8)])
        line = [(float(x), float(y)) for x, y in (start + steps) * image.size]
        draw.line(line, scene.rng.choice(_INKS), max(2, max(image.size) // 90), "curve")
    return made


def pixelated(image: Image.Image, scene: Scene) -> Image.Image:
    """The place where a face would be is made unrecognizable: pixels, or a black bar."""
    made = image.copy()
    width, height = round(image.width * 0.36), round(image.height * 0.3)
    x = round(image.width * scene.rng.uniform(0.25, 0.4))
    y = round(image.height * scene.rng.uniform(0.12, 0.35))
    part = made.crop((x, y, x + width, y + height))
    if scene.rng.random() < 0.7:
        coarse = part.resize((8, 8), Image.Resampling.BOX)
        made.paste(coarse.resize(part.size, Image.Resampling.NEAREST), (x, y))
    else:
        made.paste("black", (x, y + height // 3, x + width, y + 2 * height // 3))
    return made


OVERLAY: Final = registry(
    "overlay",
    {
        "border": border,
        "square_pad": padded,
        "caption_bar": caption_bar,
        "meme": meme,
        "watermark": watermark,
        "logo": logo,
        "emoji": emoji,
        "scribble": scribble,
        "pixelated": pixelated,
    },
)
