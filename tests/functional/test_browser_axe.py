"""axe finds nothing: on every page in every state and language, light and dark, small and large.

The pages are made in this process, so that requests in every state can be shown, and given to the
browser as a site would give them, with their headers and policy. A page without a script is the
same with JavaScript and without; a page with one is looked at both ways.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as live
from django.contrib.staticfiles import finders
from playwright.sync_api import Page, Route, sync_playwright

from scripts.browser import FLAGS
from tests.functional.browsing import (
    DESK,
    NO_SCRIPT,
    SMALL,
    Scheme,
    axe_faults,
    lines,
    page_of,
    too_wide,
)
from tests.removal.web.gallery import Gallery

SITE = "http://localhost"
LOOKS: tuple[tuple[dict[str, int], Scheme], ...] = ((SMALL, "light"), (DESK, "dark"))


@pytest.fixture
def gallery(db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gallery:
    """Make the requests in a folder of their own."""
    settings.UNLIST = settings.UNLIST.model_copy(
        update={"data_dir": tmp_path / "data", "secret_dir": tmp_path / "secrets"}
    )
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright runs a loop in this thread
    return Gallery(monkeypatch)


@pytest.mark.timeout(900)  # a minute or two on an idle machine
def test_axe_finds_nothing_on_any_page(gallery: Gallery, chromium: str) -> None:
    shown = {
        f"/{code}/{name}": answer
        for code, _ in live.LANGUAGES
        for name, answer in gallery.pages(f"/{code}")
    }
    assert len(shown) > 30 * len(live.LANGUAGES)
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        for script in (True, False):
            page = page_of(browser, SITE, SMALL, script=True)
            page.route("**/*", partial(_served, shown=shown, script=script))
            for path, answer in shown.items():
                if script or b"<script" in answer.content:
                    faults += [f"{path} script={script} {fault}" for fault in _seen(page, path)]
        browser.close()
    assert not faults, lines(faults)


def _seen(page: Page, path: str) -> Iterator[str]:
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.goto(path)
    for size, scheme in LOOKS:
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for fault in [*axe_faults(page), *too_wide(page)]:
            yield f"{size['width']} px {scheme}: {fault}"


def _served(route: Route, shown: dict[str, Any], *, script: bool) -> None:
    """Answer as the site would: a page that was made, or a file of the static ones.

    Without `script` the page's own do not run, though axe does: no page has a `<noscript>`, so
    that this is what a browser without JavaScript shows.
    """
    path = urlsplit(route.request.url).path
    if path in shown:
        assert b"<noscript" not in shown[path].content
        headers = dict(shown[path].headers) if script else NO_SCRIPT
        route.fulfill(status=200, headers=headers, body=shown[path].content)
    elif (found := finders.find(path.removeprefix("/static/"))) is not None:
        route.fulfill(path=str(found))
    else:
        route.fulfill(status=404, body="")
