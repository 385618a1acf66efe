"""Pairs of pictures that look alike in a part, or in kind, and are no copies of each other.

Each maker gives a picture for the dataset and one for the query. What they share is what
matching must not take for a copy: the flag behind two people, a logo, a caption, the chrome of
an app, a repeated texture, a kind of chart, a page of text, or hardly anything at all. The
burst-like pairs are two frames of one scene that the pool happens to hold.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from benchmarks.edits import Scene, decoded
from benchmarks.edits.layout import browser, document_page, phone_feed
from benchmarks.edits.overlay import WORDS, caption_bar, drawn_logo, font, stamped, words
from benchmarks.edits.tone import painted, pixels_of

Pair = tuple[Image.Image, Image.Image]


@dataclass(frozen=True, slots=True)
class Cast:
    """Who and what appears in a pair.

    Attributes:
        rng: the only source of chance.
        photo: gives a photograph, another one at each call.
        face: likewise, a portrait.
        common: likewise, a photograph for what the two pictures of a pair share.
    """

    rng: Random
    photo: Callable[[], Image.Image]
    face: Callable[[], Image.Image]
    common: Callable[[], Image.Image]

    @property
    def numbers(self) -> np.random.Generator:
        """A NumPy generator seeded from `rng`, another one at each access."""
        return np.random.default_rng(self.rng.getrandbits(64))

    def twin_scenes(self) -> tuple[Scene, Scene]:
        """Two scenes that take the same chances but other pictures."""
        seed = self.rng.getrandbits(64)
        return Scene(Random(seed), self.photo), Scene(Random(seed), self.photo)


def same_flag(cast: Cast) -> Pair:
    """Two people before the same flag, as officials are photographed."""
    return _people_before(_flag(cast), cast)


def same_studio(cast: Cast) -> Pair:
    """Two people before the same lit backdrop."""
    return _people_before(_studio(cast), cast)


def same_place(cast: Cast) -> Pair:
    """Two people before the same view."""
    view = ImageOps.fit(cast.common(), (512, 512)).filter(ImageFilter.GaussianBlur(1.5))
    return _people_before(view, cast)


def same_logo(cast: Cast) -> Pair:
    """The same large sign in the same corner of two pictures."""
    one, other = cast.twin_scenes()
    sign, seed = drawn_logo(one), cast.rng.getrandbits(64)
    first, second = (Scene(Random(seed), other.other) for _ in range(2))
    return (
        stamped(ImageOps.fit(cast.photo(), (640, 480)), sign, first, 0.35),
        stamped(ImageOps.fit(cast.photo(), (640, 480)), sign, second, 0.35),
    )


def same_caption(cast: Cast) -> Pair:
    """The same words in the same bar."""
    one, other = cast.twin_scenes()
    first = caption_bar(ImageOps.fit(cast.photo(), (640, 480)), one)
    return first, caption_bar(ImageOps.fit(cast.photo(), (640, 480)), other)


def same_frame(cast: Cast) -> Pair:
    """The same ornamented frame."""
    frame = _ornament(cast)
    return _framed(cast.photo(), frame), _framed(cast.photo(), frame)


def same_app(cast: Cast) -> Pair:
    """The same app's screen, word by word, around two pictures."""
    one, other = cast.twin_scenes()
    page = cast.rng.choice((phone_feed, browser))
    return decoded(page(cast.photo(), one)), decoded(page(cast.photo(), other))


def same_page(cast: Cast) -> Pair:
    """The same document's page with two pictures."""
    one, other = cast.twin_scenes()
    shape = cast.rng.choice(((640, 480), (480, 640)))
    first = document_page(ImageOps.fit(cast.photo(), shape), one)
    return first, document_page(ImageOps.fit(cast.photo(), shape), other)


def same_texture(cast: Cast) -> Pair:
    """One repeated tile, in two arrangements, behind two things."""
    tile = ImageOps.fit(cast.common(), (64, 64)).filter(ImageFilter.SHARPEN)
    return _tiled(tile, cast), _tiled(tile, cast)


def charts(cast: Cast) -> Pair:
    """Two charts of other numbers."""
    kind = cast.rng.choice((_bars, _curve))
    return kind(cast), kind(cast)


def text_pages(cast: Cast) -> Pair:
    """Two pages of other words in the same type."""
    return _text_page(cast), _text_page(cast)


def gradients(cast: Cast) -> Pair:
    """Two soft changes of color."""
    return _gradient(cast), _gradient(cast)


def dark_frames(cast: Cast) -> Pair:
    """Two frames of a film that are all but black."""
    return _dark(cast), _dark(cast)


def _people_before(ground: Image.Image, cast: Cast) -> Pair:
    return _person_before(ground, cast), _person_before(ground, cast)


def _person_before(ground: Image.Image, cast: Cast) -> Image.Image:
    """A person's middle, softly cut out, on a ground that is lit a little differently each time."""
    width = cast.rng.randint(250, 330)
    person = ImageOps.fit(cast.face(), (width, round(width * 1.35)), centering=(0.5, 0.3))
    mask = Image.new("L", person.size, 0)
    ImageDraw.Draw(mask).ellipse((6, 6, person.width - 6, person.height - 6), 255)
    light = cast.rng.uniform(0.92, 1.08)
    page = painted(pixels_of(ground) * light)
    x = (page.width - width) // 2 + cast.rng.randint(-30, 30)
    y = page.height - person.height + cast.rng.randint(-10, 40)
    page.paste(person, (x, y), mask.filter(ImageFilter.GaussianBlur(8)))
    return page


def _flag(cast: Cast) -> Image.Image:
    """Stripes and stars on hanging cloth, at one side of a paneled wall."""
    cloth = Image.new("RGB", (512, 512), "rgb(178,34,52)")
    draw = ImageDraw.Draw(cloth)
    for at in range(1, 13, 2):
        draw.rectangle((at * 40, 0, at * 40 + 40, 512), "white")
    draw.rectangle((0, 0, 290, 230), "rgb(60,59,110)")
    for left in range(24, 290, 48):
        for top in range(22, 230, 42):
            draw.regular_polygon((left, top, 12), 5, cast.rng.randint(0, 9), "white")
    pixels = pixels_of(cloth)
    x, y = np.arange(512)[None, :], np.arange(512)[:, None]
    shift = (18 * np.sin(x / 37 + y / 160)).astype(int)
    folded = pixels[np.clip(y + shift, 0, 511), np.broadcast_to(x, (512, 512))]
    folded *= (0.8 + 0.25 * np.cos(x / 37 + y / 160))[:, :, None]
    wall = (
        np.full((512, 512, 3), (96.0, 70.0, 50.0)) * (0.8 + 0.2 * np.cos(x / 25) ** 8)[:, :, None]
    )
    edge = cast.rng.randint(170, 300)
    side = np.broadcast_to(x < edge, (512, 512))[:, :, None]
    return painted(np.where(side, folded, wall))


def _studio(cast: Cast) -> Image.Image:
    """A mottled cloth, brighter in the middle."""
    coarse = cast.numbers.normal(0, 16, (12, 12, 1)).repeat(3, axis=2)
    mottled = pixels_of(painted(coarse + 128).resize((512, 512), Image.Resampling.BICUBIC)) - 128
    x, y = np.linspace(-1, 1, 512)[None, :], np.linspace(-1, 1, 512)[:, None]
    light = (1.1 - 0.5 * (x**2 + y**2))[:, :, None]
    color = np.array([cast.rng.uniform(60, 170) for _ in range(3)])
    return painted((color + mottled) * light)


def _ornament(cast: Cast) -> Image.Image:
    frame = Image.new("RGB", (600, 600), cast.rng.choice(("darkgoldenrod", "saddlebrown", "navy")))
    draw = ImageDraw.Draw(frame)
    corners = cast.rng.randint(3, 7)
    for at in range(12, 600, 36):
        for place in ((at, 28), (at, 572), (28, at), (572, at)):
            draw.regular_polygon((*place, 17), corners, at, "gold", "black")
    return frame


def _framed(photo: Image.Image, frame: Image.Image) -> Image.Image:
    page = frame.copy()
    page.paste(ImageOps.fit(photo, (490, 490)), (55, 55))
    return page


def _tiled(tile: Image.Image, cast: Cast) -> Image.Image:
    page = Image.new("RGB", (576, 448))
    dx, dy = cast.rng.randint(0, 63), cast.rng.randint(0, 63)
    for x in range(-dx, 576, 64):
        for y in range(-dy, 448, 64):
            page.paste(tile, (x, y))
    thing = ImageOps.fit(cast.photo(), (240, 240))
    page.paste(thing, (cast.rng.randint(20, 316), cast.rng.randint(20, 188)))
    return page


def _axes(cast: Cast) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    page = Image.new("RGB", (640, 480), "white")
    draw = ImageDraw.Draw(page)
    draw.line([(70, 40), (70, 420), (610, 420)], "black", 2)
    for at in range(6):
        draw.text((62, 420 - at * 72), str(at * 20), "black", font(14), "rm")
        draw.line([(70, 420 - at * 72), (610, 420 - at * 72)], "lightgray")
    draw.text((340, 20), words(Scene(cast.rng, cast.photo), 3, 5).title(), "black", font(20), "mm")
    return page, draw


def _bars(cast: Cast) -> Image.Image:
    page, draw = _axes(cast)
    for at in range(8):
        left = 90 + at * 64
        draw.rectangle((left, cast.rng.randint(60, 400), left + 44, 420), "steelblue")
        draw.text((left + 22, 436), WORDS[at], "black", font(13), "mm")
    return page


def _curve(cast: Cast) -> Image.Image:
    page, draw = _axes(cast)
    for color in ("tomato", "seagreen", "steelblue"):
        heights = 240 + np.cumsum(cast.numbers.normal(0, 22, 50))
        points = [(70 + 11 * at, float(np.clip(y, 45, 418))) for at, y in enumerate(heights)]
        draw.line(points, color, 3)
    return page


def _text_page(cast: Cast) -> Image.Image:
    page = Image.new("RGB", (600, 800), "white")
    draw = ImageDraw.Draw(page)
    scene = Scene(cast.rng, cast.photo)
    for at in range(36):
        draw.text((50, 50 + at * 20), words(scene, 8, 10)[:68], "black", font(15))
    return page


def _gradient(cast: Cast) -> Image.Image:
    ends = cast.numbers.uniform(0, 255, (2, 2, 3))
    return painted(ends).resize((512, 384), Image.Resampling.BICUBIC)


def _dark(cast: Cast) -> Image.Image:
    frame = pixels_of(ImageOps.fit(cast.photo(), (512, 288))) * 0.02
    return painted(frame + cast.numbers.normal(3, 1.5, frame.shape))


NEGATIVES: Final[dict[str, Callable[[Cast], Pair]]] = {
    make.__name__: make
    for make in (
        same_flag, same_studio, same_place, same_logo, same_caption, same_frame, same_app,
        same_page, same_texture, charts, text_pages, gradients, dark_frames,
    )
}  # fmt: skip
