"""The subject's own photo, made small, with the part that was found marked.

It is made from what they sent and nothing else: no pixel of a matched row can get into it.
"""

import io
from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageDraw

from indexer.decode import decode
from removal.custody.content import Region

SIDE: Final = 480
_SHADE: Final = (28, 36, 38)
_SHADED: Final = 0.7
_LINE: Final = 3  # pixels
_OUTER: Final = (20, 20, 20)
_INNER: Final = (255, 207, 51)


def photo_marked(data: bytes, regions: Sequence[Region]) -> bytes:
    """Return a photo as a small JPEG without metadata; what lies outside the regions is shaded.

    Args:
        data: the photo as it was sent.
        regions: the parts that were found, as shares of its sides; none: the whole is shown.

    Raises:
        ImageRefused: it cannot be decoded here.
        DecoderUnavailable: nothing can, at this moment.
    """
    image = decode(data, side=SIDE)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    boxes = [_pixels(region, image.size) for region in regions]
    if boxes:
        image = Image.composite(image, _shaded(image), _mask(image.size, boxes))
        for box in boxes:
            _outlined(ImageDraw.Draw(image), box)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=82)
    return out.getvalue()


def _pixels(region: Region, size: tuple[int, int]) -> tuple[int, int, int, int]:
    width, height = size
    left, top, right, bottom = region
    x, y = min(int(left * width), width - 1), min(int(top * height), height - 1)
    return x, y, max(x, round(right * width) - 1), max(y, round(bottom * height) - 1)


def _shaded(image: Image.Image) -> Image.Image:
    return Image.blend(image, Image.new("RGB", image.size, _SHADE), _SHADED)


def _mask(size: tuple[int, int], boxes: Sequence[tuple[int, int, int, int]]) -> Image.Image:
    mask = Image.new("L", size, 0)
    draw = ImageDraw.Draw(mask)
    for box in boxes:
        draw.rectangle(box, fill=255)
    return mask


def _outlined(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int]) -> None:
    """Draw a light line within a dark one, so that it shows on any photo."""
    left, top, right, bottom = box
    draw.rectangle(box, outline=_OUTER, width=_LINE)
    if right - left > 4 * _LINE and bottom - top > 4 * _LINE:
        inner = (left + _LINE, top + _LINE, right - _LINE, bottom - _LINE)
        draw.rectangle(inner, outline=_INNER, width=_LINE)
