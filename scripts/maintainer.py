"""A maintainer at work: logs in to the admin, opens requests, looks at pictures, decides."""

import base64
import html
import re
import time
from collections.abc import Collection
from dataclasses import dataclass

from scripts.forms import Form, forms_read
from scripts.second_factor import second_factor_of
from scripts.web import Unexpected, Visitor

QUEUE = "/admin/removal/removalrequest/"
_REQUEST = re.compile(rf'href="({QUEUE}[0-9a-f-]{{36}}/change/)[?"]')
_PHOTO = re.compile(r'<iframe[^>]* src="([^"]+/photo/[0-9a-f-]{36}/)"')
_SECTION = re.compile(r'<fieldset class="desk-kind" data-kind="(\w+)">')
_SENTENCE = re.compile(r"<h3 [^>]*>(.*?)</h3>", re.DOTALL)
_ROW = re.compile(r'<dl class="desk-row" data-row="([0-9a-f-]{36})">(.*?)</dl>', re.DOTALL)
_PICTURE = re.compile(r'src="data:image/jpeg;base64,([^"]+)"')
_UNDO = re.compile(r'action="[^"]*/proposal/[0-9a-f-]{36}/undo/')
_FACT = re.compile(r"<dt>([^<]+)</dt><dd>(.*?)</dd>", re.DOTALL)


@dataclass(frozen=True)
class FoundRow:
    """One row as the request's page shows it."""

    id: str
    kind: str
    score: float
    evidence: str
    address: str


@dataclass(frozen=True)
class Case:
    """A request's page: its own address, the pictures sent, the rows found."""

    path: str
    page: str
    photos: tuple[str, ...]
    rows: tuple[FoundRow, ...]


class Maintainer(Visitor):
    """Somebody of the staff, with a session."""

    def __init__(self, site: str) -> None:
        """Come to a site; nothing is decided yet."""
        super().__init__(site)
        self._proposed: list[str] = []

    def login(self, name: str, password: str) -> bool:
        """Sign in: name and password, then a code; tell whether an app was set up on the way.

        Raises:
            Unexpected: what was given is not taken.
        """
        path = "/admin/login/?next=/admin/"
        form = _form_with(self.get(path), {"username", "password"})
        fields = [*_but(form, {"username", "password"}), ("username", name), ("password", password)]
        answer = self.post_form(path, fields)
        if answer.status != 302:
            raise Unexpected(f"the admin's login answered {answer.status} in place of 302")
        return self._second_step(name, answer.headers.get("Location", ""))

    def _second_step(self, name: str, path: str) -> bool:
        """Give a code of the second factor, after setting it up where there is none."""
        app = second_factor_of(self.site, name)
        page = self.get(path)
        first = path.startswith("/admin/login/set-up/")
        if not first and not app.key:
            raise Unexpected(f"{name} has a second factor, and this program does not hold it")
        code = app.set_up(page) if first else app.code()
        fields = [*_but(_form_with(page, {"code"}), {"code"}), ("code", code)]
        answer = self.post_form(path, fields)
        if answer.status != (200 if first else 302):
            raise Unexpected(f"the second factor was not taken: {answer.status}")
        if first:
            app.keep(answer.data.decode())
        return first

    def waiting(self) -> list[str]:
        """Return the addresses of the requests that wait for a decision, the most urgent first."""
        return list(dict.fromkeys(_REQUEST.findall(self.get(QUEUE))))

    def open(self, path: str) -> Case:
        """Return what a request's page shows."""
        page = self.get(path)
        rows: list[FoundRow] = []
        _, *parts = _SECTION.split(page)
        for kind, section in zip(parts[::2], parts[1::2], strict=True):
            for tile in section.split('<article class="desk-tile"')[1:]:
                rows += _rows(tile, kind)
        return Case(path, page, tuple(_PHOTO.findall(page)), tuple(rows))

    def look(self, frame: str) -> bytes:
        """Reveal a picture (the audit log notes it) and return it as JPEG.

        Raises:
            Unexpected: no picture came.
        """
        hidden = self.get(frame)
        if _PICTURE.search(hidden):
            raise Unexpected("a picture was shown before anybody asked for it")
        answer = self.post_form(frame, forms_read(hidden)[0].filled())
        shown = _PICTURE.search(answer.data.decode())
        if answer.status != 200 or not shown:
            raise Unexpected(f"the picture was not shown: {answer.status}")
        return base64.b64decode(shown.group(1))

    def decide(
        self, case: Case, *, approve: Collection[str], tier: str, reason: str, statement: str
    ) -> None:
        """Approve the rows of these ids, or refuse when there are none.

        Raises:
            Unexpected: the decision was not taken.
        """
        names = {"approve", "approve_group", "approve_kind", "ready", "tier", "reason", "statement"}
        form = _form_with(case.page, {"statement", "decision"})
        fields = [*_but(form, names), *(("approve", row) for row in sorted(approve))]
        fields += [("reason", reason), ("statement", statement)]
        fields += [("tier", tier)] if tier else []
        fields += [("decision", "approve" if approve else "deny")]
        answer = self.post_form(case.path, fields)
        if answer.status == 302:
            self._proposed.append(case.path)
        else:
            fault = re.search(r'class="errornote"[^>]*>([^<]*)', answer.data.decode())
            raise Unexpected(f"the decision was not taken: {fault.group(1) if fault else answer}")

    def settle(self, *, seconds: float = 60) -> None:
        """Wait until what was decided cannot be undone any more and has taken effect.

        Raises:
            Unexpected: it did not within `seconds`; it may wait for a second person.
        """
        ends = time.monotonic() + seconds
        while self._proposed:
            if not _UNDO.search(self.get(self._proposed[0])):
                self._proposed.pop(0)
            elif time.monotonic() > ends:
                raise Unexpected(f"what was decided did not take effect within {seconds:.0f} s")
            else:
                time.sleep(0.5)


def _rows(tile: str, kind: str) -> list[FoundRow]:
    """Return the rows of one tile, which share what speaks for them."""
    said = _SENTENCE.search(tile)
    evidence = _text(said.group(1)) if said else ""
    found = []
    for row, part in _ROW.findall(tile):
        facts = {name: _text(value) for name, value in _FACT.findall(part)}
        measures = facts["Measures"]
        found.append(
            FoundRow(
                id=row,
                kind=kind,
                score=float(facts["Score"]),
                evidence=f"{evidence} {measures}".strip(),
                address=facts["Address"],
            )
        )
    return found


def _text(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", markup)).strip()


def _form_with(page: str, names: set[str]) -> Form:
    for form in forms_read(page):
        if names <= form.names():
            return form
    raise Unexpected(f"the page has no form with the fields {', '.join(sorted(names))}")


def _but(form: Form, names: set[str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in form.filled() if name not in names]
