"""The pages in a real browser: what each loads and weighs, and a maintainer at a desk.

With UNLIST_SCREENSHOTS=docs/images the pictures for the documentation are made on the way; they
show the astronaut's portrait and generated pictures alone.
"""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from scripts.demo.pictures import pictures_make
from scripts.house import House
from scripts.web import Subject
from tests.functional.browsing import DESK, PHONE, page_of, shot, tab_to, too_wide, weights

PAGES = ["/", "/request/", "/status/", "/datasets/", "/privacy/", "/releases/", "/transparency/"]
LIGHT = 100_000  # bytes without photos: ten seconds on a slow line


def test_a_maintainer_reveals_decides_and_cannot_decide_again(
    browser: Browser, house: House, tmp_path: Path
) -> None:
    copy, *_ = pictures_make(tmp_path)
    subject = Subject(house.url)
    receipt = subject.submit([copy.path])["receipt"]
    subject.searched(receipt)
    page = page_of(browser, house.url, DESK, script=True)
    log_in(page, house)
    shot(page, "admin-queue")
    page.goto("/admin/removal/removalrequest/")
    page.locator("#result_list tbody th a").click()  # the one that waits
    frame = page.frame_locator(".desk-photos iframe").first
    expect(frame.locator("img")).to_have_count(0)
    frame.get_by_role("button", name="Show picture").click()
    expect(frame.locator("img")).to_be_visible()
    row = page.frame_locator(".desk-row iframe").first
    row.get_by_role("button", name="Show picture").click()
    expect(row.locator("img")).to_be_visible()
    for box in page.locator("fieldset", has_text="Copy:").locator("input[name=approve]").all():
        box.check()
    page.locator("input[name=tier][value=exact]").check()
    shot(page, "admin-request")
    here = page.url
    page.get_by_role("button", name="Approve the chosen rows").click()
    expect(page.locator(".messagelist")).to_contain_text("Recorded")
    page.goto(here)
    expect(page.get_by_role("button", name="Approve the chosen rows")).to_have_count(0)
    shot(page, "admin-decided")
    assert subject.status(receipt)["state"] == "approved"


def log_in(page: Page, house: House) -> None:
    name, password = house.staff_login()
    page.goto("/admin/")
    page.fill("#id_username", name)
    page.fill("#id_password", password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("waiting for a decision")).to_be_visible()


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
