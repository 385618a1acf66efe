"""Edits that make the picture a part of a larger one: screenshots, collages, pages."""

from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from benchmarks.edits import Encoded, Make, Scene, encode, registry
from benchmarks.edits.overlay import font, words
from benchmarks.edits.tone import fitted, scaled

_ACCENTS: Final = ("steelblue", "tomato", "seagreen", "orchid", "goldenrod", "slateblue")


def look(scene: Scene) -> tuple[str, str, str]:
    """Colors of an app's page: back, ink, accent."""
    dark = scene.rng.random() < 0.45
    accent = scene.rng.choice(_ACCENTS)
    return ("rgb(22,22,26)", "rgb(235,235,235)", accent) if dark else ("white", "black", accent)


def phone_feed(image: Image.Image, scene: Scene) -> Encoded:
    """A phone's screenshot of a feed: the picture fills the width, another post below."""
    back, ink, accent = look(scene)
    page = Image.new("RGB", (480, 1040), back)
    draw = ImageDraw.Draw(page)
    _status_bar(draw, page.width, scene, ink)
    top = _post_head(draw, 46, scene, ink, accent)
    photo = scaled(image, page.width / image.width)
    photo = photo.crop((0, 0, page.width, min(photo.height, 680)))
    page.paste(photo, (0, top))
    below = top + photo.height + 14
    for at in range(4):
        draw.ellipse((14 + at * 46, below, 42 + at * 46, below + 28), outline=ink, width=3)
    for at in range(2):
        draw.text((14, below + 40 + at * 24), words(scene, 4, 7), ink, font(17))
    _post_head(draw, below + 110, scene, ink, accent)
    page.paste(fitted(scene.other(), page.width), (0, below + 170))
    draw.rectangle((0, 985, 480, 1040), back, accent)
    return encode(page, "png")


def chat(image: Image.Image, scene: Scene) -> Encoded:
    """A phone's screenshot of a chat: the picture in a bubble between others."""
    back, ink, accent = look(scene)
    page = Image.new("RGB", (480, 1000), scene.rng.choice((back, "rgb(229,221,213)")))
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, 480, 70), accent)
    draw.text((80, 35), words(scene, 2, 3).title(), "white", font(22), "lm")
    draw.ellipse((20, 12, 66, 58), "gray")
    high = 90
    for _ in range(scene.rng.randint(1, 4)):
        high = _bubble(draw, high, scene, accent)
    photo = fitted(image, scene.rng.randint(260, 360))
    left = scene.rng.choice((14, 466 - photo.width))
    draw.rounded_rectangle(
        (left - 6, high - 6, left + photo.width + 6, high + photo.height + 30), 12, "lightgreen"
    )
    rounded = Image.new("L", photo.size, 0)
    ImageDraw.Draw(rounded).rounded_rectangle((0, 0, *photo.size), 10, 255)
    page.paste(photo, (left, high), rounded)
    high += photo.height + 40
    while high < 920:
        high = _bubble(draw, high, scene, accent)
    draw.text((466, 985), words(scene, 1, 1), ink, font(14), "rm")
    return encode(page, "png")


def browser(image: Image.Image, scene: Scene) -> Encoded:
    """A desktop browser's screenshot: an article with the picture and a side column."""
    back, ink, accent = look(scene)
    page = Image.new("RGB", (1280, 800), back)
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, 1280, 78), "rgb(222,225,230)")
    draw.rounded_rectangle((120, 42, 1000, 70), 14, "white")
    draw.text(
        (140, 56),
        f"https://{scene.rng.choice(words(scene, 3, 3).split())}.example/news",
        "black",
        font(14),
        "lm",
    )
    draw.rectangle((0, 78, 1280, 130), accent)
    draw.text((60, 170), words(scene, 5, 8).title(), ink, font(32), "lm")
    photo = image.copy()
    photo.thumbnail((720, 440))
    page.paste(photo, (60, 210))
    for line in range(6):
        draw.text((60, 225 + photo.height + 24 * line), words(scene, 9, 12), ink, font(16))
    for at in range(3):
        page.paste(ImageOps.fit(scene.other(), (300, 170)), (900, 210 + at * 195))
    return encode(page, scene.rng.choice(("png", "jpg")), 85)


def video_player(image: Image.Image, scene: Scene) -> Image.Image:
    """A video's frame: black bars, a progress bar, a play button."""
    page = ImageOps.pad(image, (960, 540), color="black")
    draw = ImageDraw.Draw(page)
    done = scene.rng.randint(100, 860)
    draw.rectangle((20, 505, 940, 511), "gray")
    draw.rectangle((20, 505, done, 511), "red")
    draw.ellipse((430, 220, 530, 320), "rgb(30,30,30)")
    draw.polygon([(465, 245), (465, 295), (510, 270)], "white")
    draw.text(
        (24, 485),
        f"{scene.rng.randint(0, 59)}:{scene.rng.randint(10, 59)}",
        "white",
        font(15),
        "lm",
    )
    return page


def collage(columns: int, rows: int) -> Make:
    """The picture among others, all cut to equal cells."""

    def make(image: Image.Image, scene: Scene) -> Image.Image:
        cell = max(160, 900 // max(columns, rows))
        gap, color = scene.rng.choice((0, 6, 14)), scene.rng.choice(("white", "black", "pink"))
        page = Image.new("RGB", (columns * (cell + gap) + gap, rows * (cell + gap) + gap), color)
        mine = scene.rng.randrange(columns * rows)
        for at in range(columns * rows):
            picture = image if at == mine else scene.other()
            place = (gap + at % columns * (cell + gap), gap + at // columns * (cell + gap))
            page.paste(ImageOps.fit(picture, (cell, cell)), place)
        return page

    return make


def side_by_side(image: Image.Image, scene: Scene) -> Image.Image:
    """Before and after: two pictures of the same height, both whole."""
    parts = [image, scene.other()]
    scene.rng.shuffle(parts)
    parts = [scaled(one, 480 / one.height) for one in parts]
    page = Image.new("RGB", (sum(one.width for one in parts) + 8, 480), "white")
    page.paste(parts[0], (0, 0))
    page.paste(parts[1], (parts[0].width + 8, 0))
    return page


def inset(image: Image.Image, scene: Scene) -> Image.Image:
    """Picture in picture: a third of another one's width, in a corner."""
    page = fitted(scene.other(), 960)
    small = fitted(image, round(min(page.size) * scene.rng.uniform(0.4, 0.55)))
    small = ImageOps.expand(small, 4, "white")
    x = scene.rng.choice((12, max(0, page.width - small.width - 12)))
    y = scene.rng.choice((12, max(0, page.height - small.height - 12)))
    page.paste(small, (x, y))
    return page


def story(image: Image.Image, scene: Scene) -> Image.Image:
    """An upright page whose empty parts are filled with the picture itself, blurred."""
    page = ImageOps.fit(image, (540, 960)).filter(ImageFilter.GaussianBlur(24))
    photo = fitted(image, scene.rng.randint(400, 530))
    photo.thumbnail((520, 820))
    page.paste(photo, ((540 - photo.width) // 2, (960 - photo.height) // 2))
    ImageDraw.Draw(page).text(
        (270, 900), words(scene, 2, 4), "white", font(28), "mm", stroke_width=2, stroke_fill="black"
    )
    return page


def document_page(image: Image.Image, scene: Scene) -> Image.Image:
    """A page of a document or magazine, text in two columns around the picture."""
    page = Image.new("RGB", (850, 1100), "rgb(252,251,247)")
    draw = ImageDraw.Draw(page)
    draw.text((60, 80), words(scene, 3, 5).title(), "black", font(40), "lm")
    photo = image.copy()
    photo.thumbnail((scene.rng.randint(330, 720), 460))
    left = scene.rng.choice((60, 790 - photo.width))
    page.paste(photo, (left, 130))
    for column in (60, 440):
        overlaps = column < left + photo.width and left < column + 350
        start = 150 + photo.height if overlaps else 135
        for high in np.arange(start, 1040, 19):
            draw.text((column, float(high)), words(scene, 7, 7)[:48], "black", font(14))
    return page


def polaroid(image: Image.Image, scene: Scene) -> Image.Image:
    """An instant print lying askew on another picture."""
    print_ = ImageOps.expand(ImageOps.fit(image, (460, 460)), 24, "rgb(245,243,238)")
    card = Image.new("RGB", (508, 600), "rgb(245,243,238)")
    card.paste(print_, (0, 0))
    ImageDraw.Draw(card).text((254, 545), words(scene, 2, 3), "navy", font(30), "mm")
    angle = scene.rng.uniform(-10, 10)
    mask = Image.new("L", card.size, 255).rotate(angle, expand=True)
    card = card.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    page = ImageOps.fit(scene.other(), (760, 800))
    page.paste(card, ((760 - card.width) // 2, (800 - card.height) // 2), mask)
    return page


def _status_bar(draw: ImageDraw.ImageDraw, width: int, scene: Scene, ink: str) -> None:
    clock = f"{scene.rng.randint(0, 23)}:{scene.rng.randint(10, 59)}"
    draw.text((24, 20), clock, ink, font(18), "lm")
    draw.rounded_rectangle((width - 58, 12, width - 22, 28), 4, outline=ink, width=2)


def _post_head(draw: ImageDraw.ImageDraw, high: int, scene: Scene, ink: str, accent: str) -> int:
    draw.ellipse((14, high + 8, 54, high + 48), accent)
    draw.text((66, high + 20), words(scene, 1, 2), ink, font(18), "lm")
    draw.text((66, high + 42), words(scene, 2, 3), "gray", font(13), "lm")
    return high + 60


def _bubble(draw: ImageDraw.ImageDraw, high: int, scene: Scene, accent: str) -> int:
    mine, text = scene.rng.random() < 0.5, words(scene, 2, 6)
    width = draw.textlength(text, font(17)) + 28
    left = 466 - width if mine else 14
    draw.rounded_rectangle((left, high, left + width, high + 42), 14, accent if mine else "gray")
    draw.text((left + 14, high + 21), text, "white", font(17), "lm")
    return high + 56


LAYOUT: Final = registry(
    "layout",
    {
        "phone_feed": phone_feed,
        "chat": chat,
        "browser": browser,
        "video_player": video_player,
        "side_by_side": side_by_side,
        "collage_1x2": collage(2, 1),
        "collage_2x2": collage(2, 2),
        "collage_3x3": collage(3, 3),
        "inset": inset,
        "story": story,
        "document_page": document_page,
        "polaroid": polaroid,
    },
)
