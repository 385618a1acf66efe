"""A maintainer at a desk: requests with real matches, worked off by keyboard alone; axe; pictures.

The photos are altered copies of photographs that a dataset holds: the evaluation kit's where it is
there, else the sample's. They are sent and searched like any other. How many keystrokes and seconds
a decision took is printed.

With UNLIST_SCREENSHOTS=docs/images 50 requests are worked off, and the pictures for the
documentation are made on the way; they show photographs that anybody may show. Without it 8 are
enough, for each one is searched for; UNLIST_DESK_REQUESTS asks for another number.
"""

import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

import pytest
from PIL import Image, ImageEnhance, ImageOps
from playwright.sync_api import Browser, Locator, Page, Response, expect

from scripts.demo.pictures import pictures_make
from scripts.house import House
from scripts.sample.dataset import Source, shard_write
from scripts.sample.photos import COVERED, PORTRAIT
from scripts.web import Subject
from tests.functional.browsing import (
    DESK,
    SHOTS,
    SMALL,
    Scheme,
    axe_faults,
    axe_faults_without_script,
    lines,
    page_of,
    shot,
    too_wide,
)
from tests.functional.staff import staff_sign_in

QUEUE: Final = "/admin/removal/removalrequest/"
REQUESTS: Final = int(os.environ.get("UNLIST_DESK_REQUESTS", "50" if SHOTS else "8"))
KIT: Final = Path(__file__).parents[3] / "shared" / "eval" / "images"
LOOKS: Final[tuple[tuple[dict[str, int], Scheme], ...]] = (
    (DESK, "light"),
    (DESK, "dark"),
    (SMALL, "light"),
    (SMALL, "dark"),
)
ALTERED: Final[tuple[Callable[[Image.Image], Image.Image], ...]] = (
    ImageOps.mirror,
    lambda image: image.crop((image.width // 8, 0, image.width, image.height * 7 // 8)),
    lambda image: ImageEnhance.Brightness(image).enhance(1.25),
    lambda image: image.resize((image.width * 2 // 3, image.height * 2 // 3)),
)


@dataclass
class Keys:
    """A hand on the keyboard, which counts what it presses."""

    page: Page
    pressed: int = 0
    per_decision: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    _began: float = 0.0

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.pressed += 1

    def opens(self, key: str) -> None:
        """Press a key that brings another page."""
        with self.page.expect_navigation():
            self.press(key)

    def begin(self) -> None:
        self.pressed, self._began = 0, time.monotonic()

    def decided(self) -> None:
        self.per_decision.append(self.pressed)
        self.seconds.append(time.monotonic() - self._began)


@pytest.fixture(scope="module")
def asked(house: House, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Send the requests and wait until all are searched; return their receipts."""
    folder = tmp_path_factory.mktemp("asked")
    subject = Subject(house.url)
    photos = photos_held(house, folder / "kit")
    receipts = [subject.submit([path])["receipt"] for path in photos_altered(folder, photos)]
    for receipt in receipts:
        assert subject.searched(receipt, seconds=600)["state"] == "in_review"
    return receipts


def photos_held(house: House, folder: Path) -> list[bytes]:
    """Return photographs that a dataset holds; those of the evaluation kit are made one first."""
    if not KIT.is_dir():
        return [photo.read() for photo in (PORTRAIT, *COVERED)]
    files = sorted(KIT.iterdir())[:: len(list(KIT.iterdir())) // REQUESTS][:REQUESTS]
    photos = [file.read_bytes() for file in files]
    folder.mkdir()
    rows = [
        Source(f"https://kit.example/{file.name}", file.stem, photo)
        for file, photo in zip(files, photos, strict=True)
    ]
    shard_write(folder, 0, rows)
    house.manage("add_dataset", "kit", "--format", "img2dataset", "--path", folder)
    house.manage("index_dataset", "kit")
    return photos


def photos_altered(folder: Path, photos: Sequence[bytes]) -> Iterator[Path]:
    """Write the requests' photos: these in turn, each turn altered in another way."""
    for place in range(REQUESTS):
        with Image.open(io.BytesIO(photos[place % len(photos)])) as stored:
            image = ALTERED[(place + place // len(photos)) % len(ALTERED)](stored.convert("RGB"))
        path = folder / f"{place:03}.jpg"
        image.save(path, quality=70)
        yield path


@pytest.mark.timeout(1800)
def test_requests_are_worked_off_by_keyboard_alone(
    browser: Browser, house: House, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    page = page_of(browser, house.url, DESK, script=True)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(error.message))
    page.on("response", lambda answer: faults.extend(refused_of(answer)))
    staff_sign_in(page, house)
    page.goto(QUEUE)
    shot(page, "admin-queue")
    keys = Keys(page)
    walk_to(page, page.locator(".queue-next"))
    keys.opens("Enter")
    for place in range(len(asked)):
        keys.begin()
        pair = page.frame_locator("iframe.desk-pair").first
        expect(pair.locator("[data-reveal]")).to_be_visible()
        keys.press("v")
        expect(pair.locator("[data-hide]")).to_be_visible()
        if place % 5 == 4:
            for key in ("d", "3"):
                keys.press(key)
            keys.opens("d")
        else:
            for key in ("c", "a", "1"):
                keys.press(key)
            keys.opens("a")
        expect(page.locator("section.desk-undo")).to_be_visible()
        if place == 0:
            undone_and_decided_again(page)
        keys.opens("n")
        keys.decided()
    expect(page.locator(".messagelist")).to_contain_text("Nothing waits for you")
    assert faults == []
    subject = Subject(house.url)
    outcomes = [outcome(subject, receipt) for receipt in asked]
    refused = len([place for place in range(len(asked)) if place % 5 == 4])
    assert outcomes.count("denied") == refused
    assert outcomes.count("approved") == len(asked) - refused
    with capsys.disabled():
        print(
            f"\n{len(asked)} decisions: median {median(keys.per_decision):.0f} keystrokes "
            f"and {median(keys.seconds):.1f} s each"
        )


def refused_of(answer: Response) -> list[str]:
    """Return the address of what was asked for in vain; the admin has no favicon."""
    vain = answer.status >= 400 and not answer.url.endswith("/favicon.ico")
    return [f"{answer.status} {answer.url}"] if vain else []


def walk_to(page: Page, wanted: Locator) -> None:
    """Walk to an element by the Tab key alone."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if wanted.evaluate("e => e === document.activeElement"):
            return
    raise AssertionError(f"{page.url}: {wanted} is not reached by Tab")


def undone_and_decided_again(page: Page) -> None:
    """Undo what was just decided, and decide it once more as it stands in the form."""
    with page.expect_navigation():
        page.keyboard.press("u")
    expect(page.locator(".messagelist")).to_contain_text("nothing was decided")
    expect(page.locator("input[name=tier][value=exact]")).to_be_checked()
    with page.expect_navigation():
        page.keyboard.press("a")
    expect(page.locator("section.desk-undo")).to_be_visible()


def outcome(subject: Subject, receipt: str) -> str:
    """Return what became of a request once the time to undo is over."""
    ends = time.monotonic() + 60
    while (state := str(subject.status(receipt)["state"])) == "in_review":
        assert time.monotonic() < ends, "the decision did not take effect"
        time.sleep(0.5)
    return state


def test_keys_choose_reveal_and_help_and_can_be_turned_off(
    browser: Browser, house: House, tmp_path: Path
) -> None:
    page, _ = desk_page(browser, house, tmp_path)
    page.keyboard.press("?")
    expect(page.locator("[data-keys]")).to_have_attribute("open", "")
    page.keyboard.press("?")
    first = page.locator("[data-tile]").first
    page.keyboard.press("j")
    expect(first).to_be_focused()
    box = first.locator("[data-choose]")
    page.keyboard.press("Space")
    expect(box).to_be_checked()
    page.keyboard.press("Space")
    expect(box).not_to_be_checked()
    pair = page.frame_locator("iframe.desk-pair").first
    expect(pair.locator("[data-reveal]")).to_be_visible()
    page.keyboard.press("v")
    expect(pair.locator("[data-hide]")).to_be_visible()
    assert pair.locator(".picture-lines line").count() > 10
    expect(pair.locator(".picture-lines")).to_be_hidden()
    page.keyboard.press("p")
    expect(pair.locator(".picture-lines")).to_be_visible()
    page.keyboard.press("f")
    expect(pair.locator(".picture-difference svg")).to_be_visible()
    pair.locator("#view-side").focus()
    page.keyboard.press("c")  # pressed within the frame, meant for the page
    expect(box).to_be_checked()
    page.locator("#id_message").focus()
    page.keyboard.type("jkcadv")
    expect(page.locator("#id_message")).to_have_value("jkcadv")
    expect(box).to_be_checked()
    first.focus()
    page.keyboard.press("?")
    page.get_by_label("Single keys do something").uncheck()
    page.reload()
    page.locator("[data-tile]").first.focus()
    page.keyboard.press("c")
    expect(page.locator("[data-choose]").first).not_to_be_checked()


def test_a_maintainer_reveals_decides_and_cannot_decide_again(
    browser: Browser, house: House, tmp_path: Path
) -> None:
    page, receipt = desk_page(browser, house, tmp_path)
    pair = page.frame_locator("iframe.desk-pair").first
    expect(pair.locator("svg image")).to_have_count(2)
    expect(pair.locator("[data-hide]")).to_have_count(0)
    shot(page, "admin-request-veiled")
    pair.get_by_role("button", name="Show both").click()
    expect(pair.locator("[data-hide]")).to_be_visible()
    pair.get_by_label("Matched points").check()
    page.locator("[data-kind=copy] [data-choose]").first.check()
    page.locator("input[name=tier][value=exact]").check()
    shot(page, "admin-request")
    here = page.url
    page.locator("[data-approve]").click()
    expect(page.locator("section.desk-undo")).to_contain_text("takes effect in")
    expect(pair.locator("[data-reveal]")).to_be_visible()
    shot(page, "admin-undo")
    assert outcome(Subject(house.url), receipt) in {"approved", "partly_approved"}
    page.goto(here)
    expect(page.locator("[data-approve]")).to_have_count(0)
    expect(pair.locator("[data-reveal]")).to_be_visible()
    shot(page, "admin-decided")


def desk_page(browser: Browser, house: House, folder: Path) -> tuple[Page, str]:
    """Sign in and open a fresh request about the portrait, mirrored and cropped."""
    copy, *_ = pictures_make(folder)
    subject = Subject(house.url)
    receipt = subject.submit([copy.path], note="This was taken from my page.")["receipt"]
    subject.searched(receipt, seconds=300)
    page = page_of(browser, house.url, DESK, script=True)
    staff_sign_in(page, house)
    page.goto(QUEUE)
    with page.expect_navigation():
        page.locator(".queue-next").click()
    expect(page.locator("[data-tile]").first).to_be_visible()
    return page, receipt


@pytest.mark.timeout(600)
@pytest.mark.parametrize("script", [True, False])
def test_axe_finds_nothing_at_the_desk(
    browser: Browser, house: House, tmp_path: Path, script: bool
) -> None:
    copy, *_ = pictures_make(tmp_path)
    subject = Subject(house.url)
    for category in ("personal", "medical"):
        sent = subject.submit([copy.path], category=category, note="Words <of> mine.")
        subject.searched(sent["receipt"], seconds=300)
    page = page_of(browser, house.url, DESK, script=script)
    staff_sign_in(page, house)
    faults: list[str] = []
    for path in desk_paths(page):
        page.goto(path)
        faults += looked_at(page, script=script)
    assert not faults, lines(faults)


def desk_paths(page: Page) -> list[str]:
    """Propose a refusal that waits for a second person; return every kind of page of the desk."""
    page.goto(f"{QUEUE}?category__exact=medical")
    waiting = page.locator("#result_list tbody th a").first.get_attribute("href") or ""
    page.goto(waiting)
    if page.locator("[data-deny]").count():
        page.locator("input[name=reason][value=public_interest]").check()
        page.locator("[data-deny]").click()
    expect(page.locator("section.desk-undo")).to_contain_text("waits for a second person")
    page.goto(f"{QUEUE}?category__exact=personal")
    open_one = page.locator("#result_list tbody th a").first.get_attribute("href") or ""
    page.goto(open_one)
    frames = [one.get_attribute("src") or "" for one in page.locator("iframe").all()]
    number = open_one.split("/change/")[0].rsplit("/", 1)[1]
    others = [f"{QUEUE}pictures/", f"{QUEUE}procedure/", f"{QUEUE}{number}/escalate/"]
    return [open_one, waiting, *others, *frames[:2]]


def looked_at(page: Page, *, script: bool) -> Iterator[str]:
    """Look at a page, and at a frame once more when it is revealed."""
    asked = axe_faults if script else axe_faults_without_script
    reveal = page.locator("[data-reveal]")
    for revealed in (False, True):
        if revealed:
            if not reveal.count():
                return
            reveal.click()
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        for size, scheme in LOOKS:
            page.set_viewport_size({"width": size["width"], "height": size["height"]})
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            for fault in [*asked(page), *too_wide(page)]:
                yield f"{page.url} script={script} {size['width']} px {scheme}: {fault}"
