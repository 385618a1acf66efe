"""Safe decoding: bytes that anybody may have sent become one plain RGB picture, or a refusal.

What always holds for a picture that comes out: 8-bit RGB, upright (its EXIF orientation is
applied), without any metadata, at least `MIN_SIDE` pixels on each side and at most `MAX_PIXELS`
in all; of an animation, the first frame. The bytes are parsed in a child process that holds no
secret, opens no file and no socket, and is bounded in memory and time (`child.py`); what comes
back are pixels. Only builders of indexes, which are such processes already, decode where they
are (`decode_here`). Pillow and NumPy are all it needs: the web process decodes with it too.
"""

import io

from PIL import Image

from indexer.decode.allowance import Allowance
from indexer.decode.here import decode_here
from indexer.decode.pool import decode, decode_sized, picture_check, turn_hurry
from indexer.decode.process import DecoderUnavailable
from indexer.decode.rules import (
    FORMATS,
    MAX_BYTES,
    MAX_JPEG_SCANS,
    MAX_PIXELS,
    MIN_SIDE,
    REFUSALS,
    ImageRefused,
)

__all__ = [
    "FORMATS",
    "MAX_BYTES",
    "MAX_JPEG_SCANS",
    "MAX_PIXELS",
    "MIN_SIDE",
    "REFUSALS",
    "Allowance",
    "DecoderUnavailable",
    "ImageRefused",
    "decode",
    "decode_here",
    "decode_sized",
    "picture_check",
    "thumbnail",
    "turn_hurry",
]


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
