"""What is taken as a picture: limits, formats, and one sentence for each way of saying no."""

import importlib.util
from typing import Final

from PIL import features

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
    "too_costly": "The picture takes too long to read. Save it again as JPEG or PNG and try again.",
    "too_costly_together": "These pictures take too long to read together. Send this one again in "
    "a request of its own.",
    "too_plain": "There is too little in the picture to recognize it by. Send one that shows more.",
    "broken": "The picture is damaged or incomplete. Open it, save it again and send that copy.",
}


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


def bytes_check(data: bytes) -> None:
    """Refuse by the number of bytes alone.

    Raises:
        ImageRefused: there are none, or more than `MAX_BYTES`.
    """
    if not data:
        raise ImageRefused("empty")
    if len(data) > MAX_BYTES:
        raise ImageRefused("too_many_bytes")


def size_check(width: int, height: int) -> None:
    """Refuse by the number of pixels.

    Raises:
        ImageRefused: more than `MAX_PIXELS`, or a side shorter than `MIN_SIDE`.
    """
    if width * height > MAX_PIXELS:
        raise ImageRefused("too_many_pixels")
    if min(width, height) < MIN_SIDE:
        raise ImageRefused("too_small")
