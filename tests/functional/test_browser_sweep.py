"""A sweep in the browser: an example is brought, rows are chosen by keyboard, a second confirms.

With UNLIST_SCREENSHOTS the pictures for the documentation are made on the way.
"""

import io
import time
from pathlib import Path
from typing import Final

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from scripts.house import House
from scripts.sample.photos import PORTRAIT
from tests.functional.browsing import DESK, lines, page_of, shot
from tests.functional.staff import staff_sign_in
from tests.functional.test_browser_desk import looked_at, refused_of

SWEEPS: Final = "/admin/removal/sweep/"
SECOND: Final = ("second", "a horse, a battery, a staple")


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A photograph that the dataset holds, cropped and made smaller."""
    path = tmp_path / "taken-by-jane.jpg"
    with Image.open(io.BytesIO(PORTRAIT.read())) as stored:
        image = stored.convert("RGB")
        image.crop((0, 0, image.width, image.height * 9 // 10)).resize((300, 270)).save(path)
    return path


@pytest.mark.timeout(1200)
def test_an_example_is_swept_and_two_persons_list_its_like(
    browser: Browser, house: House, example: Path
) -> None:
    page, faults = desk_of(browser, house, None)
    page.goto("/admin/")
    page.get_by_role("link", name="Open the sweeps").click()
    here = started(page, example)
    searched(page)
    expect(page.locator("[data-tile]")).to_have_count(24)
    expect(page.locator("h3").first).to_contain_text("similarity 0.")
    first = page.frame_locator(".sweep-tiles iframe").first
    expect(first.locator("[data-reveal]")).to_be_visible()
    shot(page, "admin-sweep-veiled")
    page.keyboard.press("j")
    page.keyboard.press("v")
    expect(first.locator("[data-hide]")).to_be_visible()
    for key in ("Space", "j", "Space", "a", "1"):
        page.keyboard.press(key)
    page.locator("#id_reason").select_option("rights")
    page.locator("#id_words").fill("The photographer asks for it.")
    shot(page, "admin-sweep")
    with page.expect_navigation():
        page.locator("[data-approve]").click()
    expect(page.locator("section.desk-undo")).to_contain_text("List 2 rows as exact")
    expect(page.locator("section.desk-undo [data-approve]")).to_have_count(0)
    house.manage("shell", "-c", _SECOND_MADE)
    other, more = desk_of(browser, house, SECOND)
    other.goto(here)
    expect(other.locator("section.desk-undo")).to_contain_text("The photographer asks for it.")
    shot(other, "admin-sweep-second")
    with other.expect_navigation():
        other.keyboard.press("a")
    expect(other.locator("section.desk-undo")).to_contain_text("takes effect in")
    ended(other, here)
    page.goto(SWEEPS)
    expect(page.locator("table")).to_contain_text("its chosen rows were listed")
    shot(page, "admin-sweeps")
    assert faults + more == []
    listed = "from releases.models import ListEntry; print(ListEntry.objects.count())"
    assert int(house.manage("shell", "-v", "0", "-c", listed)) >= 2
    assert "jane" not in house.words()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("script", [True, False])
def test_axe_finds_nothing_on_the_pages_of_sweeps(
    browser: Browser, house: House, example: Path, script: bool
) -> None:
    page = page_of(browser, house.url, DESK, script=script)
    staff_sign_in(page, house)
    page.goto(SWEEPS)
    here = started(page, example)
    faults: list[str] = []
    searched(page)
    frame = page.locator(".sweep-tiles iframe").first.get_attribute("src") or ""
    for path in (SWEEPS, here, frame):
        page.goto(path)
        faults += looked_at(page, script=script)
    page.goto(here)
    page.locator("[data-choose]").first.check()
    page.locator("input[name=tier][value=exact]").check()
    page.locator("#id_reason").select_option("medical")
    page.locator("[data-approve]").click()
    expect(page.locator("section.desk-undo")).to_be_visible()
    faults += looked_at(page, script=script)
    page.locator("[data-undo]").click()
    expect(page.locator(".messagelist")).to_contain_text("Undone")
    expect(page.locator("[data-choose]").first).to_be_checked()
    page.get_by_role("button", name="Dismiss this sweep").click()
    expect(page.locator("table")).to_contain_text("ended: dismissed")
    page.goto(here)
    faults += looked_at(page, script=script)
    assert not faults, lines(faults)


_SECOND_MADE: Final = (
    "from django.contrib.auth.models import User; "
    f"User.objects.create_superuser({SECOND[0]!r}, password={SECOND[1]!r})"
)


def desk_of(
    browser: Browser, house: House, login: tuple[str, str] | None
) -> tuple[Page, list[str]]:
    """Sign somebody in; return their page, and what goes wrong on it from now on."""
    page = page_of(browser, house.url, DESK, script=True)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(error.message))
    page.on("response", lambda answer: faults.extend(refused_of(answer)))
    staff_sign_in(page, house, login)
    return page, faults


def started(page: Page, example: Path) -> str:
    """Fill in the form and send it; return the address of the sweep."""
    page.locator("input[name=start][value=upload]").check()
    page.locator("#id_photos").set_input_files(example)
    page.locator("#id_most").fill("24")
    shot(page, "admin-sweep-new")
    page.get_by_role("button", name="Start it").click()
    expect(page.locator(".messagelist")).to_contain_text("Started")
    return page.url


def searched(page: Page) -> None:
    """Wait until the workers have found the rows."""
    ends = time.monotonic() + 240
    while not page.locator("[data-tile]").count():
        assert time.monotonic() < ends, f"not searched: {page.locator('.desk').inner_text()}"
        time.sleep(0.5)
        page.goto(page.url)


def ended(page: Page, here: str) -> None:
    """Wait until the time to undo is over and the rows are listed."""
    ends = time.monotonic() + 60
    while "This sweep has ended" not in page.content():
        assert time.monotonic() < ends, "the proposal did not take effect"
        time.sleep(0.5)
        page.goto(here)
