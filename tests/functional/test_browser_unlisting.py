"""Two approvers take a row off the list, and a person reads that a rule approved theirs; axe.

The pages are those of a live server of the test's own process, in a real browser: what is tried
here is how they look and are walked through. With UNLIST_SCREENSHOTS pictures are kept.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from releases.models import ListEntry
from removal.life.rules import rules_apply
from tests.functional.browsing import (
    DESK,
    SMALL,
    Scheme,
    axe_faults,
    axe_faults_without_script,
    lines,
    page_of,
    shot,
    too_wide,
)
from tests.removal import factories
from tests.removal.factories import match

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]
PAGE = "/admin/releases/listentry/unlist/"
ADDRESS = "https://pictures.example.org/marked-url.jpg"
Desk = Callable[..., Page]


@pytest.fixture(autouse=True, scope="module")
def _database_beside_the_browser() -> Iterator[None]:
    """Playwright's loop runs in this thread, which makes Django think that it is asynchronous."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield


@pytest.fixture
def site(live_server: Any, settings: Any) -> str:
    url: str = live_server.url
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 1, "public_url": url})
    settings.CSRF_TRUSTED_ORIGINS = [url]
    factories.secrets_made()
    return url


@pytest.fixture
def desk(browser: Browser, site: str) -> Iterator[Desk]:
    """Open a page for somebody who is signed in."""
    pages = []

    def opened(person: User, *, script: bool = True, scheme: Scheme = "light") -> Page:
        client = Client()
        factories.sign_in(client, person)
        page = page_of(browser, site, DESK, script=script, scheme=scheme)
        name = django_settings.SESSION_COOKIE_NAME
        page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": site}])
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.context.close()


def well_made(page: Page, name: str) -> None:
    """See that a page holds in every width and color, and keep pictures of it."""
    for size in (DESK, SMALL):
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert too_wide(page) == []
            faults = axe_faults(page)
            assert not faults, lines(faults)
            shot(page, f"{name}-{size['width']}-{scheme}")
    page.set_viewport_size({"width": DESK["width"], "height": DESK["height"]})
    page.emulate_media(color_scheme="light")


def test_two_approvers_take_a_requests_rows_off_the_list(desk: Desk) -> None:
    case = factories.decided(approve=(0, 1))
    anna, bert = (factories.role_user(name, "approver") for name in ("anna", "bert"))
    page = desk(anna)
    page.goto(f"/admin/removal/removalrequest/{case.request_id}/change/")
    page.locator("details.desk-unlist summary").click()
    well_made(page, "unlist-request")
    page.get_by_role("button", name="Look up the chosen rows").click()
    page.get_by_role("radio", name="They were listed by mistake").check()
    page.fill("#id_words", "The rows show another bridge: see the ledger of Tuesday.")
    well_made(page, "unlist-found")
    page.get_by_role("button", name="Propose to take them off").click()
    expect(page.locator(".messagelist")).to_contain_text("another approver has to confirm")
    expect(page.get_by_role("button", name="Confirm: take off")).to_have_count(0)
    well_made(page, "unlist-own")

    second = desk(bert)
    second.goto("/admin/")
    second.get_by_role("link", name="Take rows off the list").click()
    expect(second.get_by_text("another bridge")).to_be_visible()
    expect(second.get_by_text(ADDRESS).first).to_be_visible()
    well_made(second, "unlist-second")
    second.get_by_role("button", name="Confirm: take off").focus()
    second.keyboard.press("Enter")
    expect(second.get_by_text("taken off the list. They were listed by mistake")).to_be_visible(
        timeout=15_000
    )
    well_made(second, "unlist-done")
    assert not ListEntry.objects.exists()


def test_it_works_without_script(desk: Desk) -> None:
    factories.decided(approve=(0, 1))
    anna, bert = (factories.role_user(name, "approver") for name in ("anna", "bert"))
    page = desk(anna, script=False)
    page.goto(PAGE)
    page.fill("#id_values", f"{ADDRESS}\nhttps://example.org/not-listed.jpg")
    page.get_by_role("button", name="Look up").click()
    faults = axe_faults_without_script(page)
    assert not faults, lines(faults)
    page.get_by_role("radio", name="A court or an authority").check()
    page.get_by_role("button", name="Propose to take them off").click()
    second = desk(bert, script=False)
    second.goto(PAGE)
    second.get_by_role("button", name="Do not confirm").click()
    expect(second.get_by_text("not confirmed. A court or an authority")).to_be_visible()
    assert ListEntry.objects.filter(kind="url").count() == 1


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_person_reads_that_a_rule_approved(
    browser: Browser, site: str, settings: Any, language: str
) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"rule_categories": ("personal",)})
    case = factories.in_review([match("exact", key="000000001", score=1.0)])
    assert rules_apply() == 1
    page = page_of(browser, site, DESK, script=True, language=language)
    page.goto("/status/")
    page.locator("input[name=receipt]").fill(case.receipt)
    page.locator("main form button[type=submit]").first.click()
    decision = page.locator("section[aria-labelledby=decision]")
    expect(decision).to_be_visible()
    if language == "en":
        expect(decision).to_contain_text("A rule approved it, without a person")
        expect(page.locator("ol.timeline")).to_contain_text("Approved by a rule")
    decision.get_by_role("link").click()
    assert page.url.endswith("#messages")
    well_made(page, f"rule-status-{language}")
    page.goto("/privacy/")
    well_made(page, f"rule-privacy-{language}")
    page.context.close()


def test_the_dashboard_shows_what_rules_approved(desk: Desk, settings: Any) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"rule_categories": ("personal",)})
    factories.in_review([match("exact", key="000000001", score=1.0)])
    assert rules_apply() == 1
    page = desk(factories.staff_user())
    page.goto("/admin/")
    expect(page.get_by_role("heading", name="Approved by a rule")).to_be_visible()
    well_made(page, "rule-dashboard")
