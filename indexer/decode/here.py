"""Decoding itself, in whatever process this is: the child's work, and that of index builders.

Sizes are checked from the header, before any pixel is decoded, and only the formats of the
allow-list ever reach a decoder, whatever the file's name. A large picture is turned and brought to
RGB strip by strip, so that beside the decoded picture only a strip's worth of memory is needed.
"""

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from indexer.decode.rules import (
    FORMATS,
    MAX_JPEG_SCANS,
    ImageRefused,
    bytes_check,
    size_check,
)

# EXIF's tag 274: how to turn the stored pixels so that the picture stands upright.
_ORIENTATION_TAG: Final = 0x0112
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_THEIR_SIDE: Final = (5, 6, 7, 8)
# Orientations whose first upright row or column is the stored picture's last one.
_FROM_THE_END: Final = (3, 4, 7, 8)
_STRIP_PIXELS: Final = 4_000_000

# For the whole process, as Pillow's documentation advises: a filter set and unset around each
# decoding would race between threads.
warnings.simplefilter("error", Image.DecompressionBombWarning)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded picture as it was stored, with how to turn it upright."""

    image: Image.Image
    orientation: int
    stored: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        """Upright width and height of the pixels that are here."""
        return self._upright(self.image.size)

    @property
    def full(self) -> tuple[int, int]:
        """Upright width and height of the picture as the file states them."""
        return self._upright(self.stored)

    def _upright(self, size: tuple[int, int]) -> tuple[int, int]:
        return (size[1], size[0]) if self.orientation in _ON_THEIR_SIDE else size

    def strips(self, pixels: int = _STRIP_PIXELS) -> Iterator[Image.Image]:
        """Give the upright picture in RGB without metadata, from top to bottom.

        Args:
            pixels: about how many a strip has.

        Raises:
            ImageRefused: a strip cannot be brought to RGB.
        """
        width, height = self.size
        rows = max(1, pixels // width)
        for top in range(0, height, rows):
            yield self._strip(top, min(top + rows, height))

    def _strip(self, top: int, bottom: int) -> Image.Image:
        method = _UPRIGHT.get(self.orientation)
        try:
            part = self.image
            if (top, bottom) != (0, self.size[1]):
                part = part.crop(self._box(top, bottom))
            rgb = _to_rgb(part if method is None else part.transpose(method))
        except MemoryError as error:
            raise ImageRefused("too_costly") from error
        except Exception as error:
            raise ImageRefused("broken") from error
        rgb.info = {}
        return rgb

    def _box(self, top: int, bottom: int) -> tuple[int, int, int, int]:
        """Return where in the stored picture the upright rows from `top` to `bottom` lie."""
        width, height = self.image.size
        if self.orientation in _FROM_THE_END:
            top, bottom = self.size[1] - bottom, self.size[1] - top
        if self.orientation in _ON_THEIR_SIDE:
            return top, 0, bottom, height
        return 0, top, width, bottom


def decode_here(data: bytes, *, side: int | None = None) -> tuple[Image.Image, tuple[int, int]]:
    """Decode in this process what `indexer.decode.decode_sized` decodes in a child.

    Raises:
        ImageRefused: see there.
    """
    decoded = pixels_decode(data, side=side)
    return assembled(decoded.size, decoded.strips()), decoded.full


def assembled(size: tuple[int, int], strips: Iterator[Image.Image]) -> Image.Image:
    """Put strips together, from top to bottom."""
    whole: Image.Image | None = None
    top = 0
    for strip in strips:
        if strip.size == size:
            return strip
        whole = whole or Image.new("RGB", size)
        whole.paste(strip, (0, top))
        top += strip.height
    if whole is None:
        raise ImageRefused("broken")
    return whole


def pixels_decode(data: bytes, *, side: int | None = None) -> Decoded:
    """Decode the pixels, not yet turned or brought to RGB.

    Raises:
        ImageRefused: it is too large, too small, of another format, or broken.
    """
    image = _opened(data)
    stored = image.size
    try:
        if side is not None and image.format == "JPEG":
            image.draft(None, (side, side))  # None: keep the mode
        image.load()
    except MemoryError as error:
        raise ImageRefused("too_costly") from error
    except Exception as error:  # damaged files raise whatever they like in Pillow
        raise ImageRefused("broken") from error
    return Decoded(image, _orientation(image), stored)


def _opened(data: bytes) -> Image.Image:
    """Read the header alone and refuse by it."""
    bytes_check(data)
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageRefused("too_many_pixels") from error
    except UnidentifiedImageError as error:
        raise ImageRefused("unknown_format") from error
    except MemoryError as error:
        raise ImageRefused("too_costly") from error
    except Exception as error:
        raise ImageRefused("broken") from error
    size_check(*image.size)
    # In a JPEG's scans a byte FF is never followed by DA, so this counts their markers.
    if image.format in ("JPEG", "MPO") and data.count(b"\xff\xda") > MAX_JPEG_SCANS:
        raise ImageRefused("too_many_scans")
    return image


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation; 1 (upright) where it is missing, illegal or unreadable."""
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001 - EXIF that cannot be read says nothing
        return 1
    return value if isinstance(value, int) else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    """Bring any mode that the formats give to 8-bit RGB."""
    if image.mode.startswith("I"):  # 16-bit grey: scaled, where convert() would clip
        grey = np.asarray(image).astype(np.uint32)
        image = Image.fromarray((grey >> 8).clip(0, 255).astype(np.uint8))
    elif image.mode in ("P", "PA"):  # the way by RGBA looks the colors up, transparent or not
        image = image.convert("RGBA")
    return image.convert("RGB")
