"""Read the forms of a page, so that a program can fill them in as a browser would."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID_OF_VALUE = {"button", "reset", "image"}


@dataclass
class Field:
    """One control: its name, kind (`hidden`, `checkbox`, ...), value, and whether it is set."""

    name: str
    kind: str
    value: str
    chosen: bool = True


@dataclass
class Form:
    """A form: where it goes, how, and its controls in the page's order."""

    action: str
    method: str
    fields: list[Field] = field(default_factory=list)

    def names(self) -> set[str]:
        """Return the names of all controls."""
        return {control.name for control in self.fields}

    def values(self, name: str) -> list[str]:
        """Return every value that the controls of this name offer."""
        return [control.value for control in self.fields if control.name == name]

    def filled(self) -> list[tuple[str, str]]:
        """Return what a browser would send if nobody touched anything and pressed no button."""
        return [
            (control.name, control.value)
            for control in self.fields
            if control.chosen and control.kind not in {"submit", "file"}
        ]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._select: str | None = None
        self._textarea: Field | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get").lower())
            self.forms.append(self._form)
        elif self._form is not None:
            self._control(self._form, tag, given)

    def _control(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name, value = given.get("name", ""), given.get("value", "")
        if tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            form.fields.append(Field(self._select, "select", value, "selected" in given))
        elif tag == "textarea" and name:
            self._textarea = Field(name, "textarea", "")
            form.fields.append(self._textarea)
        elif tag in {"input", "button"} and name:
            kind = given.get("type", "submit" if tag == "button" else "text")
            if kind in _VOID_OF_VALUE:
                return
            ticks = kind in {"checkbox", "radio"}
            form.fields.append(
                Field(name, kind, value or ("on" if ticks else ""), "checked" in given or not ticks)
            )

    def handle_data(self, data: str) -> None:
        if self._textarea is not None:
            self._textarea.value += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "textarea":
            self._textarea = None


def forms_read(page: str) -> list[Form]:
    """Return the forms of an HTML page."""
    reader = _Reader()
    reader.feed(page)
    return reader.forms
