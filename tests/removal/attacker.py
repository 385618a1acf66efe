"""Someone who holds all metadata of the datasets, and reads every byte that the service answers.

What they hear is kept whole: status line, headers and body of each answer, the files of the
repository as anybody can fetch them, with what parquet and data URIs hold unpacked beside them, so
that a value is found in whatever wrapping it comes.
"""

import base64
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from django.test import Client
from PIL import Image

from tests.functional.leaks import found_in_bytes
from tests.removal.web.conftest import form, photo

_DATA_URI = re.compile(rb"data:image/[a-z]+;base64,([A-Za-z0-9+/=]+)")
# What differs between two runs of one story: codes, tickets, ids, digests, cookies, the time.
_RANDOM = re.compile(
    rb"[0-9A-Z]{5}(?:-[0-9A-Z]{1,5}){5}|[0-9]{10}\.[\w:.-]{20,}|[0-9a-f]{16,}|[\w-]{20,}"
    rb"|[0-9]{2}:[0-9]{2}(?::[0-9]{2})?"
)
_DIGEST = re.compile(r"[0-9a-f]{64}\.")
_PAGES = ("/", "/request/", "/datasets/", "/privacy/", "/releases/", "/transparency/")
_LISTS = ("/api/v1/datasets/", "/api/v1/releases/", "/api/v1/releases/latest/")
_ABSENT = "00000000-0000-4000-8000-000000000000"


@dataclass
class Heard:
    """One answer: to what, and every byte of it."""

    what: str
    data: bytes

    @property
    def steady(self) -> bytes:
        """The answer without what is random in every run, its length kept, and without tiles."""
        told = _DATA_URI.sub(b"(a tile)", self.data)
        return _RANDOM.sub(lambda found: b"~" * len(found.group()), told)

    def differs(self, other: "Heard") -> str:
        """Return where two answers differ for the first time, in words; empty where they do not."""
        pairs = zip(self.steady.split(b"\n"), other.steady.split(b"\n"), strict=False)
        for one, two in pairs:
            if one != two:
                return f"{self.what}: {one!r} / {two!r}"
        return "" if self.steady == other.steady else f"{self.what}: longer"

    def json(self) -> dict[str, Any]:
        """Return the object that the body holds."""
        value: dict[str, Any] = json.loads(self.data.partition(b"\r\n\r\n")[2])
        return value

    def pictures(self) -> list[Image.Image]:
        """Decode every picture in it."""
        _, _, body = self.data.partition(b"\r\n\r\n")
        blobs = [base64.b64decode(found) for found in _DATA_URI.findall(self.data)]
        blobs += [body] if body[:2] == b"\xff\xd8" or body[:4] in {b"\x89PNG", b"GIF8"} else []
        return [Image.open(io.BytesIO(blob)).convert("RGB") for blob in blobs]


@dataclass
class Attacker:
    """A browser, a program, and a good memory."""

    client: Client = field(default_factory=Client)
    heard: list[Heard] = field(default_factory=list)

    def submit(self, *photos: bytes, urls: tuple[str, ...] = ()) -> str:
        """Send photos and addresses by the API; return the receipt."""
        fields: dict[str, Any] = {"photos": [photo(data) for data in photos], "urls": list(urls)}
        answer = self._heard("submit", self.client.post("/api/v1/requests/", fields))
        return str(answer.json()["receipt"])

    def look_around(self) -> None:
        """Read every public page and list."""
        for path in (*_PAGES, *_LISTS, "/api/v1/schema/", "/nothing/here/", "/metadata/none.json"):
            self._heard(f"GET {path}", self.client.get(path))

    def knock(self, receipt: str) -> None:
        """Try every door that a receipt opens, and some that it does not, in each wrong way."""
        self._status(receipt)
        wrong = {"receipt": receipt, "question": _ABSENT, "mine": True, "text": ""}
        for path in ("answer/", "messages/", "appeal/", "proof/"):
            self._api(f"status/{path}", wrong)
        self._api("status/", {"receipt": receipt[:-1] + ("0" if receipt[-1] != "0" else "1")})
        self._api("status/", {"receipt": "0" * 26})
        self._page(receipt)

    def submit_badly(self, data: bytes) -> None:
        """Send what is refused, by the page and by the API."""
        for fields in (form(photo(data[:900])), form(urls="https:// ")):
            self._heard("refused page", self.client.post("/request/", fields))
        fields = {"photos": [photo(data[:900])]}
        self._heard("refused", self.client.post("/api/v1/requests/", fields))

    def answer_questions(self, receipt: str, *, mine: bool) -> int:
        """Answer what is asked; return how many questions there were."""
        status = self._status(receipt)
        for question in status["questions"]:
            words = {"receipt": receipt, "question": question["id"], "mine": mine}
            self._api("status/answer/", words)
        return len(status["questions"])

    def fetch_repository(self, folder: Path) -> None:
        """Read the published files; parquet is unpacked beside itself."""
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.*")}
        for name in sorted(files, key=lambda name: (_DIGEST.sub("", name), name)):
            shown = _DIGEST.sub("", name)  # the digest in its name differs with every signature
            answer = self._heard(f"GET {shown}", self.client.get(f"/{name}"))
            if name.endswith(".parquet") and answer.data.startswith(b"200"):
                self.heard.append(Heard(f"{shown} unpacked", _unpacked(files[name])))

    def leaked(self, marks: dict[str, list[bytes]]) -> list[str]:
        """Return each mark that any answer holds in any shape, with where."""
        return [
            f"{mark} in {answer.what}"
            for answer in self.heard
            for mark in found_in_bytes(answer.data, marks)
        ]

    def heard_json(self, what: str) -> list[dict[str, Any]]:
        """Return the JSON of all answers of one kind."""
        return [one.json() for one in self.heard if one.what == what and one.data[:3] == b"200"]

    def _page(self, receipt: str) -> None:
        """Walk the pages of a session, and end it."""
        self._heard("log in", self.client.post("/status/", {"receipt": receipt}))
        for path in ("", "photo/1/", "photo/2/", "withdraw/", "appeal/", "photo/delete/", "proof/"):
            self._heard(f"page {path}", self.client.get(f"/status/{path}"))
        for path in ("answer/", "messages/"):
            words = {"question": _ABSENT, "mine": "yes", "text": ""}
            self._heard(f"page {path}", self.client.post(f"/status/{path}", words))
        self._heard("leave", self.client.post("/status/leave/"))

    def _status(self, receipt: str) -> dict[str, Any]:
        return self._api("status/", {"receipt": receipt}).json()

    def _api(self, path: str, words: dict[str, Any]) -> Heard:
        answer = self.client.post(f"/api/v1/{path}", words, content_type="application/json")
        return self._heard(f"api {path}", answer)

    def _heard(self, what: str, answer: Any) -> Heard:
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        lines = [f"{name}: {value}" for name, value in sorted(answer.headers.items())]
        lines += answer.cookies.output(header="Set-Cookie:").splitlines()
        words = "\r\n".join([str(answer.status_code), *lines, "", ""]).encode()
        self.heard.append(Heard(what, words + body))
        return self.heard[-1]


def _unpacked(path: Path) -> bytes:
    """Return every value of a parquet file, and what its metadata say."""
    table = pq.read_table(path)
    values = (value for column in table.columns for value in column.to_pylist())
    return str(pq.read_metadata(path).to_dict()).encode() + b"\n".join(_bytes_of(values))


def _bytes_of(values: Iterator[Any]) -> Iterator[bytes]:
    for value in values:
        yield value if isinstance(value, bytes) else str(value).encode()
