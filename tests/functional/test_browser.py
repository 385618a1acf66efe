"""The pages in a real browser: a person on a phone, then a maintainer at a desk.

With UNLIST_SCREENSHOTS=docs/images the pictures for the documentation are made on the way; they
show the astronaut's portrait and generated pictures alone.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from scripts.browser import FLAGS
from scripts.demo.pictures import pictures_make
from scripts.house import House
from scripts.web import Subject

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1360, "height": 900}
SHOTS = os.environ.get("UNLIST_SCREENSHOTS")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield running
        running.close()


def page_of(browser: Browser, house: House, size: dict[str, int], *, script: bool) -> Page:
    """Open a browser of its own: no cookie, and on a page that asks elsewhere the test fails."""
    context = browser.new_context(
        base_url=house.url,
        viewport={"width": size["width"], "height": size["height"]},
        java_script_enabled=script,
    )
    page = context.new_page()
    page.on("request", lambda request: asked_elsewhere(request.url, house.url))
    return page


def asked_elsewhere(url: str, house_url: str) -> None:
    assert url.startswith((house_url, "data:", "about:")), f"a page asked for {url}"


def shot(page: Page, name: str) -> None:
    """Keep a picture of the whole page, where pictures are wanted."""
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.evaluate("scrollTo(0, 0)")  # what sticks to the window is then at its place
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def no_sideways_scrolling(page: Page) -> None:
    wide = page.locator("html").evaluate("e => e.scrollWidth - e.clientWidth")
    assert wide <= 0, f"{page.url} is {wide} px too wide"


def test_a_person_submits_and_follows_a_request_without_script(
    browser: Browser, house: House, tmp_path: Path
) -> None:
    copy, _screenshot, _other = pictures_make(tmp_path)
    page = page_of(browser, house, PHONE, script=False)
    page.goto("/")
    shot(page, "home")
    page.goto("/request/")
    shot(page, "request")
    page.set_input_files("#id_photos", copy.path)
    page.wait_for_timeout(3200)  # the form's ticket becomes valid after three seconds
    page.get_by_role("button", name="Send the request").click()
    receipt = page.locator("#receipt").inner_text().strip()
    assert re.fullmatch(r"([0-9A-Z]{5}-){5}[0-9A-Z]", receipt)
    assert receipt not in page.url
    shot(page, "receipt")
    Subject(house.url).searched(receipt)
    page.goto("/status/")
    page.fill("#id_receipt", receipt.lower())
    page.get_by_role("button", name="Show my request").click()
    expect(page.locator("h1")).to_have_text("Your request")
    expect(page.get_by_text("sample").first).to_be_visible()
    assert receipt not in page.url
    shot(page, "status")
    page.get_by_label("Yes, delete my photos and end the request.").check()
    page.get_by_role("button", name="Take the request back").click()
    expect(page.get_by_role("status")).to_contain_text("You have taken the request back")
    assert Subject(house.url).status(receipt)["photos"][0]["state"] == "deleted"
    assert page.context.cookies() == []


def test_a_maintainer_reveals_decides_and_cannot_decide_again(
    browser: Browser, house: House, tmp_path: Path
) -> None:
    copy, *_ = pictures_make(tmp_path)
    subject = Subject(house.url)
    receipt = subject.submit([copy.path])["receipt"]
    subject.searched(receipt)
    page = page_of(browser, house, DESK, script=True)
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


@pytest.mark.parametrize("path", ["/", "/request/", "/status/", "/datasets/", "/privacy/"])
@pytest.mark.parametrize("width", [320, 1360])
def test_pages_fit_a_small_phone_and_a_desk(
    browser: Browser, house: House, path: str, width: int
) -> None:
    page = page_of(browser, house, {"width": width, "height": 720}, script=True)
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    page.goto(path)
    expect(page.locator("h1")).to_be_visible()
    no_sideways_scrolling(page)
    assert faults == []
    assert page.context.cookies() == []


def test_a_mistyped_receipt_is_told_in_words(browser: Browser, house: House) -> None:
    page = page_of(browser, house, PHONE, script=False)
    page.goto("/status/")
    page.fill("#id_receipt", "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE-F")
    page.get_by_role("button", name="Show my request").click()
    expect(page.locator("#id_receipt")).to_have_attribute("aria-invalid", "true")
    assert "AAAAA" not in page.url
