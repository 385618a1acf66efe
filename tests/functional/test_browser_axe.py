"""axe finds nothing: on every page in every state and language, light and dark, small and large.

The pages are made in this process, so that requests in every state can be shown, and given to the
browser as a site would give them, with their headers and policy. A page without a script is the
same with JavaScript and without; a page with one is looked at both ways.

There are four looks: two sizes, two schemes. English and Arabic pages are looked at in all four,
those of the other languages in two that have neither size nor scheme in common, because what a
language changes is the length of its words. All rules are asked in one look, which changes from
language to language; in the others those rules whose answer a look can change, of the colors in
English alone: no language has colors of its own.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as live
from django.contrib.staticfiles import finders
from playwright.sync_api import Browser, Page, Route, sync_playwright

from scripts.browser import FLAGS
from tests.functional.browsing import (
    AXE,
    DESK,
    LOOK_RULES,
    NO_SCRIPT,
    SIZE_RULES,
    SMALL,
    Scheme,
    axe_faults,
    lines,
    page_of,
    too_wide,
)
from tests.removal.web.gallery import Gallery

SITE = "http://localhost"
LOOKS: tuple[tuple[dict[str, int], Scheme], ...] = (
    (SMALL, "light"),
    (SMALL, "dark"),
    (DESK, "dark"),
    (DESK, "light"),
)
ALL_LOOKS_IN = {"en", "ar"}
COLORS_IN = "en"
BROWSERS = min(os.cpu_count() or 1, 4)


@dataclass(frozen=True)
class Shown:
    """What the browser is given: pages by their address, and the subject's own photo."""

    pages: dict[str, Any]
    photo: bytes


@dataclass(frozen=True)
class Look:
    """One page to look at, with its own scripts or without.

    Attributes:
        full: the look in which all rules are asked, by its place in `LOOKS`.
        others: the looks for the rules that they can change.
        rules: these rules.
    """

    path: str
    script: bool
    full: int
    others: frozenset[int]
    rules: tuple[str, ...]


@pytest.fixture
def shown(db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shown:
    """Make the requests in a folder of their own, and every page about them."""
    settings.UNLIST = settings.UNLIST.model_copy(
        update={"data_dir": tmp_path / "data", "secret_dir": tmp_path / "secrets"}
    )
    gallery = Gallery(monkeypatch)
    pages = {
        f"/{code}/{name}": answer
        for code, _ in live.LANGUAGES
        for name, answer in gallery.pages(code)
    }
    return Shown(pages, gallery.photo())


@pytest.mark.timeout(900)  # a minute or two on an idle machine
def test_axe_finds_nothing_on_any_page(shown: Shown, chromium: str) -> None:
    looks = list(_looks(shown))
    assert len(shown.pages) > 80 * len(live.LANGUAGES)
    assert sum(not look.script for look in looks) > 10 * len(live.LANGUAGES)
    with ThreadPoolExecutor(BROWSERS) as pool:
        parts = [looks[n::BROWSERS] for n in range(BROWSERS)]
        faults = [
            fault for part in pool.map(partial(_seen, chromium, shown), parts) for fault in part
        ]
    assert not faults, lines(faults)


def _looks(shown: Shown) -> Iterator[Look]:
    """Look at each page once, and once more without script where it has one."""
    languages = [code for code, _ in live.LANGUAGES]
    names = list(dict.fromkeys(path.split("/")[2] for path in shown.pages))
    for path, answer in shown.pages.items():
        _, code, name = path.split("/")
        full = (names.index(name) + languages.index(code)) % len(LOOKS)
        opposite = {(full + 2) % len(LOOKS)}
        others = frozenset(set(range(len(LOOKS))) - {full} if code in ALL_LOOKS_IN else opposite)
        rules = LOOK_RULES if code == COLORS_IN else SIZE_RULES
        yield Look(path, script=True, full=full, others=others, rules=rules)
        if b"<script" in answer.content:
            yield Look(path, script=False, full=full, others=others, rules=rules)


def _seen(chromium: str, shown: Shown, looks: Sequence[Look]) -> list[str]:
    """Look at some of the pages in a browser of this thread's own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        pages = {script: _page(browser, shown, script=script) for script in (True, False)}
        faults = [fault for look in looks for fault in _faults(pages[look.script], look)]
        browser.close()
    return faults


def _page(browser: Browser, shown: Shown, *, script: bool) -> Page:
    page = page_of(browser, SITE, SMALL, script=True)
    page.add_init_script(AXE)  # sent once, not with each page
    page.route("**/*", partial(_served, shown=shown, script=script))
    return page


def _faults(page: Page, look: Look) -> Iterator[str]:
    page.goto(look.path)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    for n in sorted({look.full, *look.others}):
        size, scheme = LOOKS[n]
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        rules = () if n == look.full else look.rules
        for fault in [*axe_faults(page, rules), *too_wide(page)]:
            yield f"{look.path} script={look.script} {size['width']} px {scheme}: {fault}"


def _served(route: Route, shown: Shown, *, script: bool) -> None:
    """Answer as the site would: a page that was made, or a file of the static ones.

    Without `script` the page's own do not run, though axe does: no page has a `<noscript>`, so
    that this is what a browser without JavaScript shows.
    """
    path = urlsplit(route.request.url).path
    if (answer := shown.pages.get(path)) is not None:
        assert b"<noscript" not in answer.content
        headers = dict(answer.headers) if script else NO_SCRIPT
        route.fulfill(status=200, headers=headers, body=answer.content)
    elif "/status/photo/" in path:
        route.fulfill(status=200, content_type="image/jpeg", body=shown.photo)
    elif (found := _found(path.removeprefix("/static/"))) is not None:
        route.fulfill(path=found)
    else:
        route.fulfill(status=404, body="")


@cache
def _found(name: str) -> str | None:
    """Return the path of a static file; to look for it takes longer than to read it."""
    return finders.find(name)
