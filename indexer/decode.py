"""Safe decoding: bytes that anybody may have sent become one plain RGB picture, or a refusal.

What always holds for a picture that comes out: 8-bit RGB, upright (its EXIF orientation is
applied), without any metadata, at least `MIN_SIDE` pixels on each side and at most `MAX_PIXELS`
in all; of an animation, the first frame. Sizes are checked from the header, before any pixel is
decoded, and only the formats of the allow-list ever reach a decoder, whatever the file's name.
Pillow and NumPy are all it needs: the web process decodes with this module too.
"""

import importlib.util
import io
import warnings
from typing import Final

import numpy as np
from PIL import Image, UnidentifiedImageError, features

MAX_BYTES: Final = 20 * 1024 * 1024
MAX_PIXELS: Final = 40_000_000
MIN_SIDE: Final = 8
# A photograph saved as progressive JPEG has about ten scans. Each costs a pass over the picture,
# so thousands of them, in a small file, would keep a process busy for minutes.
MAX_JPEG_SCANS: Final = 64

REFUSALS: Final = {
    "empty": "The file is empty. Choose the picture again.",
    "too_many_bytes": "The file is larger than 20 MB. Save the picture smaller and try again.",
    "unknown_format": "This is not a picture of a format we read. Send JPEG, PNG, WebP or GIF.",
    "too_many_pixels": "The picture has more than 40 megapixels. Scale it down and try again.",
    "too_small": f"The picture is too small: each side needs at least {MIN_SIDE} pixels.",
    "too_many_scans": "The picture is stored in an unusual way. Save it again as JPEG or PNG.",
    "too_plain": "There is too little in the picture to recognize it by. Send one that shows more.",
    "broken": "The picture is damaged or incomplete. Open it, save it again and send that copy.",
}

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

# For the whole process, as Pillow's documentation advises: a filter set and unset around each
# decoding would race between threads.
warnings.simplefilter("error", Image.DecompressionBombWarning)


class ImageRefused(ValueError):
    """The bytes are not taken as a picture.

    Attributes:
        reason: a stable code, a key of `REFUSALS`.
        sentence: what is wrong and how to mend it; holds nothing of the file.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.sentence = REFUSALS[reason]
        super().__init__(self.sentence)


def _formats() -> tuple[str, ...]:
    """The formats read here: the four that always are, AVIF and HEIC where libraries are."""
    formats = ["JPEG", "PNG", "WEBP", "GIF"]
    if features.check("avif"):
        formats.append("AVIF")
    if importlib.util.find_spec("pillow_heif") is not None:
        importlib.import_module("pillow_heif").register_heif_opener()
        formats.append("HEIF")
    return tuple(formats)


FORMATS: Final = _formats()


def decode(data: bytes, *, side: int | None = None) -> Image.Image:
    """Decode a file's bytes to an upright 8-bit RGB picture without metadata.

    Args:
        data: the whole file, as received.
        side: where a JPEG can be decoded at a half, a quarter or an eighth of its size with no
            side becoming shorter than this, in pixels, it is, at a fraction of the time; None:
            at its full size. Sizes are still checked as the file states them.

    Returns:
        A picture of mode "RGB" whose `info` is empty.

    Raises:
        ImageRefused: it is too large, too small, of another format, or broken.
    """
    return decode_sized(data, side=side)[0]


def decode_sized(data: bytes, *, side: int | None = None) -> tuple[Image.Image, tuple[int, int]]:
    """Decode as `decode` does, and tell the upright width and height of the picture in full.

    Raises:
        ImageRefused: see `decode`.
    """
    image = _opened(data)
    size = image.size
    try:
        if side is not None and image.format == "JPEG":
            image.draft(None, (side, side))  # None: keep the mode
        image.load()
        rgb = _to_rgb(_turned(image))
    except Exception as error:  # damaged files raise whatever they like in Pillow
        raise ImageRefused("broken") from error
    rgb.info = {}
    on_its_side = _orientation(image) in _ON_THEIR_SIDE
    return rgb, (size[1], size[0]) if on_its_side else size


def thumbnail(image: Image.Image, side: int) -> bytes:
    """Encode a picture as JPEG without metadata, its longer side at most `side` pixels.

    Args:
        image: a picture as `decode` gives it; it is left as it is.
        side: the bound on width and height, in pixels.
    """
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    small.info = {}
    out = io.BytesIO()
    small.save(out, "JPEG", quality=85)
    return out.getvalue()


def _opened(data: bytes) -> Image.Image:
    """Read the header alone and refuse by it."""
    if not data:
        raise ImageRefused("empty")
    if len(data) > MAX_BYTES:
        raise ImageRefused("too_many_bytes")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageRefused("too_many_pixels") from error
    except UnidentifiedImageError as error:
        raise ImageRefused("unknown_format") from error
    except Exception as error:
        raise ImageRefused("broken") from error
    _check_size(*image.size)
    # In a JPEG's scans a byte FF is never followed by DA, so this counts their markers.
    if image.format in ("JPEG", "MPO") and data.count(b"\xff\xda") > MAX_JPEG_SCANS:
        raise ImageRefused("too_many_scans")
    return image


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise ImageRefused("too_many_pixels")
    if min(width, height) < MIN_SIDE:
        raise ImageRefused("too_small")


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation; 1 (upright) where it is missing, illegal or unreadable."""
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001 - EXIF that cannot be read says nothing
        return 1
    return value if isinstance(value, int) else 1


def _turned(image: Image.Image) -> Image.Image:
    method = _UPRIGHT.get(_orientation(image))
    return image if method is None else image.transpose(method)


def _to_rgb(image: Image.Image) -> Image.Image:
    """Bring any mode that the formats give to 8-bit RGB."""
    if image.mode.startswith("I"):  # 16-bit grey: scaled, where convert() would clip
        grey = np.asarray(image).astype(np.uint32)
        image = Image.fromarray((grey >> 8).clip(0, 255).astype(np.uint8))
    elif image.mode in ("P", "PA"):  # the way by RGBA looks the colors up, transparent or not
        image = image.convert("RGBA")
    return image.convert("RGB")
