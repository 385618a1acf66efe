"""The finder of leaks must itself find them, or a clean report means nothing."""

import base64
import gzip
import hashlib
import ipaddress
import json
import random
import sqlite3
import urllib.parse
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.decode import decode
from indexer.hashes.picture import hash_picture
from scripts.sample.photos import PORTRAIT
from tests.functional.leaks import (
    ADDRESS,
    LINK,
    NETWORK,
    NOTE,
    found_in_bytes,
    found_in_folder,
    marks_of,
    print_marks,
    row_marks,
    secret_marks,
)

RECEIPT = "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE-F"
MARKS = marks_of(RECEIPT, bytes(range(200)))
NOISE = random.Random(7).randbytes(2048)
SHAPES: dict[str, Callable[[bytes], bytes]] = {
    "as it is": bytes,
    "in hex": lambda words: words.hex().encode(),
    "in hex of capitals": lambda words: words.hex().upper().encode(),
    "in base64": base64.b64encode,
    "in base64 for addresses": base64.urlsafe_b64encode,
    "in UTF-16": lambda words: words.decode().encode("utf-16-le"),
    "in UTF-16 the other way": lambda words: words.decode().encode("utf-16-be"),
    "in Latin-1": lambda words: words.decode().encode("latin-1"),
    "in a form": lambda words: urllib.parse.urlencode({"note": words.decode()}).encode(),
    "in a path": lambda words: urllib.parse.quote(words.decode()).encode(),
    "in JSON": lambda words: json.dumps(words.decode()).encode(),
    "packed by zlib": lambda words: b"??" + zlib.compress(words) + b"??",
    "packed by zlib, hard": lambda words: zlib.compress(words, 9),
    "packed by zlib, cut off": lambda words: zlib.compress(words + NOISE)[:-40],
    "packed by gzip": lambda words: b"?" + gzip.compress(words),
    "packed by deflate": lambda words: zlib.compress(words, wbits=-15),
    "in hex, packed by zlib": lambda words: zlib.compress(words.hex().encode()),
}


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_mark_is_found_in_every_shape(before: str, shape: str) -> None:
    words = f"{before}{NOTE}after".encode()
    assert found_in_bytes(SHAPES[shape](words), MARKS) == ["note"]
    assert found_in_bytes(SHAPES[shape](b"nothing at all of theirs"), MARKS) == []


@pytest.mark.parametrize("shift", range(3))
def test_pieces_of_a_photo_are_found(shift: int) -> None:
    photo, marks = NOISE, marks_of(RECEIPT, NOISE)
    for data in (photo, base64.b64encode(bytes(shift) + photo), photo.hex().encode()):
        assert len(found_in_bytes(data, marks)) == 3
    assert found_in_bytes(photo[1000:1100], marks) == ["bytes of the photo 2"]


def test_marks_are_found_in_names_and_contents_of_files(tmp_path: Path) -> None:
    assert found_in_folder(tmp_path, MARKS) == []
    (tmp_path / "holiday-of-jane-MARKQX.jpg").touch()
    (tmp_path / "log").write_text("POST aaaaa-bbbbb-ccccc-ddddd-eeeee-f")
    (tmp_path / "indexes").mkdir()
    (tmp_path / "indexes" / "rows").write_text(NOTE)
    assert [line.partition(" in /")[0] for line in found_in_folder(tmp_path, MARKS)] == [
        "file name",
        "note",
        "receipt in lower case",
    ]
    assert len(found_in_folder(tmp_path, MARKS, but=["indexes"])) == 2


def test_a_row_that_was_deleted_is_found_in_the_databases_pages(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE t (words TEXT)")
        database.execute("INSERT INTO t VALUES (?)", (LINK,))
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA secure_delete = OFF")
        database.execute("DELETE FROM t")
    database.close()
    assert [line.partition(" in /")[0] for line in found_in_folder(tmp_path, MARKS)] == ["link"]


def test_rows_and_keys_are_found() -> None:
    assert found_in_bytes(b'{"url":"https://photos.example/astronaut.png"}', row_marks()) == [
        "URL of row 1"
    ]
    key = bytes(range(32))
    assert found_in_bytes(b"-" + base64.b64encode(b"-" + key), secret_marks({"key": key})) == [
        "key"
    ]


def test_the_address_is_one_that_is_counted_and_is_found_in_every_form() -> None:
    address = ipaddress.ip_address(ADDRESS)
    assert address.is_global
    assert address in ipaddress.ip_network(NETWORK)
    mapped = ipaddress.ip_address(f"::ffff:{ADDRESS}")
    forms = {
        f"GET / from {ADDRESS}:4711".encode(): ["address", "network"],
        b"\xff\xff..." + mapped.packed: ["address in bytes"],
        b"\x02\x20" + address.packed: ["address in bytes"],
        f"{int(address):08x}".encode(): ["address in hex"],
        str(int(address)).encode(): ["address as a number"],
        b"net.192.88.99.0/24.77": ["network"],
        b"192.88.99": ["network"],
        b"\x02\x18" + address.packed[:3] + b"\0": ["network in bytes"],
        str(int(ipaddress.ip_network(NETWORK)[0])).encode(): ["network as a number"],
        address.packed: [],  # four bytes alone are anything
        b"203.0.113.77": [],
    }
    assert {form: found_in_bytes(form, MARKS) for form in forms} == forms


def test_what_a_photo_is_recognized_by_is_found() -> None:
    photo = PORTRAIT.read()
    marks, hashes = print_marks(photo), hash_picture(decode(photo), turned=False)
    pdq, phash = hashes.pdq[0].tobytes(), int(hashes.phash[0])
    forms = {
        hashlib.sha256(photo).digest(): ["sha256 of the photo"],
        hashlib.sha256(photo).hexdigest().encode(): ["sha256 of the photo"],
        hashlib.md5(photo, usedforsecurity=False).hexdigest().encode(): ["md5 of the photo"],
        pdq: ["PDQ of the photo"],
        base64.b64encode(pdq): ["PDQ of the photo"],
        f"{phash:016x}".encode(): ["pHash of the photo"],
        hashes.phash.tobytes(): ["pHash the other way of the photo"],
        str(phash).encode(): ["pHash of the photo as a number"],
    }
    assert {form: found_in_bytes(form, marks) for form in forms} == forms
