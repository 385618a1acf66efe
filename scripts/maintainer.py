"""A maintainer at work: logs in to the admin, opens requests, looks at pictures, decides."""

import base64
import html
import re
from collections.abc import Collection
from dataclasses import dataclass

from scripts.forms import Form, forms_read
from scripts.web import Unexpected, Visitor

QUEUE = "/admin/removal/removalrequest/"
_REQUEST = re.compile(rf'href="({QUEUE}[0-9a-f-]{{36}}/change/)[?"]')
_FRAME = re.compile(r'<iframe[^>]* src="([^"]+/(photo|row)/[0-9a-f-]{36}/)"')
_PICTURE = re.compile(r'src="data:image/jpeg;base64,([^"]+)"')
_FACT = re.compile(r"<dt>([^<]+)</dt><dd>(.*?)</dd>", re.DOTALL)
_KINDS = {"Same file": "exact", "Copy": "copy", "Similar": "similar"}


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

    def login(self, name: str, password: str) -> None:
        """Log in by the admin's own form.

        Raises:
            Unexpected: name and password are not taken.
        """
        path = "/admin/login/?next=/admin/"
        form = _form_with(self.get(path), {"username", "password"})
        fields = [*_but(form, {"username", "password"}), ("username", name), ("password", password)]
        answer = self.post_form(path, fields)
        if answer.status != 302:
            raise Unexpected(f"the admin's login answered {answer.status} in place of 302")

    def waiting(self) -> list[str]:
        """Return the addresses of the requests that wait for a decision, the most urgent first."""
        return list(dict.fromkeys(_REQUEST.findall(self.get(QUEUE))))

    def open(self, path: str) -> Case:
        """Return what a request's page shows."""
        page = self.get(path)
        photos = tuple(url for url, what in _FRAME.findall(page) if what == "photo")
        rows: list[FoundRow] = []
        for group in page.split('<fieldset class="desk-kind">')[1:]:
            name = re.search(r"<legend>([^:<]+):", group)
            kind = _KINDS[name.group(1)] if name else ""
            rows += [_row(part, kind) for part in group.split('<div class="desk-row">')[1:]]
        return Case(path, page, photos, tuple(rows))

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
        names = {"approve", "approve_kind", "tier", "reason", "statement"}
        form = _form_with(case.page, {"statement", "decision"})
        fields = [*_but(form, names), *(("approve", row) for row in sorted(approve))]
        fields += [("reason", reason), ("statement", statement)]
        fields += [("tier", tier)] if tier else []
        fields += [("decision", "approve" if approve else "deny")]
        answer = self.post_form(case.path, fields)
        if answer.status != 302:
            fault = re.search(r'class="errornote"[^>]*>([^<]*)', answer.data.decode())
            raise Unexpected(f"the decision was not taken: {fault.group(1) if fault else answer}")


def _row(part: str, kind: str) -> FoundRow:
    facts = {name: _text(value) for name, value in _FACT.findall(part)}
    box = re.search(r'name="approve" value="([0-9a-f-]{36})"', part)
    return FoundRow(
        id=box.group(1) if box else "",
        kind=kind,
        score=float(facts["Score"]),
        evidence=facts["Evidence"],
        address=facts["Address"],
    )


def _text(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", markup)).strip()


def _form_with(page: str, names: set[str]) -> Form:
    for form in forms_read(page):
        if names <= form.names():
            return form
    raise Unexpected(f"the page has no form with the fields {', '.join(sorted(names))}")


def _but(form: Form, names: set[str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in form.filled() if name not in names]
