"""Marked values in everything that a subject sends, and the search for them in all that is kept.

A leak seldom comes in the shape that one expects, so a mark is looked for as bytes, in hex, in
base64 of both alphabets (at each of the three offsets), in UTF-16, as a form and as JSON write it;
and whatever is packed by zlib, gzip or bare deflate is unpacked first. `test_leaks_finder.py` shows
that it finds each of them.
"""

import base64
import hashlib
import io
import ipaddress
import json
import re
import urllib.parse
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image

from indexer.query.fingerprint import fingerprint_photo

PLACE = "48.858370N-2.294481E-MARK"
FILE_NAME = "holiday-of-jane-MARKQX.jpg"
NOTE = "my note MARKQX-NOTE-7731, please remove mé"
AGENT = "Mozilla/5.0 (MARKQX-AGENT-5512)"
ADDRESS = "192.88.99.77"
"""Global, so that it is counted, and out of use (RFC 7526), so that it is nobody's."""
NETWORK = "192.88.99.0/24"
"""What the counters make of it."""
LINK = "https://markqx-link.example/of/jane-6620.jpg"
MESSAGE = "MARKQX-MESSAGE-3391: it is me, on the left"
ANSWER = "MARKQX-ANSWER-4482 from the maintainer"
STATEMENT = "MARKQX-STATEMENT-9913: only these"
APPEAL = "MARKQX-APPEAL-2204, look again"
ROW_FILE = "MARKQX-row-8815.png"
"""A row whose native key is this file's name."""
ROW_URLS = (
    "photos.example/astronaut.png",
    "news.example/2021/03/astronaut-small.jpg",
    "blog.example/uploads/astronaut.jpg?w=512",
)
"""Rows of the sample dataset that hold the portrait."""

Marks = Mapping[str, list[bytes]]
_HEADER = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08")
_ZEROS = re.compile(rb"\0{64,}")
_UNPACKED_MAX = 4 * 1024 * 1024
_AUTO = 32 + zlib.MAX_WBITS
"""Has zlib tell by the header whether it is zlib or gzip."""


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
        "link": LINK.removeprefix("https://"),
        "message": MESSAGE,
        "answer": ANSWER,
        "statement": STATEMENT,
        "appeal": APPEAL,
        "receipt": receipt,
        "receipt without hyphens": receipt.replace("-", ""),
        "receipt without check": receipt.replace("-", "")[:25],
        "receipt in lower case": receipt.lower(),
    }
    shapes = {name: shapes_of(value) for name, value in plain.items()} | address_marks()
    for part in range(1, 4):  # a quarter, the middle, three quarters: pieces may lie apart
        start = len(photo) * part // 4
        shapes[f"bytes of the photo {part}"] = shapes_of(photo[start : start + 48])
    return shapes


def address_marks() -> dict[str, list[bytes]]:
    """Return the sender's address, and the network that it is counted by, as each can be written.

    Four bytes turn up anywhere, so they are looked for as databases and sockets store them: with
    their family and width before them, or mapped into IPv6.
    """
    address, network = ipaddress.ip_address(ADDRESS), ipaddress.ip_network(NETWORK)
    packed = {"address": (address, 32), "network": (network.network_address, network.prefixlen)}
    marks = {
        "address": shapes_of(ADDRESS),
        "network": shapes_of(NETWORK) + shapes_of(ADDRESS.rpartition(".")[0]),
    }
    for name, (one, bits) in packed.items():
        whole = one.packed
        marks[f"{name} in hex"] = [whole.hex().encode(), whole.hex().upper().encode()]
        marks[f"{name} as a number"] = [str(int(one)).encode()]
        marks[f"{name} in bytes"] = [b"\xff\xff" + whole, bytes([2, bits]) + whole]
    return marks


def print_marks(photo: bytes) -> dict[str, list[bytes]]:
    """Return what a photo is recognized by: its digests, their row keys, PDQ and pHash."""
    found = fingerprint_photo(photo, [])
    assert found.pdq is not None
    assert found.phash is not None
    phash = int(found.phash[0])
    raw = {
        "sha256": hashlib.sha256(photo).digest(),
        "md5": hashlib.md5(photo, usedforsecurity=False).digest(),
        **{f"row key of {kind}": key for kind, key in found.digests},
        "PDQ": found.pdq[0].tobytes(),
        "pHash": phash.to_bytes(8, "big"),
        "pHash the other way": phash.to_bytes(8, "little"),
    }
    marks = {f"{name} of the photo": shapes_of(value) for name, value in raw.items()}
    signed = phash - (1 << 64) if phash >> 63 else phash
    numbers = [str(number).encode() for number in (phash, signed)]
    return {**marks, "pHash of the photo as a number": numbers}


def row_marks() -> dict[str, list[bytes]]:
    """Return what names the rows that match: to be found in the dataset and its index alone."""
    rows = {f"URL of row {n}": shapes_of(url) for n, url in enumerate(ROW_URLS, 1)}
    return {**rows, "id of a row": shapes_of(ROW_FILE)}


def secret_marks(secrets: Mapping[str, bytes]) -> dict[str, list[bytes]]:
    """Return keys and cookies with every shape that they could be stored in."""
    return {name: shapes_of(value) for name, value in secrets.items()}


def shapes_of(value: str | bytes) -> list[bytes]:
    """Return the shapes that a value could be stored in; short ones only where they still tell."""
    raw = value.encode() if isinstance(value, str) else value
    shapes = {raw, raw.hex().encode(), raw.hex().upper().encode()}
    for offset in range(3):  # base64 of something that holds the value somewhere inside
        skip, end = (0, 2, 3)[offset], (len(raw) + offset) // 3 * 4
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            shapes.add(encode(b"\0" * offset + raw)[skip:end])
    if isinstance(value, str):
        shapes |= {value.encode("utf-16-le"), value.encode("utf-16-be"), value.encode("latin-1")}
        shapes |= {json.dumps(value)[1:-1].encode()}
        shapes |= {quote(value).encode() for quote in (urllib.parse.quote, urllib.parse.quote_plus)}
    return sorted(shapes)


def found_in_folder(folder: Path, marks: Marks, *, but: Iterable[str] = ()) -> list[str]:
    """Return, for each mark that some file's bytes or name hold, which one and where.

    Args:
        folder: what to search, with all below it.
        marks: what to search for.
        but: names of folders to leave out.
    """
    left_out, found = set(but), []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if left_out & set(inside.parts):
            continue
        data = str(inside).encode()
        if path.is_file() and not path.is_symlink():
            data += b"\0" + path.read_bytes()
        found += [f"{name} in {path}" for name in found_in_bytes(data, marks)]
    return found


def found_in_bytes(data: bytes, marks: Marks) -> list[str]:
    """Return the names of the marks that `data` holds in some shape, packed or not."""
    data = _ZEROS.sub(bytes(64), data)  # a database's files are mostly zeros
    texts = [data, *unpacked(data)]
    return [
        name
        for name, shapes in marks.items()
        if any(shape in text for text in texts for shape in shapes)
    ]


def unpacked(data: bytes) -> Iterator[bytes]:
    """Yield what zlib or gzip streams anywhere in `data` hold, and `data` itself as bare deflate.

    A stream that is cut off or damaged yields what comes before.
    """
    for match in _HEADER.finditer(data):
        if text := _inflated(data[match.start() : match.start() + _UNPACKED_MAX], _AUTO):
            yield text
    if text := _inflated(data[:_UNPACKED_MAX], -zlib.MAX_WBITS):
        yield text


def _inflated(data: bytes, wbits: int) -> bytes:
    machine, text = zlib.decompressobj(wbits), b""
    for start in range(0, len(data), 512):
        try:
            text += machine.decompress(data[start : start + 512], _UNPACKED_MAX)
        except zlib.error:
            break
        if machine.eof or len(text) >= _UNPACKED_MAX:
            break
    return text
