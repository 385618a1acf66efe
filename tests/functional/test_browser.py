"""The pages in a real browser: what each loads and weighs, and what a reader sets is respected."""

import pytest
from playwright.sync_api import Browser, expect

from scripts.house import House
from tests.functional.browsing import DESK, PHONE, page_of, tab_to, too_wide, weights

PAGES = ["/", "/request/", "/status/", "/datasets/", "/privacy/", "/releases/", "/transparency/"]
LIGHT = 100_000  # bytes without photos: ten seconds on a slow line


@pytest.mark.parametrize("path", PAGES)
def test_pages_fit_a_desk_are_light_and_leave_nothing(
    browser: Browser, house: House, path: str
) -> None:
    page = page_of(browser, house.url, DESK, script=True)
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    loaded = weights(page)
    page.goto(path, wait_until="networkidle")
    expect(page.locator("h1")).to_be_visible()
    assert too_wide(page) == []
    assert faults == []
    assert page.context.cookies() == []
    assert sum(loaded.values()) < LIGHT, loaded


def test_a_mistyped_receipt_is_told_in_words(browser: Browser, house: House) -> None:
    page = page_of(browser, house.url, PHONE, script=False)
    page.goto("/status/")
    page.fill("#id_receipt", "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE-F")
    page.get_by_role("button", name="Show my request").click()
    expect(page.locator("#id_receipt")).to_have_attribute("aria-invalid", "true")
    assert "AAAAA" not in page.url


def test_language_is_chosen_by_a_link_and_kept_without_a_cookie(
    browser: Browser, house: House
) -> None:
    page = page_of(browser, house.url, PHONE, script=False, language="fr-CA")
    page.goto("/privacy/")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    page.get_by_role("link", name="العربية").click()
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    page.locator("nav a[href$='/request/']").first.click()
    expect(page.locator("html")).to_have_attribute("lang", "ar")
    expect(page).to_have_url(f"{house.url}/ar/request/")
    page.get_by_role("link", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert page.context.cookies() == []


def test_reader_settings_are_respected(browser: Browser, house: House) -> None:
    page = page_of(browser, house.url, DESK, script=False)
    page.emulate_media(reduced_motion="reduce")
    page.goto("/")
    moving = page.evaluate(
        """() => [...document.querySelectorAll('*')].filter(e => {
  const style = getComputedStyle(e);
  return style.animationName !== 'none' || parseFloat(style.transitionDuration) > 0;
}).length"""
    )
    assert moving == 0
    page.emulate_media(forced_colors="active")
    tab_to(page, page.locator("main .btn").first)
    outline = page.locator("main .btn").first.evaluate("e => getComputedStyle(e).outlineStyle")
    assert outline != "none"
