"""Helpers of the browser tests: contexts that notice what they should not see, and axe."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page

PHONE: Final = {"width": 390, "height": 844}
SMALL: Final = {"width": 320, "height": 640}  # 1280 px at 400 % zoom, too
DESK: Final = {"width": 1360, "height": 900}
SHOTS: Final = os.environ.get("UNLIST_SCREENSHOTS")
Scheme = Literal["light", "dark"]
NO_SCRIPT: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "script-src 'none'",
}

AXE: Final = Axe().axe_script
AXE_OPTIONS: Final = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": {"target-size": {"enabled": True}},
}
LOOK_RULES: Final = (
    "color-contrast",
    "link-in-text-block",
    "scrollable-region-focusable",
    "target-size",
)
"""Those of them whose answer the size of the window and the colors can change."""
SIZE_RULES: Final = ("scrollable-region-focusable", "target-size")
"""Those of them whose answer the length of the words can change, too."""


def page_of(
    browser: Browser,
    url: str,
    size: dict[str, int],
    *,
    script: bool,
    scheme: Scheme = "light",
    language: str = "en",
) -> Page:
    """Open a browser of its own: no cookie, and on a page that asks elsewhere the test fails."""
    context = browser.new_context(
        base_url=url,
        viewport={"width": size["width"], "height": size["height"]},
        java_script_enabled=script,
        color_scheme=scheme,
        locale=language,
        reduced_motion="reduce",  # a color on its way from one scheme to the other is neither
    )
    page = context.new_page()
    site = "{0.scheme}://{0.netloc}".format(urlsplit(url))
    page.on("request", lambda request: asked_elsewhere(request.url, site))
    return page


def asked_elsewhere(url: str, house_url: str) -> None:
    """Fail on a request to another site."""
    assert url.startswith((house_url, "data:", "about:", "blob:")), f"a page asked for {url}"


def shot(page: Page, name: str) -> None:
    """Keep a picture of the whole page, where pictures are wanted."""
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.evaluate("scrollTo(0, 0)")  # what sticks to the window is then at its place
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def too_wide(page: Page) -> list[str]:
    """Return by how much a page is wider than its window, and what sticks out; nothing is good."""
    return list(
        page.evaluate(
            """() => {
  const root = document.documentElement, over = root.scrollWidth - root.clientWidth;
  if (over <= 0) return [];
  const out = [...document.body.querySelectorAll('*')].filter(e => {
    const box = e.getBoundingClientRect();
    return box.width && (box.right > root.clientWidth + 1 || box.left < -1);
  });
  return [`${over} px too wide`, ...out.slice(0, 5).map(e => e.outerHTML.slice(0, 120))];
}"""
        )
    )


def axe_faults(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """Return axe's violations of all rules or of some, each with the first elements at fault.

    Axe comes in by the debugging protocol, which no policy of the page keeps out.
    """
    if not page.evaluate("() => typeof axe === 'object'"):
        page.evaluate(AXE)
    some = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else {}
    options = {**AXE_OPTIONS, **some}
    found: dict[str, Any] = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{fault['id']}: {fault['help']}: {node['html'][:160]} ({node['failureSummary'][:200]})"
        for fault in found["violations"]
        for node in fault["nodes"][:2]
    ]


def axe_faults_without_script(page: Page) -> list[str]:
    """Return axe's violations on a page in a browser without JavaScript, where axe cannot run.

    It is looked at in a twin of the browser, which runs scripts but not the page's own.
    """
    size, dark = page.viewport_size, "matchMedia('(prefers-color-scheme: dark)').matches"
    scheme: Scheme = "dark" if page.evaluate(dark) else "light"
    browser = page.context.browser
    assert browser
    assert size
    address, words = page.url, page.content()
    shape = {"width": size["width"], "height": size["height"]}
    twin = page_of(browser, address, shape, script=True, scheme=scheme)
    twin.route(address, lambda route: route.fulfill(body=words, headers=NO_SCRIPT))
    twin.goto(address)
    faults = axe_faults(twin)
    twin.context.close()
    return faults


def tab_to(page: Page, wanted: Locator, *, most: int = 60) -> None:
    """Walk to an element by the Tab key alone; each stop on the way must show its focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        unseen = page.evaluate(FOCUS_UNSEEN)
        assert unseen is None, f"{page.url}: focus cannot be seen at {unseen}"
        if wanted.evaluate("e => e === document.activeElement"):
            return
    raise AssertionError(f"{page.url}: {wanted} is not reached by {most} steps of Tab")


FOCUS_UNSEEN: Final = """() => {
  const e = document.activeElement;
  if (!e || e === document.body || e === document.documentElement) return null;
  const style = getComputedStyle(e), box = e.getBoundingClientRect();
  const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2
    && !/, 0\\)$/.test(style.outlineColor);
  const seen = outlined || style.boxShadow !== 'none';
  const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  return seen && inside ? null : e.outerHTML.slice(0, 160);
}"""


def weights(page: Page) -> dict[str, int]:
    """Count the bytes of what a page loads from now on, by address."""
    loaded: dict[str, int] = {}

    def count(response: Any) -> None:
        if not response.request.redirected_to:
            loaded[response.url] = len(response.body())

    page.on("response", count)
    return loaded


def lines(faults: Iterable[str]) -> str:
    """Write faults as the message of an assertion."""
    return "\n".join(faults)
