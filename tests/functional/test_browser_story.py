"""A person's whole story in the browser, by keyboard alone, twice.

Once on a phone with JavaScript, in English; once without JavaScript, 320 px wide, dark, in
Arabic. On each page on the way axe is asked, nothing may stick out, and focus must be seen.
"""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from scripts.demo.pictures import pictures_make
from scripts.house import House
from scripts.maintainer import Maintainer
from scripts.web import Subject
from tests.functional.browsing import (
    PHONE,
    SMALL,
    axe_faults,
    axe_faults_without_script,
    page_of,
    shot,
    tab_to,
    too_wide,
)

PICTURED = {"home", "request", "receipt", "status"}
"""The pages that docs/images shows."""


class Walker:
    """Somebody at a keyboard: goes by Tab, acts by Enter, and minds each page."""

    def __init__(self, page: Page, name: str, *, script: bool) -> None:
        self.page = page
        self._script = script
        self._name = name

    def look(self, name: str = "") -> None:
        """Mind the page that has come, and keep a picture of it."""
        expect(self.page.locator("h1")).to_be_visible()
        asked = axe_faults if self._script else axe_faults_without_script
        assert asked(self.page) == []
        assert too_wide(self.page) == []
        if name in PICTURED:
            shot(self.page, f"{name}{self._name}")

    def press(self, selector: str) -> None:
        """Go to a link or button and press it."""
        tab_to(self.page, self.page.locator(selector).first)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def type(self, selector: str, text: str) -> None:
        """Go to a field and fill it."""
        tab_to(self.page, self.page.locator(selector))
        self.page.keyboard.type(text)

    def choose(self, selector: str, path: Path) -> None:
        """Go to a file control, open it and choose."""
        tab_to(self.page, self.page.locator(selector))
        with self.page.expect_file_chooser() as chooser:
            self.page.keyboard.press("Space")
        chooser.value.set_files(path)


@pytest.mark.parametrize(("language", "script"), [("en", True), ("ar", False)])
def test_a_person_asks_and_sees_it_through_by_keyboard(
    browser: Browser, house: House, tmp_path: Path, language: str, script: bool
) -> None:
    copy, *_ = pictures_make(tmp_path)
    page = page_of(
        browser,
        house.url,
        PHONE if script else SMALL,
        script=script,
        scheme="light" if script else "dark",
        language=language,
    )
    walker = Walker(page, "" if script else f"-{language}-320", script=script)
    receipt = _asks(walker, copy.path, language)
    Subject(house.url).searched(receipt)
    _opens(walker, receipt)
    _talks(walker)
    _refused(house)
    _appeals(walker)
    _deletes_and_leaves(walker)
    assert receipt not in page.url
    assert page.context.cookies() == []
    after = Subject(house.url).status(receipt)
    assert (after["state"], after["photos"][0]["state"]) == ("in_review", "deleted")
    assert [message["from"] for message in after["messages"]] == ["you"]


def _asks(walker: Walker, photo: Path, language: str) -> str:
    """From the first page to the receipt, kept; return the code."""
    page = walker.page
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("lang", language)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    walker.look("home")
    walker.press("main a.btn[href$='/request/']")
    walker.look("request")
    walker.choose("#id_photos", photo)
    walker.type("#id_note", "Me, in orange.")
    page.wait_for_timeout(3200)  # the form's ticket becomes valid after three seconds
    walker.press("#id_send button[type=submit]")
    receipt = page.locator("#receipt").inner_text().strip()
    assert re.fullmatch(r"([0-9A-Z]{5}-){5}[0-9A-Z]", receipt)
    assert page.locator("#receipt").evaluate("e => getComputedStyle(e).direction") == "ltr"
    walker.look("receipt")
    walker.press("form[action$='/request/kept/'] button.btn")
    walker.type("#id_end", receipt[-7:].lower())
    walker.look("receipt-kept")
    walker.press("form[action$='/request/kept/'] button[type=submit]")
    walker.look("receipt-well-kept")
    assert page.context.cookies() == []
    walker.press("main .actions a.btn")
    return receipt


def _opens(walker: Walker, receipt: str) -> None:
    walker.look("status-form")
    walker.type("#id_receipt", receipt.lower())
    walker.press("form[action$='/status/'] button")
    expect(walker.page.locator("ul.found li").first).to_be_visible()
    assert len(walker.page.context.cookies()) == 2
    walker.look("status")


def _talks(walker: Walker) -> None:
    walker.type("#id_text", "Is there news?")
    walker.press("form[action$='/status/messages/'] button")
    expect(walker.page.locator(".note[role=status]")).to_be_visible()
    expect(walker.page.locator(".talk li")).to_have_count(1)
    walker.look("status-message")


def _refused(house: House) -> None:
    """The maintainers refuse whatever waits."""
    maintainer = Maintainer(house.url)
    maintainer.login(*house.staff_login())
    for path in maintainer.waiting():
        case = maintainer.open(path)
        maintainer.decide(
            case, approve=(), tier="", reason="different_picture", statement="Not this one."
        )


def _appeals(walker: Walker) -> None:
    walker.page.reload()
    walker.look("status-refused")
    walker.press("main a[href$='/status/appeal/']")
    walker.type("#id_text", "It is me, look at the flag.")
    walker.look("status-appeal")
    walker.press("form[action$='/status/appeal/'] button")
    expect(walker.page.locator(".note[role=status]")).to_be_visible()
    walker.look("status-appealed")


def _deletes_and_leaves(walker: Walker) -> None:
    walker.press("main a[href$='/status/photo/delete/']")
    walker.look("status-delete")
    walker.press("form[action$='/status/photo/delete/'] button")
    expect(walker.page.locator(".note[role=status]")).to_be_visible()
    walker.look()
    walker.press("form.leave button")
    walker.look("status-left")
