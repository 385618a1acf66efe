"""Promise 5 on the running service: crops, collages, altered copies, guessed addresses.

The attacker holds the whole dataset and may send whatever they like. Every byte that comes back is
kept and searched for what the dataset says of its rows, and for their pictures.
"""

import base64
import io
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import urllib3
from PIL import Image, ImageOps

from scripts.house import House
from scripts.sample.dataset import Written
from scripts.sample.generated import picture
from scripts.sample.photos import PORTRAIT
from scripts.web import Subject
from tests.functional.leaks import found_in_bytes, shapes_of
from unlist.keys import row_key

_PICTURE = re.compile(rb"data:image/[a-z]+;base64,([A-Za-z0-9+/=]+)")
_PAGES = ("", "status/", "datasets/", "releases/", "transparency/", "privacy/", "nothing/")
_LISTS = ("api/v1/datasets/", "api/v1/releases/", "api/v1/releases/latest/")
_ABSENT = "00000000-0000-4000-8000-000000000000"


class Listening(Subject):
    """A subject who writes down every byte that they hear."""

    def __init__(self, site: str) -> None:
        super().__init__(site)
        self.heard: list[tuple[str, bytes]] = []

    def send(self, method: str, path: str, **more: Any) -> urllib3.BaseHTTPResponse:
        """Send one request and write the answer down."""
        answer = super().send(method, path, **more)
        head = "".join(f"{name}: {value}\n" for name, value in answer.headers.items())
        said = f"{answer.status}\n{head}\n".encode() + answer.data
        self.heard.append((f"{method} {path}", said))
        return answer

    def asked_everything(self, receipt: str) -> None:
        """Knock at every door that a receipt opens, rightly and wrongly."""
        for path in ("answer/", "messages/", "appeal/", "proof/", "photo/"):
            words = {"receipt": receipt, "question": _ABSENT, "mine": True, "text": ""}
            self.post_json(f"api/v1/status/{path}", words)
        self.post_form("status/", [("receipt", receipt)])
        for path in ("status/", *(f"status/photo/{n}/" for n in range(1, 11)), "status/proof/"):
            self.send("GET", path)
        self.post_form("status/leave/", [])


def pictures() -> dict[str, Image.Image]:
    """Return what an attacker makes of a photo they hold a part of, and of rows they know."""
    portrait = Image.open(io.BytesIO(PORTRAIT.read())).convert("RGB")
    width, height = portrait.size
    others = [picture(n)[1].resize((width // 2, height // 2)) for n in range(4)]
    collage = Image.new("RGB", (width, height))
    for place, part in enumerate([portrait.resize((width // 2, height // 2)), *others[1:]]):
        collage.paste(part, (place % 2 * width // 2, place // 2 * height // 2))
    return {
        "left half": portrait.crop((0, 0, width // 2, height)),
        "middle": portrait.crop((width // 4, height // 4, 3 * width // 4, 3 * height // 4)),
        "corner": portrait.crop((0, 0, width // 3, height // 3)),
        "mirrored": ImageOps.mirror(portrait),
        "gray": ImageOps.grayscale(portrait).convert("RGB"),
        "turned": portrait.rotate(7, expand=True),
        "collage": collage,
        "a row's own": picture(5)[1],
        "unlike any": Image.effect_mandelbrot((256, 256), (-2, -1, 1, 1), 60).convert("RGB"),
    }


def marks_of_rows(folder: Path) -> dict[str, list[bytes]]:
    """Return what the dataset's tables say of their rows, in every shape."""
    marks: dict[str, list[bytes]] = {}
    for path in sorted(folder.glob("*.parquet")):
        for row in pq.read_table(path).to_pylist():
            url, sha256 = str(row["url"]), str(row["sha256"] or "")
            values = {"url": url, "host": url.split("/")[2], "caption": str(row["caption"])}
            for name, value in values.items():
                marks[f"{name} {value}"] = shapes_of(value)
            marks[f"row key of {url}"] = shapes_of(row_key("url", url))
            if sha256:
                marks[f"sha256 {sha256}"] = shapes_of(sha256)
    return marks


@pytest.fixture(scope="module")
def attacker(house: House, sample: Written, tmp_path_factory: pytest.TempPathFactory) -> Listening:
    """Let the attacker live: ask for everything before, during and after the searches."""
    folder, listening = tmp_path_factory.mktemp("attack"), Listening(house.url)
    for path in (*_PAGES, *_LISTS):
        listening.send("GET", path)
    receipts = [_submitted(listening, folder, name, image) for name, image in pictures().items()]
    table = pq.read_table(min(sample.folder.glob("*.parquet")))
    urls = [str(row["url"]) for row in table.to_pylist()[:6]]
    receipts.append(str(listening.submit(urls=urls)["receipt"]))
    for receipt in receipts:
        listening.asked_everything(receipt)
    for receipt in receipts:
        listening.searched(receipt)
        listening.asked_everything(receipt)
    return listening


def _submitted(listening: Listening, folder: Path, name: str, image: Image.Image) -> str:
    path = folder / f"{name}.jpg"
    image.save(path, "JPEG", quality=85)
    return str(listening.submit([path])["receipt"])


def test_the_attack_finds_what_it_searches_for(attacker: Listening) -> None:
    """Else silence would prove nothing."""
    found = [said for what, said in attacker.heard if what.endswith("api/v1/status/")]
    assert sum(b'"kind":"copy"' in said or b'"kind":"exact"' in said for said in found) >= 5
    assert any(b'"state":"no_match"' in said for said in found)


def test_no_answer_holds_anything_of_any_row(attacker: Listening, sample: Written) -> None:
    marks = marks_of_rows(sample.folder)
    assert len(marks) > 300
    leaks = [
        f"{mark} in {what}" for what, said in attacker.heard for mark in found_in_bytes(said, marks)
    ]
    assert leaks == []


def test_no_answer_tells_how_alike_a_row_is(attacker: Listening) -> None:
    words = (b"score", b"cosine", b"pdq", b"phash", b"inliers", b"hamming", b'similar"')
    answers = [(what, said.lower()) for what, said in attacker.heard if "v1/status" in what]
    assert [(what, word) for what, said in answers for word in words if word in said] == []


def test_no_picture_comes_back_but_the_one_that_was_sent(attacker: Listening) -> None:
    """What is shown is made of the upload: a crop stays a crop."""
    sizes = {image.size for image in pictures().values()}
    shapes = {round(width / height, 1) for width, height in sizes}
    shown = [image for _, said in attacker.heard for image in _pictures(said)]
    assert shown
    assert {round(image.width / image.height, 1) for image in shown} <= shapes
    assert not any(_PICTURE.search(said) for _, said in attacker.heard)


def _pictures(said: bytes) -> list[Image.Image]:
    body = said.partition(b"\n\n")[2]
    blobs = [base64.b64decode(found) for found in _PICTURE.findall(said)]
    blobs += [body] if body[:2] == b"\xff\xd8" or body[:4] == b"\x89PNG" else []
    return [Image.open(io.BytesIO(blob)) for blob in blobs]
