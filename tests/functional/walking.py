"""Somebody who has a keyboard alone, in the two browsers that the stories are walked in."""

from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Download, Page, expect

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

PICTURED: Final = {"home", "request", "receipt", "status"}
"""The pages that docs/images shows."""
LANGUAGES: Final = ("en", "ar")
"""English on a phone with JavaScript, light; Arabic without it, 320 px wide, dark."""


class Walker:
    """Goes by Tab, acts by Enter, and minds each page."""

    def __init__(self, browser: Browser, url: str, language: str) -> None:
        self.language = language
        self._script = language == "en"
        self._name = "" if self._script else f"-{language}-320"
        self.page: Page = page_of(
            browser,
            url,
            PHONE if self._script else SMALL,
            script=self._script,
            scheme="light" if self._script else "dark",
            language=language,
        )

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

    def save(self, selector: str) -> Download:
        """Go to a link or button that gives a file, press it and return the file."""
        tab_to(self.page, self.page.locator(selector).first)
        with self.page.expect_download() as given:
            self.page.keyboard.press("Enter")
        return given.value

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

    def told(self) -> None:
        """Expect the page to say what was just done."""
        expect(self.page.locator(".note[role=status]")).to_be_visible()
