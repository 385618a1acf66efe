"""The photos that the demo submits: what becomes of a portrait on its way through the web."""

import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from scripts.sample.photos import HELD_OUT, PORTRAIT

_CUT = 0.04  # off every edge
_PHONE = (540, 1170)


@dataclass(frozen=True)
class Submitted:
    """A file to submit: what was done to the photo, and whether the dataset holds the photo."""

    path: Path
    story: str
    covered: bool


def pictures_make(folder: Path) -> list[Submitted]:
    """Write the three photos into `folder` and say what each of them is."""
    folder.mkdir(parents=True, exist_ok=True)
    portrait = Image.open(io.BytesIO(PORTRAIT.read())).convert("RGB")
    copy, screen, other = (folder / n for n in ("copy.jpg", "screenshot.png", "other.jpg"))
    altered(portrait).save(copy, quality=60)
    screenshot(portrait).save(screen)
    other.write_bytes(HELD_OUT.read())
    return [
        Submitted(copy, "the portrait, mirrored, 4 % cut off every edge, JPEG quality 60", True),
        Submitted(screen, "a phone's screenshot of the portrait in a social app", True),
        Submitted(other, "a portrait of somebody else, which the dataset does not hold", False),
    ]


def altered(image: Image.Image) -> Image.Image:
    """Return `image` mirrored, with `_CUT` of its width and height cut off every edge."""
    across, down = round(image.width * _CUT), round(image.height * _CUT)
    box = (across, down, image.width - across, image.height - down)
    return ImageOps.mirror(image).crop(box)


def screenshot(image: Image.Image) -> Image.Image:
    """Return `image` as a social app on a phone shows it: bars, names, buttons and all."""
    width, height = _PHONE
    screen = Image.new("RGB", _PHONE, "white")
    draw = ImageDraw.Draw(screen)
    small, large = ImageFont.load_default(18), ImageFont.load_default(24)
    draw.text((28, 16), "9:41", fill="black", font=small)
    draw.rounded_rectangle((472, 18, 508, 34), 5, outline="black", width=2)
    draw.rectangle((476, 22, 498, 30), fill="black")
    draw.line((0, 130, width, 130), fill="#dddddd")
    draw.ellipse((24, 66, 74, 116), fill="#7a9cc6")
    draw.text((90, 66), "space.stories", fill="black", font=large)
    draw.text((90, 96), "2 hours ago", fill="#777777", font=small)
    screen.paste(image.resize((width, width), Image.Resampling.LANCZOS), (0, 150))
    draw.text((28, 712), "1,204 likes    88 comments", fill="black", font=small)
    for line, words in enumerate(("My hero since I was nine.", "#space #astronaut #portrait")):
        draw.text((28, 756 + 30 * line), words, fill="#333333", font=small)
    draw.line((0, height - 90, width, height - 90), fill="#dddddd")
    for place in range(5):
        left = 40 + place * 104
        draw.rounded_rectangle((left, height - 70, left + 40, height - 30), 10, fill="#444444")
    return screen
