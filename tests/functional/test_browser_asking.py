"""Asking in a real browser: with a script photos are shown and work is done; without it too."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from scripts.house import House

NARROW = {"width": 320, "height": 800}


@pytest.fixture(scope="module")
def quick_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A service without datasets, whose work and tickets cost little."""
    cheap = {"UNLIST_POW_COST": "500", "UNLIST_TICKET_WAIT_SECONDS": "1"}
    with House(tmp_path_factory.mktemp("asking"), cheap) as running:
        yield running


def open_page(browser: Browser, house: House, *, script: bool) -> tuple[Page, list[str]]:
    """A narrow phone; what its console complains of comes beside it."""
    context = browser.new_context(
        base_url=house.url,
        viewport={"width": NARROW["width"], "height": NARROW["height"]},
        java_script_enabled=script,
        has_touch=True,
        is_mobile=True,
    )
    page = context.new_page()
    page.set_default_timeout(60_000)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: _ours(request.url, house.url))
    return page, said


def _ours(url: str, house_url: str) -> None:
    assert url.startswith((house_url, f"blob:{house_url}", "data:")), f"a page asked for {url}"


def picture(hue: int, name: str = "jane-doe.jpg") -> Any:
    out = io.BytesIO()
    Image.effect_noise((400, 300), hue).convert("RGB").save(out, "JPEG")
    return {"name": name, "mimeType": "image/jpeg", "buffer": out.getvalue()}


def fits(page: Page) -> None:
    wide = page.locator("html").evaluate("e => e.scrollWidth - e.clientWidth")
    assert wide <= 0, f"{page.url} is {wide} px too wide"


def test_photos_are_shown_taken_away_and_sent_with_work(
    browser: Browser, quick_house: House
) -> None:
    page, said = open_page(browser, quick_house, script=True)
    page.goto("/request/")
    fits(page)
    page.set_input_files("#id_photos", [picture(20), picture(60)])
    page.set_input_files("#id_photos", [picture(90), {**picture(1), "mimeType": "text/plain"}])
    expect(page.locator("#previews img")).to_have_count(3)
    expect(page.locator("#photos-said")).to_contain_text("it is not a picture")
    shown = page.locator("#previews img").evaluate_all(
        "images => images.map(image => [image.src.slice(0, 5), image.naturalWidth])"
    )
    assert shown == [["blob:", 400]] * 3
    page.get_by_role("button", name="Remove photo 2").click()
    expect(page.locator("#previews img")).to_have_count(2)
    names = page.locator("#id_photos").evaluate("e => [...e.files].map(file => file.name)")
    assert names == ["photo", "photo"], "a file's own name must not leave the device"
    expect(page.get_by_role("button", name="Take a photo")).to_be_visible()
    # Without a good ticket only the work can let the form through.
    page.locator("input[name=ticket]").evaluate("field => { field.value = 'none' }")
    page.get_by_role("button", name="Send the request").click()
    expect(page.locator("#receipt")).to_be_visible()
    expect(page.get_by_text("Photo 2: received and encrypted.")).to_be_visible()
    expect(page.get_by_role("button", name="Print this page")).to_be_visible()
    fits(page)
    assert said == []
    assert page.context.cookies() == []


def test_photos_are_taken_by_paste_and_drop(browser: Browser, quick_house: House) -> None:
    page, said = open_page(browser, quick_house, script=True)
    page.goto("/request/")
    give = """([kind, bytes]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], "x.jpg", { type: "image/jpeg" }));
        const event = kind === "paste"
            ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
            : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
        document.getElementById("drop").dispatchEvent(event);
        return event.defaultPrevented;
    }"""
    for count, kind in enumerate(("paste", "drop"), start=1):
        assert page.evaluate(give, [kind, list(picture(count * 30)["buffer"])])
        expect(page.locator("#previews img")).to_have_count(count)
    assert said == []


def test_nothing_chosen_is_said_before_anything_is_sent(
    browser: Browser, quick_house: House
) -> None:
    page, _said = open_page(browser, quick_house, script=True)
    page.goto("/request/")
    page.get_by_role("button", name="Send the request").click()
    expect(page.locator("#photos-said")).to_contain_text("Choose a photo")
    expect(page.locator("#id_photos")).to_be_focused()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_the_receipt_is_saved_checked_and_put_into_the_calendar(
    browser: Browser, quick_house: House, *, script: bool
) -> None:
    page, _said = open_page(browser, quick_house, script=script)
    page.goto("/request/")
    page.fill("#id_urls", "https://example.org/a.jpg")
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Send the request").click()
    code = page.locator("#receipt").inner_text().strip()
    assert re.fullmatch(r"([0-9A-Z]{5}-){5}[0-9A-Z]", code)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as a text file").click()
    assert code in Path(saved.value.path()).read_text()
    page.get_by_role("button", name="I have kept the code").click()
    expect(page.locator("#receipt")).to_have_count(0)
    page.fill("#id_end", "ABCDE-F")
    page.get_by_role("button", name="Check it").click()
    expect(page.locator("#receipt")).to_have_text(code)
    page.get_by_role("button", name="I have kept the code").click()
    page.fill("#id_end", code[-7:].lower())
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Well done: you have kept it")
    fits(page)
    with page.expect_download() as entry:
        page.get_by_role("button", name="Save a calendar entry").click()
    assert "Look up the answer" in Path(entry.value.path()).read_text()
    assert code not in page.url
    assert page.context.cookies() == []
