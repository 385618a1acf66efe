"""One person's whole story, every word of it marked, as the leak and the backup test need it.

The subject speaks HTTP; the staff act in a process of the staff role. What is written down for the
tests is what the subject themselves has.
"""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import urllib3
from PIL import Image

from scripts.demo.pictures import altered
from scripts.sample.photos import PORTRAIT
from scripts.web import Subject, Unexpected
from tests.functional import kept, opening
from tests.functional.kept import Service
from tests.functional.leaks import (
    APPEAL,
    LINK,
    MESSAGE,
    NOTE,
    ROW_FILE,
    Marks,
    marks_of,
    photo_marked,
    print_marks,
    row_marks,
    secret_marks,
)

PATIENCE = 600.0


@dataclass(frozen=True)
class Told:
    """What came out of the story.

    Attributes:
        receipt: the subject's.
        cookies: of the session that was open when the backup was made.
        photo: the file as it was sent.
        path: where that file lies.
        backup: where the backup lies that was made before the photo was deleted.
        restored: the environment of a process that works on it.
        found_midway: which marks lay where while everything was still held.
        opened_midway: what each role's process could open then.
        status: the last status.
        proofs: what the subject got.
        tag: the name that the subject's network was counted under.
    """

    receipt: str
    cookies: tuple[str, str]
    photo: bytes
    path: Path
    backup: Path
    restored: dict[str, str]
    found_midway: list[str]
    opened_midway: dict[str, Any]
    status: dict[str, Any]
    proofs: list[dict[str, Any]]
    tag: str

    @property
    def marks(self) -> Marks:
        """Everything that must be nowhere in the clear."""
        return marks_told(self.receipt, self.photo, self.cookies)


def marks_told(receipt: str, photo: bytes, cookies: tuple[str, str]) -> Marks:
    """Return the marks of the subject, of their session and of the rows."""
    named = {f"cookie {n}": value.encode() for n, value in enumerate(cookies, 1)}
    return {
        **marks_of(receipt, photo),
        **print_marks(photo),
        **row_marks(),
        **secret_marks(named),
    }


class Sender(Subject):
    """The subject, behind a proxy that passes on their address, with every call they make."""

    def __init__(self, site: str, headers: Mapping[str, str]) -> None:
        super().__init__(site)
        self._headers = headers

    def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Send one request from the marked address, by the marked program."""
        return super().send(method, path, body=body, headers={**self._headers, **(headers or {})})


def row_folder(folder: Path) -> Path:
    """Write a dataset of one picture, the portrait under a marked name, and return its folder."""
    rows = folder / "rows"
    rows.mkdir(parents=True)
    portrait().resize((400, 400)).save(rows / ROW_FILE)
    return rows


def portrait() -> Image.Image:
    """Return the photo that the datasets hold."""
    return Image.open(io.BytesIO(PORTRAIT.read())).convert("RGB")


def story_tell(service: Service, folder: Path) -> Told:
    """Submit, talk, answer, delete, appeal, be approved: all with marks."""
    marked = photo_marked(altered(portrait()), folder)
    subject, browser = (Sender(service.site, marked.headers) for _ in range(2))
    receipt = subject.submit([marked.path], note=NOTE, urls=[LINK])["receipt"]
    tag = service.run(service.site_role, opening.TAG)
    assert subject.searched(receipt, seconds=PATIENCE)["state"] == "in_review"
    cookies = _session(browser, receipt)
    assert service.run("staff", opening.ASK) == "asked"
    [question] = subject.status(receipt)["questions"]
    _act(subject, "answer", receipt, question=str(UUID(question["id"])), mine=True)
    photo = marked.path.read_bytes()
    midway = kept.found(service, marks_told(receipt, photo, cookies))
    roles = ("public", "staff", "worker", "release")
    opened = {role: json.loads(service.run(role, opening.OPEN, stdin="{}")) for role in roles}
    kept.backup(service, folder / "backup")
    restored = kept.restored(service, folder / "backup")
    _act(subject, "photo/delete", receipt)
    assert service.run("staff", opening.DECIDE) == "partly_approved"
    _act(subject, "appeal", receipt, text=APPEAL)
    assert service.run("staff", opening.DECIDE) == "approved"
    service.release()
    _expect(browser.send("POST", "status/leave/"), 303)
    _refusals(subject, marked.path)
    return Told(
        receipt=receipt,
        cookies=cookies,
        photo=photo,
        path=marked.path,
        backup=folder / "backup",
        restored=restored,
        found_midway=midway,
        opened_midway=opened,
        status=subject.status(receipt),
        proofs=subject.proofs(receipt),
        tag=tag,
    )


def _session(browser: Sender, receipt: str) -> tuple[str, str]:
    """Log in as a browser does, look, and write a message; return the two cookies."""
    _expect(browser.post_form("status/", [("receipt", receipt)]), 303)
    cookies = browser.cookies["status"], browser.cookies["status-key"]
    assert receipt not in browser.get("status/")
    _expect(browser.post_form("status/messages/", [("text", MESSAGE)]), 303)
    assert MESSAGE in browser.get("status/")
    return cookies


def _act(subject: Subject, what: str, receipt: str, **words: object) -> None:
    answer = subject.post_json(f"api/v1/status/{what}/", {"receipt": receipt, **words})
    _expect(answer, 200)


def _refusals(subject: Subject, photo: Path) -> None:
    """Knock at the doors with what is refused: a broken photo, a wrong code, too long words."""
    broken = photo.with_name(f"broken-{photo.name}")
    broken.write_bytes(photo.read_bytes()[:900])
    attempts: tuple[Callable[[], object], ...] = (
        lambda: subject.submit([broken], note=NOTE),
        lambda: subject.submit([photo], note=NOTE * 100),
        lambda: subject.status("AAAAA-BBBBB-CCCCC-DDDDD-EEEEE-F"),
    )
    for attempt in attempts:
        try:
            attempt()
        except Unexpected:
            continue
        raise AssertionError("what should be refused was taken")


def _expect(answer: Any, status: int) -> None:
    assert answer.status == status, (answer.status, answer.data[:600])
