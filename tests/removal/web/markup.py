"""What is wrong with a page's markup: tags, nesting, ids, references, and what a policy forbids.

Stricter than HTML is: every tag that can be closed must be, so that a forgotten one shows.
"""

from collections import Counter
from html.parser import HTMLParser
from typing import Final

_VOID: Final = {"br", "hr", "img", "input", "link", "meta", "wbr"}
_BLOCKS: Final = {
    *("article", "aside", "div", "dl", "fieldset", "footer", "form", "h1", "h2", "h3", "header"),
    *("main", "nav", "ol", "p", "section", "table", "ul"),
}
_PHRASING: Final = {"a", "bdi", "button", "code", "h1", "h2", "h3", "label", "p", "span", "strong"}
"""What holds text, and no block."""
_LINKING: Final = {"a", "button", "label", "summary"}
_CHILDREN: Final = {
    "dl": {"dd", "dt"},
    "ol": {"li"},
    "table": {"caption", "tbody", "thead"},
    "tbody": {"tr"},
    "thead": {"tr"},
    "tr": {"td", "th"},
    "ul": {"li"},
}
_REFERENCES: Final = ("aria-controls", "aria-describedby", "aria-labelledby", "for")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.references: set[str] = set()
        self._open: list[str] = []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take `<path/>`, which stands in a picture."""
        if "svg" not in self._open:
            self._fault(f"<{tag}/> closes nothing")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a tag and mind where it stands."""
        given = {name: value or "" for name, value in attrs}
        if len(given) < len(attrs):
            self._fault(f"<{tag}> has an attribute twice")
        self._place_check(tag)
        self._attributes_check(tag, given)
        self.tags[tag] += 1
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close what was opened last, and nothing else."""
        if not self._open or self._open.pop() != tag:
            self._fault(f"</{tag}> closes another tag")

    def close(self) -> None:
        """End the page."""
        super().close()
        self.faults += [f"<{tag}> is never closed" for tag in self._open]

    def _place_check(self, tag: str) -> None:
        parent = self._open[-1] if self._open else ""
        if tag in _BLOCKS and _PHRASING & set(self._open):
            self._fault(f"<{tag}> in a tag for text")
        if tag in _LINKING and _LINKING & set(self._open):
            self._fault(f"<{tag}> in a link, button or label")
        if parent in _CHILDREN and tag not in _CHILDREN[parent]:
            self._fault(f"<{tag}> in <{parent}>")
        if tag == "form" and "form" in self._open:
            self._fault("a form in a form")

    def _attributes_check(self, tag: str, given: dict[str, str]) -> None:
        if "id" in given:
            self.ids[given["id"]] += 1
        for name in _REFERENCES:
            self.references |= set(given.get(name, "").split())
        if tag == "a" and given.get("href", "").startswith("#"):
            self.references.add(given["href"][1:])
        inline = [name for name in given if name == "style" or name.startswith("on")]
        if inline or (tag == "script" and not given.get("src")) or tag == "style":
            self._fault(f"<{tag}> has what the policy forbids")
        if tag == "img" and not given.get("alt"):
            self._fault("a picture without words")
        if tag == "button" and "type" not in given:
            self._fault("a button without its type")

    def _fault(self, words: str) -> None:
        self.faults.append(f"line {self.getpos()[0]}: {words}")


def markup_faults(text: str) -> list[str]:
    """Return what is wrong with a page."""
    page = _Page()
    page.feed(text)
    page.close()
    alone = ("title", "h1", "main", "header", "footer")
    return [
        *page.faults,
        *(["no doctype"] if not text.startswith("<!doctype html>") else []),
        *(f"{page.tags[tag]} times <{tag}>" for tag in alone if page.tags[tag] != 1),
        *(f"the id {name} twice" for name, times in page.ids.items() if times > 1),
        *(f"nothing has the id {name}" for name in sorted(page.references - set(page.ids))),
    ]
