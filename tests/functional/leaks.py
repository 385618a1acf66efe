"""Marked values in everything that a subject sends, and the search for them in all that is kept.

A mark is looked for as bytes, as hex and as base64 (at each of the three offsets), since a leak
seldom comes in the shape that one expects.
"""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image

PLACE = "48.858370N-2.294481E-MARK"
FILE_NAME = "holiday-of-jane-MARKQX.jpg"
NOTE = "my note MARKQX-NOTE-7731, please remove me"
AGENT = "Mozilla/5.0 (MARKQX-AGENT-5512)"
ADDRESS = "203.0.113.77"


@dataclass(frozen=True)
class Marked:
    """A photo to send, with marks in its metadata and its name."""

    path: Path
    headers: Mapping[str, str]


def photo_marked(image: Image.Image, folder: Path) -> Marked:
    """Save `image` as a JPEG that carries a place and a name, as a phone's photo does."""
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = PLACE
    exif[ExifTags.Base.Artist] = PLACE
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSAreaInformation] = PLACE.encode()
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80, exif=exif)
    path = folder / FILE_NAME
    path.write_bytes(out.getvalue())
    return Marked(path, {"User-Agent": AGENT, "X-Forwarded-For": ADDRESS})


def marks_of(receipt: str, photo: bytes) -> dict[str, list[bytes]]:
    """Return each mark with every shape that it could be stored in."""
    plain = {
        "place in the photo": PLACE,
        "file name": FILE_NAME,
        "note": NOTE,
        "user agent": AGENT,
        "address": ADDRESS,
        "receipt": receipt,
        "receipt without hyphens": receipt.replace("-", ""),
        "receipt in lower case": receipt.lower(),
    }
    middle = len(photo) // 2
    shapes = {name: _shapes(value.encode()) for name, value in plain.items()}
    shapes["bytes of the photo"] = _shapes(photo[middle : middle + 48])
    return shapes


def _shapes(value: bytes) -> list[bytes]:
    shapes = [value, value.hex().encode(), value.decode("latin-1").encode("utf-16-le")]
    for offset in range(3):  # base64 of something that holds the value somewhere inside
        encoded = base64.b64encode(b"\0" * offset + value)
        skip, end = (0, 2, 3)[offset], len(encoded) - 4
        shapes.append(encoded[skip:end])
    return shapes


def found_in_folder(folder: Path, marks: Mapping[str, list[bytes]]) -> list[str]:
    """Return, for each mark that some file's bytes or name hold, which one and where."""
    found: list[str] = []
    for path in sorted(folder.rglob("*")):
        data = str(path.relative_to(folder)).encode()
        if path.is_file() and not path.is_symlink():
            data += b"\0" + path.read_bytes()
        found += [f"{name} in {path}" for name in found_in_bytes(data, marks)]
    return found


def found_in_bytes(data: bytes, marks: Mapping[str, list[bytes]]) -> list[str]:
    """Return the names of the marks that `data` holds in some shape."""
    return [name for name, shapes in marks.items() if any(shape in data for shape in shapes)]
