"""Make the example pictures of docs/matching.md: `python -m scripts.matching_examples`.

From photographs that scikit-image ships: the astronaut is NASA's and public domain, the cat is
Stéfan van der Walt's and CC0, the coffee Rachel Michetti's and CC0. No picture is fetched.
"""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps
from skimage import data

from indexer.geometry.verify import Geometry, Probe, probe_make, verify

OUT: Final = Path(__file__).parents[1] / "docs" / "images" / "matching.jpg"
_CELL: Final = (250, 190)
_GAP: Final = 10
_LINE: Final = 44


def shipped(name: str) -> Image.Image:
    """A photograph that scikit-image ships."""
    return Image.open(Path(data.__file__).with_name(f"{name}.png")).convert("RGB")


def on_a_screen(image: Image.Image) -> Image.Image:
    """Photographed from aside, dimmed, soft."""
    wide = ImageOps.expand(image, 60, (34, 36, 40))
    corners = (-30, -40, 10, wide.height + 10, wide.width + 60, wide.height - 30, wide.width, 40)
    seen = wide.transform(wide.size, Image.Transform.QUAD, corners, Image.Resampling.BICUBIC)
    return seen.point([round(20 + level * 0.8) for level in range(256)] * 3).filter(
        ImageFilter.GaussianBlur(1)
    )


def in_a_collage(image: Image.Image) -> Image.Image:
    """One of four, cut to a square."""
    others = [shipped("chelsea"), shipped("coffee")]
    page = Image.new("RGB", (480, 480))
    for number, tile in enumerate([others[0], others[1], image, others[0].rotate(180)]):
        page.paste(ImageOps.fit(tile, (240, 240)), (number % 2 * 240, number // 2 * 240))
    return page


def mirrored_and_cut(image: Image.Image) -> Image.Image:
    """About a third of it, mirrored."""
    return ImageOps.mirror(image.crop((90, 20, 390, 310)))


def another_before_the_flag(image: Image.Image) -> Image.Image:
    """Somebody else before the same background: a cat."""
    cat = ImageOps.fit(shipped("chelsea"), (300, 420))
    mask = Image.new("L", cat.size)
    draw = ImageDraw.Draw(mask)
    draw.ellipse((60, 0, 240, 250), fill=255)
    draw.ellipse((0, 180, 300, 640), fill=255)
    changed = image.copy()
    changed.paste(cat, (70, 92), mask.filter(ImageFilter.GaussianBlur(4)))
    return changed


EXAMPLES: Final[Sequence[tuple[str, Callable[[Image.Image], Image.Image]]]] = (
    ("photo of a screen", on_a_screen),
    ("tile of a collage", in_a_collage),
    ("a third, mirrored", mirrored_and_cut),
    ("another before the same flag", another_before_the_flag),
)


def example_geometry(edit: Callable[[Image.Image], Image.Image]) -> Geometry:
    """Lay the stored astronaut over an edit of it."""
    stored = io.BytesIO()
    shipped("astronaut").resize((384, 384)).save(stored, "JPEG", quality=95)
    found = verify(Probe.read(probe_make(edit(shipped("astronaut")))), stored.getvalue())
    if found is None:
        raise RuntimeError("The stored picture cannot be decoded.")
    return found


def main() -> None:
    """Draw all examples into one picture and print their figures."""
    width = len(EXAMPLES) * (_CELL[0] + _GAP) - _GAP
    sheet = Image.new("RGB", (width, _CELL[1] + _LINE), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=14)
    for number, (name, edit) in enumerate(EXAMPLES):
        found = example_geometry(edit)
        x = number * (_CELL[0] + _GAP)
        shown = ImageOps.contain(edit(shipped("astronaut")), _CELL)
        sheet.paste(shown, (x + (_CELL[0] - shown.width) // 2, 0))
        facts = f"{found.inliers} inliers, {found.agreement:.0%} agrees"
        draw.text((x, _CELL[1] + 4), f"{name}\n{facts}", fill="black", font=font)
        print(f"{name}: {found}")
    sheet.save(OUT, "JPEG", quality=80)


if __name__ == "__main__":
    main()
