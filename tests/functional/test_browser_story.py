"""A person's whole story in the browser, by keyboard alone, in two browsers.

Once on a phone with JavaScript, in English; once without JavaScript, 320 px wide, dark, in
Arabic. On each page on the way axe is asked, nothing may stick out, and focus must be seen.
"""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from scripts.demo.pictures import pictures_make
from scripts.downstream import unlist_run
from scripts.house import House
from scripts.maintainer import Case, Maintainer
from scripts.web import Subject
from tests.functional.walking import LANGUAGES, Walker

_ASK = """
from django.contrib.auth.models import User
from removal.life.questions import question_put
from removal.models import Candidate, RemovalRequest
new = RemovalRequest.objects.filter(state="in_review", appealed_on=None)
for request in new:
    rows = [row.pk for row in request.candidates.order_by("pk")[:2]]
    Candidate.objects.filter(pk__in=rows).update(kind="similar")
    question_put(request_id=request.pk, reviewer=User.objects.first(), candidate_ids=rows)
print("asked", RemovalRequest.objects.filter(state="needs_info").count())
"""
"""The sample holds the portrait three times and nothing that a search takes for it."""


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """An altered copy of a picture that the dataset holds."""
    copy, *_ = pictures_make(tmp_path)
    return copy.path


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_person_asks_is_refused_and_appeals(
    browser: Browser, house: House, photo: Path, language: str
) -> None:
    walker = Walker(browser, house.url, language)
    receipt = _asks(walker, photo)
    Subject(house.url).searched(receipt)
    _opens(walker, receipt)
    expect(walker.page.locator("ul.found li").first).to_be_visible()
    walker.look("status")
    _talks(walker)
    _decided(house, refuse=True)
    _appeals(walker)
    _deletes(walker)
    _leaves(walker)
    assert receipt not in walker.page.url
    after = Subject(house.url).status(receipt)
    assert (after["state"], after["photos"][0]["state"]) == ("in_review", "deleted")
    assert [message["from"] for message in after["messages"]] == ["you"]


def test_a_person_answers_a_question_and_keeps_the_proof(
    browser: Browser, house: House, photo: Path
) -> None:
    walkers = [Walker(browser, house.url, language) for language in LANGUAGES]
    receipts = [_submitted(house, photo) for _ in walkers]
    _asked(house)
    for walker, receipt in zip(walkers, receipts, strict=True):
        walker.page.goto("/status/")
        _opens(walker, receipt)
        _answers(walker)
    _decided(house, refuse=False)
    house.manage("build_release")
    house.manage("publish_release")
    for walker in walkers:
        walker.page.reload()
        walker.look("status-released")
        _keeps_the_proof(walker)
        _deletes(walker)
        _leaves(walker)
    for receipt in receipts:
        after = Subject(house.url).status(receipt)
        assert (after["state"], after["photos"][0]["state"]) == ("released", "deleted")
        assert {question["mine"] for question in after["questions"]} == {True, False}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_person_takes_the_request_back(
    browser: Browser, house: House, photo: Path, language: str
) -> None:
    receipt = Subject(house.url).submit([photo])["receipt"]
    walker = Walker(browser, house.url, language)
    walker.page.goto("/status/")
    _opens(walker, receipt)
    walker.press("main a[href$='/status/withdraw/']")
    walker.look("status-withdraw")
    walker.press("form[action$='/status/withdraw/'] button")
    walker.told()
    walker.look("status-withdrawn")
    _leaves(walker)
    after = Subject(house.url).status(receipt)
    assert (after["state"], after["photos"][0]["state"]) == ("withdrawn", "deleted")


# --- what the person does ----------------------------------------------------------------------


def _asks(walker: Walker, photo: Path) -> str:
    """From the first page to the receipt, kept; return the code."""
    page = walker.page
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("lang", walker.language)
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
    expect(walker.page.locator("#opened")).to_be_visible()
    assert len(walker.page.context.cookies()) == 2


def _talks(walker: Walker) -> None:
    walker.type("#id_text", "Is there news?")
    walker.press("form[action$='/status/messages/'] button")
    walker.told()
    expect(walker.page.locator(".talk li")).to_have_count(1)
    walker.look("status-message")


def _answers(walker: Walker) -> None:
    """Say of the first tile that it is oneself, and of the second that it is not."""
    tiles = walker.page.locator("ol.tiles li")
    expect(tiles).to_have_count(2)
    walker.look("status-question")
    walker.press("ol.tiles li:nth-child(1) button[value=yes]")
    walker.told()
    expect(tiles.nth(0).locator("strong")).to_be_visible()
    walker.press("ol.tiles li:nth-child(2) button[value=no]")
    walker.told()
    expect(tiles.locator("button")).to_have_count(0)
    walker.look("status-answered")


def _appeals(walker: Walker) -> None:
    walker.page.reload()
    walker.look("status-refused")
    walker.press("main a[href$='/status/appeal/']")
    walker.type("#id_text", "It is me, look at the flag.")
    walker.look("status-appeal")
    walker.press("form[action$='/status/appeal/'] button")
    walker.told()
    walker.look("status-appealed")


def _keeps_the_proof(walker: Walker) -> None:
    proof = walker.save("main a[href$='/status/proof/']")
    assert json.loads(Path(proof.path()).read_text())["proofs"]
    assert "1" in unlist_run("verify-proof", proof.path())


def _deletes(walker: Walker) -> None:
    walker.press("main a[href$='/status/photo/delete/']")
    walker.look("status-delete")
    walker.press("form[action$='/status/photo/delete/'] button")
    walker.told()
    walker.look()


def _leaves(walker: Walker) -> None:
    walker.press("form.leave button")
    walker.look("status-left")
    assert walker.page.context.cookies() == []


# --- what others do ----------------------------------------------------------------------------


def _submitted(house: House, photo: Path) -> str:
    subject = Subject(house.url)
    receipt = str(subject.submit([photo])["receipt"])
    assert subject.searched(receipt)["state"] == "in_review"
    return receipt


def _asked(house: House) -> None:
    """A maintainer asks about two rows of each new request, as if they only looked alike."""
    assert "asked 2" in house.manage("shell", "-c", _ASK)


def _decided(house: House, *, refuse: bool) -> None:
    """A maintainer refuses, or approves the copies of, whatever waits."""
    maintainer = _maintainer(house)
    for path in maintainer.waiting():
        case = maintainer.open(path)
        maintainer.decide(
            case,
            approve=() if refuse else _copies(case),
            tier="" if refuse else "exact",
            reason="different_picture" if refuse else "",
            statement="Not this one." if refuse else "",
        )
    maintainer.settle()


def _copies(case: Case) -> list[str]:
    return [row.id for row in case.rows if row.kind != "similar" and row.id]


def _maintainer(house: House) -> Maintainer:
    maintainer = Maintainer(house.url)
    maintainer.login(*house.staff_login())
    return maintainer
